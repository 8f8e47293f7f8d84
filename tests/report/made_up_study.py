"""Studies made by hand for the sections of a report: confirmations, search trials and bounds."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from uda_study.report.section import Material
from uda_study.study.board import Leaderboard, Table
from uda_study.study.leaderboard import leaderboard

EIGHT = tuple("abcdefgh")
LEVELS = np.linspace(-0.05, 0.05, 12)
JS_BEFORE = 0.6


def no_file(key: str, name: str) -> Path | None:
    return None


@dataclass
class MadeUpStudy:
    """Add trainings, then take the `material`; Dice varies a little between subjects and seeds."""

    subjects: Sequence[str] = EIGHT
    common: Mapping[str, object] = field(default_factory=dict)
    intensities: bool = False
    runs: list[dict[str, object]] = field(default_factory=list)
    cases: list[dict[str, object]] = field(default_factory=list)

    def confirm(self, cell: str, dice: float, seeds: Sequence[int] = (1, 2, 3), **other) -> None:
        for seed in seeds:
            self.train(cell, "confirm", dice, seed=seed, **other)

    def search(self, cell: str, trials: Sequence[tuple[float, Mapping[str, float]]], **other):
        """Add trials, each with its test Dice and its scores by name, such as ``snd``."""
        for number, (dice, scores) in enumerate(trials):
            named = {f"blind/{name}": value for name, value in scores.items() if name != "oracle"}
            named["oracle/dice"] = scores.get("oracle", dice)
            self.train(cell, "search", dice, number=number, **named, **other)

    def bounds(self, lower: float = 0.1, upper: float = 0.9, **other) -> None:
        for method, dice in (("no_adaptation", lower), ("target_supervised", upper)):
            for seed in (1, 2):
                self.train(method, "baseline", dice, seed=seed, method=method, factors={}, **other)

    def train(self, cell, kind, dice=None, *, seed=0, number=0, factors=None, js=None, **other):
        common = {**self.common, **other}
        key = f"{cell}/{kind}/{number}/{seed}/{common.get('direction', '')}"
        factors = {"depth": cell} if factors is None else factors
        values = {
            "study": "toy-1", "key": key, "cell": cell, "kind": kind, "number": number,
            "method": "dam", "dataset": "phantom", "direction": "mr->ct", "fold": 0, "seed": seed,
            "supervision": "images", "protocol": "strict", "selection": "blind/rank_avg",
            "seeds": 3, "status": "complete", "factors": json.dumps(factors), "params": "{}",
            "cost/seconds": 60.0,
        }  # fmt: skip
        self.runs.append({**values, **common})
        if dice is None:
            return
        random = np.random.default_rng(zlib.crc32(key.encode()))
        around = np.resize(LEVELS, len(self.subjects)) + random.normal(0, 0.005, len(self.subjects))
        around += 0.01 * (seed - 2)
        after = JS_BEFORE if js is None else js
        for place, subject in enumerate(self.subjects):
            apart = 0.01 * place
            self._case(key, subject, "dice", "after", float(np.clip(dice + around[place], 0, 1)))
            for name, reduced in (("js", 0.0), ("js_excess", 0.2)) if self.intensities else ():
                self._case(key, subject, name, "before", JS_BEFORE - reduced + apart)
                self._case(key, subject, name, "after", after - reduced + apart)
            if self.intensities:
                self._case(key, subject, "js_within", "before", 0.2 + apart)

    def _case(self, key, subject, metric, phase, value):
        self.cases.append(
            {
                "key": key, "case": subject, "subject": subject, "role": "target_test",
                "structure": "heart" if metric == "dice" else "image", "metric": metric,
                "phase": phase, "value": value,
            }
        )  # fmt: skip

    @property
    def measured(self) -> pd.DataFrame:
        columns = ["key", "case", "subject", "role", "structure", "metric", "phase", "value"]
        return pd.DataFrame(self.cases, columns=columns).astype({"value": float})

    @property
    def material(self) -> Material:
        runs, cases = pd.DataFrame(self.runs), self.measured
        board = leaderboard(runs, cases)
        return Material("toy-1", board, runs, cases, {}, {}, "", (), no_file)


def three_depths(
    subjects: Sequence[str] = EIGHT, *, intensities: bool = False, **common: object
) -> MadeUpStudy:
    """Return a study of which the middle depth is best, with bounds and searches."""
    study = MadeUpStudy(subjects, common, intensities)
    for depth, dice in (("g3", 0.4), ("g5", 0.7), ("g7", 0.5)):
        trials = [(dice + n / 20, {"entropy": n / 10, "snd": -n, "last": 9.0}) for n in range(4)]
        study.search(depth, trials)
        study.confirm(depth, dice)
    study.bounds()
    return study


def crowd(count: int = 12) -> MadeUpStudy:
    """Return a study of so many methods, every second of which translates images."""
    study = MadeUpStudy("abcdef", intensities=True)
    for n in range(count):
        about = {
            "method": f"m{n}<&\"'", "factors": {"method": f"m{n}<&\"'", "note": "$x_1$ <b>&amp;"},
            "js": 0.1 + n / 40 if n % 2 else None,
        }  # fmt: skip
        cell = f"cell{n}"
        study.search(cell, [(0.1 + n / 30, {"entropy": 0.1}), (0.3, {"entropy": 0.2})], **about)
        study.confirm(cell, 0.2 + n / 30, **about)
    return study


@cache
def depths_material(subjects: str = "abcdefgh") -> Material:
    """Return the material of `three_depths`."""
    return three_depths(subjects).material


@cache
def odd_material(name: str) -> Material:
    """Return the material of one of the odd studies."""
    return unfinished() if name == "nothing finished" else odd_studies()[name].material


def unfinished() -> Material:
    """Return a study of a single trial, which failed, with an empty table."""
    study = MadeUpStudy()
    study.train("g3", "search", status="failed")
    board = Leaderboard(
        study="toy-1",
        selected_by="blind/rank_avg",
        by="cell",
        tables=(Table("phantom", "mr->ct", "images", "strict"),),
    )
    return Material(
        "toy-1", board, pd.DataFrame(study.runs), study.measured, {}, {}, "", (), no_file
    )


ODD = (
    "one cell", "one seed, no baselines", "failed trials", "NaN among the values",
    "nothing finished", "three subjects", "one subject", "transductive", "two directions",
    "twelve methods",
)  # fmt: skip


def odd_studies() -> dict[str, MadeUpStudy]:
    """Return studies in which something is missing, by what it is."""
    one_cell = MadeUpStudy()
    one_cell.search("g3", [(0.3, {"entropy": 0.1}), (0.5, {"entropy": 0.4})])
    one_cell.confirm("g3", 0.5)
    one_seed = MadeUpStudy()
    for depth, dice in (("1", 0.3), ("2", 0.5), ("10", 0.4)):
        one_seed.confirm(depth, dice, seeds=(1,))
    failed = three_depths()
    failed.train("g9", "search", status="failed", **{"blind/entropy": float("nan")})
    failed.train("g9", "search", number=1, status="diverged")
    failed.train("g5", "search", number=7, status="pruned", **{"blind/snd": float("inf")})
    unmeasured = three_depths()
    for case in unmeasured.cases[::17]:
        case["value"] = float("nan")
    both = three_depths()
    for depth, dice in (("g3", 0.2), ("g5", 0.3), ("g7", 0.6)):
        both.confirm(depth, dice, direction="ct->mr")
    return {
        "one cell": one_cell,
        "one seed, no baselines": one_seed,
        "failed trials": failed,
        "NaN among the values": unmeasured,
        "three subjects": three_depths("abc", intensities=True),
        "one subject": three_depths("a"),
        "transductive": three_depths("abcd", protocol="transductive"),
        "two directions": both,
        "twelve methods": crowd(),
    }
