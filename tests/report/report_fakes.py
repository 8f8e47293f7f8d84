"""A small finished study as its report sees it, made by hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from uda_study.report.section import Material
from uda_study.study.checks import Check
from uda_study.study.leaderboard import leaderboard
from uda_study.study.model import StudySpec

SUBJECTS = tuple("abcdefgh")
LEVELS = np.linspace(-0.04, 0.04, 8)
SHAPES = np.array([0, 1, 0, -1, 1, 0, -1, 0]) / 200
SPEC = {
    "name": "toy",
    "method": "dam",
    "matrix": {"dam.depth": ["g3", "g7"], "direction": ["mr->ct"]},
    "data": {"dataset": "phantom"},
    "search": {"num_samples": 4},
    "parameters": {"optim.lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}},
}
DATA = {
    "cases": {
        "ct-1": {"image": "0123456789abcdef9", "label": "fedcba98765432109"},
        "mr-1": {"image": "aa23456789abcdef9", "label": None},
    },
    "splits": {
        "mr->ct fold 0": {
            "protocol": "strict",
            "sha256": "ab",
            "roles": {"source_train": ["mr-1", "mr-2"], "target_test": ["ct-1"], "target_val": []},
        }
    },
}


def run(cell: str, kind: str, seed: int, **other: object) -> dict[str, object]:
    key = f"{cell}-{kind}-{seed}"
    values: dict[str, object] = {
        "study": "toy-1", "key": key, "cell": cell, "kind": kind, "number": 0, "method": "dam",
        "dataset": "phantom", "direction": "mr->ct", "fold": 0, "seed": seed,
        "supervision": "images", "protocol": "strict", "selection": "blind/rank_avg", "seeds": 3,
        "status": "complete", "factors": json.dumps({"depth": cell}), "params": "{}",
        "cost/seconds": 60.0, "blind/score": 0.5, "git_commit": "abc123", "data_sha": "91ac",
        "start": pd.Timestamp("2026-01-01", tz="UTC"), "end": pd.Timestamp("2026-01-02", tz="UTC"),
    }  # fmt: skip
    return values | other


def case_rows(key: str, subjects: Sequence[str], dice: Sequence[float]) -> list[dict[str, object]]:
    return [
        {
            "key": key, "case": f"{subject}1", "subject": subject, "role": "target_test",
            "structure": "heart", "metric": "dice", "phase": phase, "value": float(value),
        }
        for subject, after in zip(subjects, dice, strict=True)
        for phase, value in (("after", after), ("before", 1 - after))
    ]  # fmt: skip


def material_of(
    dice: Mapping[str, float],
    subjects: Sequence[str] = SUBJECTS,
    seeds: Sequence[float] = (-0.01, 0.0, 0.02),
    bounds: Mapping[str, float] | None = None,
    **common: object,
) -> Material:
    """Return a study with a confirmed row per cell, whose seeds lie around the given mean."""
    runs, cases = [], []

    def add(cell: str, kind: str, mean: float, **other: object) -> None:
        for seed, shift in enumerate(seeds, 1):
            one = run(cell, kind, seed, **common, **other)
            runs.append(one)
            turned = np.roll(SHAPES, seed + len(cell))[: len(subjects)]
            values = mean + shift + LEVELS[: len(subjects)] + turned
            cases.extend(case_rows(str(one["key"]), subjects, values))

    for cell, mean in dice.items():
        add(cell, "confirm", mean)
    for method, mean in (bounds or {"no_adaptation": 0.1, "target_supervised": 0.9}).items():
        add(method, "baseline", mean, method=method, factors="{}")
    return of_frames(pd.DataFrame(runs), pd.DataFrame(cases))


def no_file(key: str, name: str) -> Path | None:
    return None


def of_frames(runs: pd.DataFrame, cases: pd.DataFrame) -> Material:
    return Material(
        study="toy-1",
        board=leaderboard(runs, cases),
        runs=runs,
        cases=cases,
        spec=StudySpec.model_validate(SPEC | {"parameters": {}, "fixed": {}}).to_json()
        | {"parameters": SPEC["parameters"]},
        data=DATA,
        environment="# Python 3.11 on Linux\nnumpy==2.4\ntorch==2.13\nzipp==1\n",
        checks=(Check("subjects", True, "no subject in two roles"),),
        file=no_file,
    )


def with_pictures(material: Material, folder: Path, png: bytes) -> tuple[Material, list[str]]:
    """Return the material with overlays of every training, and where is noted what was asked."""
    asked: list[str] = []
    path = folder / "overlays.png"
    path.write_bytes(png)

    def file(key: str, name: str) -> Path | None:
        asked.append(key)
        return path if name == "overlays.png" else None

    return replace(material, file=file), asked
