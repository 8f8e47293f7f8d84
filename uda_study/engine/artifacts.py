"""The files that a training leaves for people and tables: per-case values, curves, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from uda_study.data.grid import Grid, resample_to_native
from uda_study.data.prepare import PreparedCase
from uda_study.report.curves import curves_figure
from uda_study.report.overlays import OverlayRow, overlay_figure
from uda_study.report.planes import widest_slice
from uda_study.report.translations import Plane, TranslationRow, translations_figure
from uda_study.training.evaluate import Outcome, Row
from uda_study.training.trainer import Record
from uda_study.training.translation import Passes
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
    also: Mapping[Role, Role] | None = None,
) -> dict[str, float]:
    """Write ``cases.csv``, ``curves.csv`` and the pictures; return the mean scores by role.

    Cases are taken one by one, and of each only its values and one slice are kept. Methods that
    translate images get ``translations.png`` as well. ``also`` names a second role of the very same
    cases, whose values are the same, too.
    """
    rows: list[Row] = []
    slices: list[_Slice] = []
    for role, cases in outcomes.items():
        second = (also or {}).get(role)
        for outcome in cases:
            rows += outcome.rows
            if second is not None:
                rows += [replace(row, role=second) for row in outcome.rows]
            if role == "target_test":
                slices.append(_slice(outcome))
    table = pd.DataFrame([asdict(row) for row in rows])
    table.to_csv(folder / CASES, index=False)
    curve = pd.DataFrame(record.curve, columns=["stage", "step", "name", "value"])
    curve.to_csv(folder / CURVES, index=False)
    if len(curve):
        curves_figure(curve).save(folder / "curves.png")
    if slices:
        shown = _spread(sorted(slices, key=lambda each: each.dice))
        overlay_figure([each.overlay for each in shown], class_names).save(folder / "overlays.png")
        translations = [row for n, each in enumerate(shown) for row in _translations(each, n)]
        if translations:
            translations_figure(translations).save(folder / "translations.png")
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


@dataclass(frozen=True)
class _Slice:
    """The slice of a case that is shown, on the native grid, and what else can be asked of it."""

    dice: float
    overlay: OverlayRow
    index: int
    prepared: PreparedCase
    passes: Callable[[int], Passes] | None


def _slice(outcome: Outcome) -> _Slice:
    """Return the slice of a case in which the truth covers most."""
    prepared, truth = outcome.prepared, np.asarray(outcome.truth)
    dice, index = _dice(outcome.rows), widest_slice(truth, outcome.after)
    row = OverlayRow(
        name=f"{prepared.case.id}, Dice {dice:.2f}",
        image=_native(prepared.image, prepared.grid),
        after=outcome.after,
        truth=truth,
        before=outcome.before,
        translated=(
            None if outcome.translated is None else _native(outcome.translated, prepared.grid)
        ),
        spacing=_spacing(prepared.grid),
        axes=_axes(prepared.grid),
    )
    return _Slice(dice, row.cut(index), index, prepared, outcome.passes)


def _translations(shown: _Slice, number: int) -> Iterator[TranslationRow]:
    """Yield the row of a case that was translated, beside the ``number``-th of the source."""
    translated = shown.overlay.translated
    if translated is None or shown.passes is None:
        return
    passes = shown.passes(number)
    source, grid = passes.source, shown.prepared.grid
    index = widest_slice(passes.source_truth, passes.source_truth)
    yield TranslationRow(
        name=shown.overlay.name,
        image=shown.overlay.image,
        translated=translated,
        cycled=None if passes.cycled is None else _native(passes.cycled, grid)[:, :, shown.index],
        plane=_plane(grid),
        source_name=f"{source.case.id}, slice {index}",
        source=_native(source.image, source.grid)[:, :, index],
        identity=_native(passes.identity, source.grid)[:, :, index],
        source_plane=_plane(source.grid),
    )


def _native(volume: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Return the first channel of a volume ``(C, X, Y, Z)`` on the native grid."""
    channel: NDArray[np.float32] = resample_to_native(np.asarray(volume[0]), grid, order=1)
    return channel


def _spacing(grid: Grid) -> tuple[float, ...]:
    edges = nib.affines.voxel_sizes(np.asarray(grid.native_affine))
    return tuple(float(edge) for edge in edges)


def _axes(grid: Grid) -> tuple[str, ...]:
    return tuple(str(code) for code in nib.aff2axcodes(np.asarray(grid.native_affine)))


def _plane(grid: Grid) -> Plane:
    """Return how slices across the last axis lie."""
    spacing, axes = _spacing(grid), _axes(grid)
    return Plane((spacing[0], spacing[1]), (axes[0], axes[1]))


def _spread(slices: list[_Slice]) -> list[_Slice]:
    """Return the worst cases and the best, worst first."""
    return slices if len(slices) <= _SHOWN else [*slices[: _SHOWN - 1], slices[-1]]
