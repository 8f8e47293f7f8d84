"""How often equal methods are called different over domain pairs, by the mixed model and by ROPE.

    python benchmarks/false_positives_across.py [--studies 1000] [--part pairs|mixed|rope]

All methods are equally good. *Pairs*: a method's mean Dice on a dataset is the dataset's difficulty
(deviation .1) plus how the method gets on with it (.03), and, per direction, the rest (.01).
*Mixed* and *rope*: the studies of `false_positives.py`, 20 subjects and 5 seeds.
"""

import argparse
from functools import cache
from itertools import product

import numpy as np
from false_positives import LUCK, simulated
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from uda_study.study import board, ranking
from uda_study.study.across import Contender, across
from uda_study.study.mixed import CLIP, Mixed, mixed_model
from uda_study.study.rope import rope_over_pairs, rope_over_subjects
from uda_study.study.statistics import holm, signed_rank_p

SUBJECTS, SEEDS = 20, 5
DIRECTIONS = ("a->b", "b->a")


def pairs(random: np.random.Generator, studies: int) -> Table:
    table = _table(
        f"{studies} studies each: share with a claim",
        ("methods", "datasets", "directions", "Friedman", "then Nemenyi", "Nemenyi alone",
         "chi2", "pairs as independent", "Wilcoxon, Holm", "power"),
    )  # fmt: skip
    settings = list(product((2, 3, 5, 10), (6, 8), (1, 2)))
    for methods, datasets, directions in track(settings, transient=True):
        counts = np.zeros(7)
        for _ in range(studies):
            dice = _dice(random, methods, datasets, directions)
            [found] = across(_board(dice))
            means = dice.mean(axis=2)
            all_pairs = dice.reshape(methods, -1)
            counts += [
                found.friedman_p is not None and found.friedman_p < 0.05,
                _claimed(found),
                methods > 2 and _nemenyi(means),
                methods > 2 and stats.friedmanchisquare(*means).pvalue < 0.05,
                methods > 2 and ranking.friedman(all_pairs).p < 0.05 and _nemenyi(all_pairs),
                _wilcoxon(means),
                0,
            ]
        for _ in range(studies // 10):
            dice = _dice(random, methods, datasets, directions)
            dice[0] += 0.1
            posthoc = across(_board(dice))[0].posthoc
            mine = [p for labels, p in posthoc.items() if "m0" in labels]
            counts[6] += sum(p < 0.05 for p in mine) / (methods - 1)
        shares = counts / [*[studies] * 6, studies // 10]
        row = [f"{share:.3f}" for share in shares[:6]] + [f"{shares[6]:.2f}"]
        if methods == 2:
            row[0] = row[2] = row[3] = row[4] = "-"
        table.add_row(str(methods), str(datasets), str(directions), *row)
    return table


def mixed(random: np.random.Generator, studies: int) -> Table:
    table = _table(
        f"{studies} studies each, {SUBJECTS} subjects, {SEEDS} seeds",
        ("methods", "luck", "fitted", "mixed model", "coverage", "without method effects",
         "its coverage", "power"),
    )  # fmt: skip
    for methods, luck in track(list(product((2, 5, 10), LUCK)), transient=True):
        counts = np.zeros(6)
        for _ in range(studies):
            dice = simulated(random, methods, SUBJECTS, SEEDS, luck)
            best_first = np.argsort(-dice.mean(axis=(1, 2)))
            found = mixed_model(_values(dice[best_first]))
            if found.reason is not None:
                continue
            covered, p_values = _plain(dice)
            counts += [
                1,
                any(d.p_holm < 0.05 for d in found.differences),
                _covered(found, int(np.argmin(best_first))),
                any(p < 0.05 for p in holm(p_values)),
                covered,
                0,
            ]
        for _ in range(studies // 10):
            dice = simulated(random, methods, SUBJECTS, SEEDS, luck)
            dice[0] += 0.1
            differences = mixed_model(_values(dice)).differences
            lower = [d.p_holm < 0.05 and d.dice < 0 for d in differences]
            counts[5] += sum(lower) / (methods - 1)
        shares = counts / [studies, *[counts[0]] * 4, studies // 10]
        row = [f"{share:.3f}" for share in shares[:5]] + [f"{shares[5]:.2f}"]
        table.add_row(str(methods), f"{luck:g}", *row)
    return table


def rope(random: np.random.Generator, studies: int) -> Table:
    table = _table(
        f"{studies} studies each: share in which a probability is above .95",
        ("over", "n", "difference", "luck", "better or worse", "equivalent", "better"),
    )
    subjects = [("subjects", SUBJECTS, d, luck) for d in (0.0, 0.03) for luck in LUCK]
    over_pairs = [("pairs", n, d, 0.0) for n in (6, 8) for d in (0.0, 0.03)]
    for unit, n, difference, luck in track([*subjects, *over_pairs], transient=True):
        counts = np.zeros(3)
        for _ in range(studies):
            if unit == "subjects":
                dice = simulated(random, 2, n, SEEDS, luck)
                dice[0] += difference
                values = _values(dice)
                found = rope_over_subjects(values["m0"]["d a->b"], values["m1"]["d a->b"])
            else:
                dice = _dice(random, 2, n, 1)
                dice[0] += difference
                found = rope_over_pairs(
                    *(Contender(f"m{m}", "images", _by_pair(dice[m]), {}) for m in (0, 1))
                )
            counts += [
                max(found.better, found.worse) > 0.95,
                found.equivalent > 0.95,
                found.better > 0.95,
            ]
        row = [f"{share:.3f}" for share in counts / studies]
        table.add_row(unit, str(n), f"{difference:g}", f"{luck:g}", *row)
    return table


def _dice(random: np.random.Generator, methods: int, datasets: int, directions: int) -> np.ndarray:
    """Return mean Dice ``(methods, datasets, directions)``."""
    return (
        0.7
        + random.normal(0, 0.1, (1, datasets, 1))
        + random.normal(0, 0.03, (methods, datasets, 1))
        + random.normal(0, 0.01, (methods, datasets, directions))
    )


def _by_pair(dice: np.ndarray) -> dict[str, float]:
    """Return the values ``(datasets, directions)`` by domain pair."""
    datasets, directions = dice.shape
    return {
        f"d{d} {DIRECTIONS[w]}": float(dice[d, w])
        for d, w in product(range(datasets), range(directions))
    }


def _board(dice: np.ndarray) -> board.Leaderboard:
    methods, datasets, directions = dice.shape
    tables = [
        board.Table(
            f"d{d}",
            DIRECTIONS[w],
            "images",
            "strict",
            tuple(_row(f"m{m}", float(dice[m, d, w])) for m in range(methods)),
        )
        for d, w in product(range(datasets), range(directions))
    ]
    return board.Leaderboard("s", "blind/rank_avg", "cell", tuple(tables))


def _row(method: str, dice: float) -> board.Row:
    scores = {"dice": board.Summary(dice, None, None, (None, None))}
    return board.Row(
        study="s", cell=method, method=method, role="method", factors={}, n_seeds=5,
        seeds_expected=5, provisional=False, scores=scores, structures={}, subjects={"p": dice},
        by_seed={}, seed_means=(), blind=None, trial_counts={}, hours=0.0,
    )  # fmt: skip


def _claimed(found) -> bool:
    return any(p < 0.05 for p in found.posthoc.values())


def _nemenyi(values: np.ndarray) -> bool:
    methods, blocks = values.shape
    ranks = ranking.ranks(values).mean(axis=1)
    return np.ptp(ranks) > _critical_difference(methods, blocks)


@cache
def _critical_difference(methods: int, blocks: int) -> float:
    return ranking.critical_difference(methods, blocks)


def _wilcoxon(values: np.ndarray) -> bool:
    both = [(a, b) for a in range(len(values)) for b in range(a)]
    return any(p < 0.05 for p in holm([signed_rank_p(values[a] - values[b]) for a, b in both]))


def _values(dice: np.ndarray) -> dict:
    return {
        f"m{m}": {"d a->b": {f"p{s}": dict(enumerate(row)) for s, row in enumerate(part.tolist())}}
        for m, part in enumerate(dice)
    }


def _covered(found: Mixed, chosen: int) -> float:
    """Return the share of 95 % intervals against one method, by its number, that hold 0."""
    logits = [0.0, *(d.logit for d in found.differences)]
    low, high = found.differences[0].logit_ci95
    apart = [abs(logits[chosen] - logit) for m, logit in enumerate(logits) if m != chosen]
    return float((np.array(apart) <= (high - low) / 2).mean())


def _plain(dice: np.ndarray) -> tuple[float, list[float]]:
    """Return the coverage and all pairs' p of logit(Dice) ~ method + (1|subject) + (1|seed).

    All values being there, it is the analysis of variance without interactions.
    """
    methods, n = len(dice), dice[0].size
    logits = np.log(dice.clip(CLIP, 1 - CLIP) / (1 - dice.clip(CLIP, 1 - CLIP)))
    rest = logits - logits.mean(axis=0) - logits.mean(axis=(1, 2), keepdims=True) + logits.mean()
    freedom = (methods - 1) * (n - 1)
    error = np.sqrt(2 * (rest**2).sum() / freedom / n)
    means = logits.mean(axis=(1, 2))
    p_values = [
        2 * float(stats.t.sf(abs(means[a] - means[b]) / error, freedom))
        for a in range(methods)
        for b in range(a)
    ]
    against_first = np.abs(means[1:] - means[0]) / error
    return float((against_first <= stats.t.ppf(0.975, freedom)).mean()), p_values


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parts = {"pairs": pairs, "mixed": mixed, "rope": rope}
    parser.add_argument("--part", choices=list(parts), action="append")
    options = parser.parse_args()
    for name in options.part or parts:
        table = parts[name](np.random.default_rng(0), options.studies)
        Console(width=150).print(table)


if __name__ == "__main__":
    main()
