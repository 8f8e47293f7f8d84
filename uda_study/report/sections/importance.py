"""Which hyperparameters mattered, and what tuning them was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from uda_study.report.importance_bars import importance_figure
from uda_study.report.page_style import table
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import counted, signed
from uda_study.study.budget_curve import Tunability, tunability
from uda_study.study.importance import (
    ENOUGH,
    SHUFFLES,
    Search,
    comparable,
    importances,
    searches,
    top_share,
)
from uda_study.study.leaderboard import mean_dice

BLIND, TEST = "blind/score", "test Dice, looked at afterwards"


def section(material: Material) -> Section | None:
    """Show bars for every search with enough trials, and what tuning was worth in every cell."""
    found = searches(material.runs, material.spec["parameters"])
    if not found:
        return None
    dice = mean_dice(material.cases)
    bars = [_bars(search, dice) for search in found]
    few = [search for search, exhibits in zip(found, bars, strict=True) if not exhibits]
    lead = (
        "Two questions: what explains the differences between settings, and what the best settings "
        "have in common. Factors of the study, such as depth, are not judged here: trials are "
        "compared within their cell only."
    )
    if few:
        counts = ", ".join(f"{s.method} ({_comparable(s, dice)})" for s in few)
        lead += (
            f" With fewer than {ENOUGH} finished trials that can be compared within a cell, or "
            "where all score the same, importance is noise, and no bars are drawn. Trials of: "
            f"{counts}."
        )
    exhibits = [exhibit for of_one in bars for exhibit in of_one]
    return Section("What mattered", lead, (*exhibits, _worth(material.runs, dice)))


def _blind(search: Search) -> dict[str, float]:
    """Return the blind score of each trial by its key."""
    trials = search.trials
    return dict(zip(trials["key"], trials[BLIND], strict=True)) if BLIND in trials.columns else {}


def _bars(search: Search, dice: Mapping[str, float]) -> list[Exhibit]:
    trials = search.trials
    blind = _blind(search)
    scores = {BLIND: importances(search, blind), TEST: importances(search, dice)}
    if not any(scores.values()):
        return []
    n, cells = _comparable(search, dice), counted(len(search.cells), "cell")
    caption = (
        f"{search.method}, {n} of {counted(len(trials), 'search trial')} in {cells}. fANOVA: share "
        "of the variance of the scores that the parameter explains alone; what is missing to 1 is "
        "interactions. PED-ANOVA: how much the values of the best trials, "
        f"{top_share(n):.0%} of each cell, differ from those of all; shares add up to 1. Light "
        f"bars: as much came out in one of {SHUFFLES} repetitions with the scores exchanged "
        "between the trials of a cell; of parameters without effect one bar in twenty is dark all "
        f"the same. {counted(_count(trials, 'diverged'), 'diverged trial')} counted as the worst "
        f"finished of the cell. Left out: trials that were stopped early or failed, that are alone "
        "in their cell, and settings outside of the ranges."
    )
    conditional = [name for name, p in search.space.parameters.items() if p.when]
    if conditional:
        counted_in = {row.parameter: row.trials for rows in scores.values() for row in rows}
        parts = [f"{name} ({counted_in[name]})" for name in conditional if name in counted_in]
        caption += (
            f" Judged among the trials in which they count: {', '.join(parts)}; a dash: too few."
        )
    facts = f"{n} finished and comparable of {counted(len(trials), 'search trial')} in {cells}"
    return [Exhibit(caption, importance_figure(scores, f"What mattered: {search.method}", facts))]


def _comparable(search: Search, dice: Mapping[str, float]) -> int:
    return max(comparable(search, scores) for scores in (_blind(search), dice))


def _count(trials: pd.DataFrame, status: str) -> int:
    return int((trials["status"] == status).sum())


def _worth(runs: pd.DataFrame, dice: Mapping[str, float]) -> Exhibit:
    head = (
        "method", "cell", "finished", "stopped early", "diverged", "failed", "published",
        "chosen blindly", "gain", "best", "tunability",
    )  # fmt: skip
    rows = [_row(cell) for cell in tunability(runs, dice)]
    caption = (
        "What tuning was worth, in test Dice of single search trials (one seed, fold 0). "
        "Published: trial 0. Gain: what the study's rule chose without target labels, minus "
        "published. Best: what target validation labels would have chosen. Tunability: best minus "
        "published, which grows with the number of trials."
    )
    return Exhibit(caption, html=table(head, rows))


def _row(cell: Tunability) -> Sequence[str]:
    statuses = (cell.statuses.get(s, 0) for s in ("complete", "pruned", "diverged", "failed"))
    return (
        cell.method,
        cell.cell,
        *map(str, statuses),
        _dice(cell.published),
        _dice(cell.blind),
        _difference(cell.blind, cell.published),
        _dice(cell.best),
        _difference(cell.best, cell.published),
    )


def _dice(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _difference(value: float | None, base: float | None) -> str:
    return "–" if value is None or base is None else signed(value - base)
