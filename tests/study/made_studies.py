"""Hand-made studies whose rows are compared."""

from functools import cached_property

import numpy as np
import pandas as pd

from uda_study.study.board import Leaderboard
from uda_study.study.case_pairs import Pairing, pair
from uda_study.study.leaderboard import leaderboard
from uda_study.study.row_names import find_pair, sides

SUBJECTS = tuple("abcdefgh")
LEVELS = dict(zip(SUBJECTS, np.linspace(0.4, 0.75, 8), strict=True))
LIFTS = dict(zip(SUBJECTS, np.linspace(0.02, 0.16, 8), strict=True))
SEED_SHIFTS = {1: -0.02, 2: 0.0, 3: 0.03}


class Made:
    """A hand-made study: confirmations and baselines with two structures, one case a subject."""

    def __init__(self, study: str = "toy-1") -> None:
        self.study = study
        self.runs: list[dict[str, object]] = []
        self.cases: list[dict[str, object]] = []
        self.paired: dict[object, Pairing] = {}

    def add(self, cell, direction="mr->ct", *, seeds=(1, 2, 3), kind="confirm", method="dam",
            lift=lambda *_: 0.0, subjects=SUBJECTS, structures=("heart", "lung"),
            supervision="images", fold=0, **run):  # fmt: skip
        for seed in seeds:
            key = f"{self.study}/{cell}/{direction}/{kind}/{fold}/{seed}"
            self.runs.append(
                {
                    "study": self.study, "key": key, "cell": f"{cell} direction={direction}",
                    "kind": kind, "number": 0, "method": method, "dataset": "phantom",
                    "direction": direction, "fold": fold, "seed": seed, "supervision": supervision,
                    "protocol": "strict", "selection": "blind/rank_avg", "seeds": 3,
                    "status": "complete", "factors": "{}", "params": "{}", "cost/seconds": 1.0,
                    "blind/score": 0.5, **run,
                }
            )  # fmt: skip
            for subject in subjects:
                level = LEVELS[subject] + lift(subject, seed)
                for number, structure in enumerate(structures):
                    self.measure(key, subject, structure, "dice", level + 0.1 * number)
                    self.measure(key, subject, structure, "hd95", 20 * (1 - level))
                    self.measure(key, subject, structure, "volume_difference", level - 0.6)
        return self

    def measure(self, key, subject, structure, metric, value, phase="after", role="target_test"):
        self.cases.append(
            {
                "key": key, "case": f"{subject}1", "subject": subject, "role": role,
                "structure": structure, "metric": metric, "phase": phase, "value": float(value),
            }
        )  # fmt: skip

    @cached_property
    def board(self) -> Leaderboard:
        return leaderboard(pd.DataFrame(self.runs), pd.DataFrame(self.cases))

    @cached_property
    def sides(self):
        return sides(self.board, pd.DataFrame(self.runs))

    def pair(self, a, b, other=None):
        if (a, b, other) not in self.paired:
            tables = [pd.DataFrame(made.cases) for made in {self, other or self}]
            found = find_pair(self.sides, (other or self).sides, a, b)
            self.paired[a, b, other] = pair(*found, pd.concat(tables))
        return self.paired[a, b, other]


def rising(subject, seed):
    return LIFTS[subject] + SEED_SHIFTS.get(seed, 0.0)


def depths() -> Made:
    """Return a study of two directions; in one there is a third, wider cell."""
    made = Made()
    for direction in ("mr->ct", "ct->mr"):
        made.add("depth=g3", direction)
        made.add("depth=g5", direction, lift=rising)
        made.add("no_adaptation", direction, kind="baseline", method="no_adaptation",
                 supervision="none", lift=lambda *_: -0.3)  # fmt: skip
    made.add("depth=g7 width=8", lift=lambda *_: -0.05)
    return made
