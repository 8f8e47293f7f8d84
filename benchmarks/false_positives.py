"""How often the leaderboard calls equal methods different, over simulated studies.

    python benchmarks/false_positives.py [--studies 1000]

In every study all methods are equally good. A value is the subject's difficulty (deviation .1),
plus how the method gets on with the subject (.05), the method's luck with the seed (given), and
the rest (.02). Counted are studies in which any verdict is "better" or "worse"; shares above 5 %
would be more than the level promises. Beside it: the Wilcoxon test over subjects alone, with
Holm's adjustment over the comparisons with the first row.
"""

import argparse
from itertools import product

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table

from uda_study.study import statistics
from uda_study.study.leaderboard import leaderboard

SETTINGS = ((2, 12, 3), (5, 12, 3), (5, 20, 5), (10, 20, 5))
LUCK = (0.0, 0.01, 0.03)


def simulated(
    random: np.random.Generator, methods: int, subjects: int, seeds: int, luck: float
) -> np.ndarray:
    """Return the Dice ``(methods, subjects, seeds)`` of equally good methods."""
    return (
        0.7
        + random.normal(0, 0.1, (1, subjects, 1))
        + random.normal(0, 0.05, (methods, subjects, 1))
        + random.normal(0, luck, (methods, 1, seeds))
        + random.normal(0, 0.02, (methods, subjects, seeds))
    )


def study(
    random: np.random.Generator, methods: int, subjects: int, seeds: int, luck: float, effect: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of runs and cases; the first method is better by ``effect``."""
    values = simulated(random, methods, subjects, seeds, luck)
    values[0] += effect
    runs, cases = [], []
    for method, seed in product(range(methods), range(seeds)):
        key = f"m{method}-{seed}"
        runs.append(
            {
                "study": "s", "key": key, "cell": f"m{method}", "kind": "confirm", "number": 0,
                "method": f"m{method}", "dataset": "d", "direction": "a->b", "fold": 0,
                "seed": seed, "supervision": "images", "protocol": "strict",
                "selection": "blind/rank_avg", "seeds": seeds, "status": "complete",
                "factors": "{}", "params": "{}",
            }
        )  # fmt: skip
        for subject in range(subjects):
            cases.append(
                {
                    "key": key, "case": f"c{subject}", "subject": f"p{subject}",
                    "role": "target_test", "structure": "organ", "metric": "dice",
                    "phase": "after", "value": values[method, subject, seed],
                }
            )  # fmt: skip
    return pd.DataFrame(runs), pd.DataFrame(cases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--effect", type=float, default=0.1, help="of the better method, for power")
    options = parser.parse_args()
    table = Table(title=f"{options.studies} studies each")
    for name in ("methods", "subjects", "seeds", "luck", "leaderboard", "subjects alone", "power"):
        table.add_column(name, justify="right")
    random = np.random.default_rng(0)
    for (methods, subjects, seeds), luck in track(list(product(SETTINGS, LUCK)), transient=True):
        called = naive = found = 0
        for _ in range(options.studies):
            rows = _rows(random, methods, subjects, seeds, luck, 0.0)
            called += any(r.against_first.verdict in ("better", "worse") for r in rows[1:])
            naive += _naive(rows)
        for _ in range(options.studies // 10):
            rows = _rows(random, methods, subjects, seeds, luck, options.effect)
            if rows[0].method == "m0":
                found += sum(r.against_first.verdict == "worse" for r in rows[1:]) / (methods - 1)
        shares = [called / options.studies, naive / options.studies]
        power = found / (options.studies // 10)
        figures = [f"{share:.3f}" for share in shares] + [f"{power:.2f}"]
        table.add_row(str(methods), str(subjects), str(seeds), f"{luck:g}", *figures)
    Console().print(table)


def _rows(random, methods, subjects, seeds, luck, effect):
    runs, cases = study(random, methods, subjects, seeds, luck, effect)
    return leaderboard(runs, cases).tables[0].rows


def _naive(rows) -> bool:
    first = rows[0].subjects
    p_values = [
        statistics.signed_rank_p([row.subjects[s] - first[s] for s in first]) for row in rows[1:]
    ]
    return any(p < 0.05 for p in statistics.holm(p_values))


if __name__ == "__main__":
    main()
