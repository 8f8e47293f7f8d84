"""The files that a training leaves for people and tables: per-case values, curves, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from uda_study.data.grid import resample_to_native
from uda_study.report.curves import curves_figure
from uda_study.report.overlays import OverlayRow, overlay_figure
from uda_study.training.evaluate import Outcome, Row
from uda_study.training.trainer import Record
from uda_study.types import Role

CASES, CURVES = "cases.csv", "curves.csv"
# What is computed from target validation labels is an oracle's, and named so.
_PREFIXES: Mapping[Role, str] = {"target_val": "oracle", "target_test": "test"}
_SHOWN = 4


def write_artifacts(
    folder: Path,
    record: Record,
    outcomes: Mapping[Role, Iterable[Outcome]],
    class_names: Sequence[str],
) -> dict[str, float]:
    """Write ``cases.csv``, ``curves.csv`` and the pictures; return the mean scores by role.

    Cases are taken one by one, and of each only its values and one slice are kept.
    """
    rows: list[Row] = []
    slices: list[tuple[float, OverlayRow]] = []
    for role, cases in outcomes.items():
        for outcome in cases:
            rows += outcome.rows
            if role == "target_test":
                slices.append((_dice(outcome.rows), _overlay(outcome)))
    table = pd.DataFrame([asdict(row) for row in rows])
    table.to_csv(folder / CASES, index=False)
    curve = pd.DataFrame(record.curve, columns=["stage", "step", "name", "value"])
    curve.to_csv(folder / CURVES, index=False)
    if len(curve):
        curves_figure(curve).save(folder / "curves.png")
    if slices:
        slices.sort(key=lambda pair: pair[0])
        shown = [row for _, row in _spread(slices)]
        overlay_figure(shown, class_names).save(folder / "overlays.png")
    return mean_scores(table)


def mean_scores(cases: pd.DataFrame) -> dict[str, float]:
    """Return ``test/dice``, ``test/dice_before``, ``oracle/js``, … from the per-case table.

    Structures are averaged within a case, cases within a subject, then subjects.
    """
    scores: dict[str, float] = {}
    if cases.empty:
        return scores
    cases = cases.dropna(subset=["value"])
    by = ["role", "metric", "phase"]
    per_case = cases.groupby([*by, "subject", "case"])["value"].mean()
    per_subject = per_case.groupby(level=[*by, "subject"]).mean()
    means = per_subject.groupby(level=by).mean().reset_index()
    for row in means.to_dict("records"):
        suffix = "_before" if row["phase"] == "before" else ""
        scores[f"{_PREFIXES[row['role']]}/{row['metric']}{suffix}"] = float(row["value"])
    return scores


def _dice(rows: Iterable[Row]) -> float:
    values = [row.value for row in rows if row.metric == "dice" and row.phase == "after"]
    return sum(values) / len(values) if values else 0.0


def _overlay(outcome: Outcome) -> OverlayRow:
    """Return the slice of a case in which the truth covers most, on the native grid."""
    grid = outcome.prepared.grid
    affine = np.asarray(grid.native_affine)
    image = resample_to_native(np.asarray(outcome.prepared.image[0]), grid, order=1)
    return OverlayRow(
        name=f"{outcome.prepared.case.id}, Dice {_dice(outcome.rows):.2f}",
        image=image,
        after=outcome.after,
        truth=np.asarray(outcome.truth),
        before=outcome.before,
        spacing=tuple(float(edge) for edge in nib.affines.voxel_sizes(affine)),
        axes=tuple(str(code) for code in nib.aff2axcodes(affine)),
    ).widest()


def _spread(slices: list[tuple[float, OverlayRow]]) -> list[tuple[float, OverlayRow]]:
    """Return the worst cases and the best, worst first."""
    return slices if len(slices) <= _SHOWN else [*slices[: _SHOWN - 1], slices[-1]]
