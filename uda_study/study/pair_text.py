"""Write a comparison of two rows as JSON, CSV, or as sentences and cells for terminal and page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from uda_study.study.board import RANKED_BY
from uda_study.study.case_pairs import CasePair, Pairing
from uda_study.study.measure_pairs import Better, MeasurePair
from uda_study.study.row_names import Side
from uda_study.study.rules import RANK_AVERAGE
from uda_study.study.spelling import MISSING, number, p_value, signed, signed_interval
from uda_study.study.statistics import ROPE

MEASURE_COLUMNS = (
    "metric", "unit", "A", "B", "A - B", "95% CI", "p", "p (adj.)", "detectable", "A is",
)  # fmt: skip
STRUCTURE_COLUMNS = ("structure", *MEASURE_COLUMNS[:6])
CASE_COLUMNS = ("case", "subject", "A", "B", "A - B", "by seed")

_ARROWS = {"higher": "↑", "lower": "↓", "nearest 0": "°"}
_BETTER: Mapping[Better, str] = {
    "higher": "higher is better",
    "lower": "lower is better",
    "nearest 0": "best is 0, so there is no better or worse",
}
_SENTENCES: Mapping[str, str] = {
    "better": "A is better than B",
    "worse": "A is worse than B",
    "practically equivalent": f"A and B are practically equivalent, within ±{ROPE:g} Dice",
    "not distinguishable": "A and B are not distinguishable",
    "descriptive only": "Descriptive only (with fewer than six subjects no test can reach .05)",
    "equal": "A and B are equal",
}


def headline(pairing: Pairing) -> str:
    """Return the verdict with the difference, its interval and p, in one line."""
    return f"{sentence(pairing)}: {difference(pairing)}"


def sentence(pairing: Pairing) -> str:
    """Return the verdict in words of the protocol."""
    return _SENTENCES[pairing.dice.verdict or "descriptive only"]


def difference(pairing: Pairing) -> str:
    """Return the difference in Dice, its interval and p."""
    found = pairing.dice.comparison
    p = f"p {p_value(found.p)}"
    if pairing.adjusted_for > 1:
        p += f", adjusted for {pairing.adjusted_for} pairs {p_value(pairing.dice.p)}"
    return f"A - B = {signed(found.difference)} Dice, 95% CI {signed_interval(found.ci95)}, {p}"


def probabilities(pairing: Pairing) -> str:
    """Return the Bayesian signed-rank test's answer as a sentence; empty where there is none."""
    if (found := pairing.rope) is None:
        return ""
    return (
        f"Bayesian signed-rank test: P(A better) {found.better:.2f}, "
        f"P(within ±{found.rope:g} Dice) {found.equivalent:.2f}, P(B better) {found.worse:.2f}; "
        f"over {found.n} {found.unit}, the luck of seeds is not in it"
    )


def facts(pairing: Pairing) -> list[tuple[str, str]]:
    """Return what is compared, by name."""
    seeds = ", ".join(map(str, pairing.seeds))
    return [
        ("compared", f"{pairing.first.dataset} {pairing.first.direction}"),
        ("A", described(pairing.first)),
        ("B", described(pairing.second)),
        ("paired over", f"{len(pairing.subjects)} subjects, {len(pairing.cases)} cases, "
         + (f"seeds {seeds}" if seeds else "each side's own seeds")),
    ]  # fmt: skip


def described(side: Side) -> str:
    """Return the row's name, study, supervision, and how it was chosen."""
    rule = side.selected_by.replace(RANK_AVERAGE, "blind rank average")
    chosen = f"selected by {rule}" if side.row.role == "method" else side.row.role
    seeds = f"{side.row.n_seeds} of {side.row.seeds_expected} seeds"
    protocol = f"{side.protocol} protocol"
    parts = (side.row.study, f"supervision {side.supervision}", seeds, chosen, protocol)
    return f"{side.name}   ({', '.join(parts)})"


def warnings(pairing: Pairing) -> list[str]:
    """Return what is not alike on both sides, or less than the protocol asks for."""
    first, second = pairing.first, pairing.second
    found = []
    if first.supervision != second.supervision:
        found.append(
            f"supervision differs: A reads {_read(first)} of the target, B {_read(second)}"
        )
    for letter, side, only in zip("AB", (first, second), pairing.left_out, strict=True):
        if side.row.provisional:
            found.append(f"{letter} is provisional: its best search trial, not confirmed")
        if side.selected_by.startswith("oracle/") and side.row.role == "method":
            found.append(f"{letter} WAS SELECTED WITH TARGET LABELS: not unsupervised")
        if only:
            found.append(f"left out: {only} subjects that only {letter} was tested on")
    if pairing.unlike is None:
        found.append("whether both studies have the same images could not be checked")
    elif pairing.unlike:
        found.append(
            f"{pairing.unlike} of {len(pairing.cases)} cases were prepared otherwise in one of the "
            "studies, or are other images of that name"
        )
    if "transductive" in first.protocol + second.protocol:
        found.append("TRANSDUCTIVE: adapted to the images that are tested on")
    if not pairing.seeds:
        found.append("no seed is common to both: each subject's mean over a side's seeds is paired")
    elif len(pairing.seeds) == 1:
        found.append("one common seed: the luck of seeds is not in the intervals")
    return found


def explanations(pairing: Pairing) -> list[str]:
    """Return how to read the tables."""
    adjusted = {
        0: "p (adj.): not adjusted, since the rows are in no common ranking; it holds for a pair "
        "that was chosen beforehand",
        1: "p (adj.): the same, since their table has no other pair of rows",
    }.get(
        pairing.adjusted_for,
        f"p (adj.): for the {pairing.adjusted_for} pairs of rows in their table, as in the "
        "leaderboard; words follow from it and need the signed-rank test, too; intervals are not "
        "adjusted, nor is p for several metrics",
    )
    kinds = {measure.better for measure in pairing.measures}
    marks = [f"{_ARROWS[kind]} {_BETTER[kind]}" for kind in _BETTER if kind in kinds]
    return [
        adjusted,
        "detectable: the true difference that would be found with 80 % power",
        ", ".join(marks),
    ]


def _read(side: Side) -> str:
    return "nothing" if side.supervision == "none" else side.supervision


def measure_cells(measure: MeasurePair) -> tuple[str, ...]:
    """Return the cells of `MEASURE_COLUMNS`."""
    found = measure.comparison
    return (
        f"{'Dice' if measure.metric == RANKED_BY else measure.metric} {_ARROWS[measure.better]}",
        measure.unit,
        number(measure.first),
        number(measure.second),
        signed(found.difference),
        signed_interval(found.ci95),
        p_value(found.p),
        p_value(measure.p),
        number(found.smallest_detectable),
        measure.verdict or "",
    )


def structure_cells(measure: MeasurePair) -> tuple[str, ...]:
    """Return the cells of `STRUCTURE_COLUMNS`."""
    return (str(measure.structure), *measure_cells(measure)[:6])


def case_cells(case: CasePair) -> tuple[str, ...]:
    """Return the cells of `CASE_COLUMNS`."""
    first, second = case.means
    return (
        case.case,
        case.subject,
        number(first),
        number(second),
        signed(case.difference),
        MISSING if case.span is None else f"{signed(case.span[0])} to {signed(case.span[1])}",
    )


def to_json(pairing: Pairing) -> dict[str, Any]:
    """Return plain values; what is unknown is None."""
    return {
        "dataset": pairing.first.dataset,
        "direction": pairing.first.direction,
        "a": _side_json(pairing.first),
        "b": _side_json(pairing.second),
        "subjects": list(pairing.subjects),
        "left_out": {"a": pairing.left_out[0], "b": pairing.left_out[1]},
        "seeds": list(pairing.seeds),
        "adjusted_for": pairing.adjusted_for,
        "warnings": warnings(pairing),
        "metrics": [_measure_json(measure) for measure in pairing.measures],
        "structures": [_measure_json(measure) for measure in pairing.structures],
        "rope": None if pairing.rope is None else asdict(pairing.rope),
        "unlike": pairing.unlike,
        "cases": [_case_json(case) for case in pairing.cases],
    }


def to_csv(pairing: Pairing) -> str:
    """Return one line per case, the largest difference in Dice first."""
    lines = []
    for case in pairing.cases:
        first, second = case.means
        low, high = case.span or (None, None)
        line: dict[str, Any] = {
            "case": case.case,
            "subject": case.subject,
            "dice.a": first,
            "dice.b": second,
            "dice.difference": case.difference,
            "dice.difference_low": low,
            "dice.difference_high": high,
        }
        for name, (of_a, of_b) in case.others.items():
            line |= {f"{name}.a": of_a, f"{name}.b": of_b, f"{name}.difference": of_a - of_b}
        lines.append(line)
    return pd.DataFrame(lines).to_csv(index=False, lineterminator="\n")


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "study": side.row.study,
        "cell": side.name,
        "method": side.row.method,
        "role": side.row.role,
        "supervision": side.supervision,
        "protocol": side.protocol,
        "selected_by": side.selected_by,
        "provisional": side.row.provisional,
        "trainings": dict(side.trainings),
    }


def _measure_json(measure: MeasurePair) -> dict[str, Any]:
    found = measure.comparison
    return {
        "metric": measure.metric,
        "structure": measure.structure,
        "unit": measure.unit,
        "better": measure.better,
        "n_subjects": found.n,
        "a": measure.first,
        "b": measure.second,
        "difference": found.difference,
        "ci95": list(found.ci95),
        "p": measure.p,
        "p_unadjusted": found.p,
        "p_signed_rank": found.signed_rank,
        "smallest_detectable": found.smallest_detectable,
        "verdict": measure.verdict,
    }


def _case_json(case: CasePair) -> dict[str, Any]:
    first, second = case.means
    return {
        "case": case.case,
        "subject": case.subject,
        "a": first,
        "b": second,
        "difference": case.difference,
        "range_over_seeds": None if case.span is None else list(case.span),
        "by_seed": {"a": _by_text(case.first), "b": _by_text(case.second)},
        "metrics": {name: {"a": a, "b": b} for name, (a, b) in case.others.items()},
        "typical_trainings": list(case.typical),
    }


def _by_text(values: Mapping[int, float]) -> dict[str, float]:
    return {str(seed): value for seed, value in values.items()}
