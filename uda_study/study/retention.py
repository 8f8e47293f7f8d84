"""Whose models are kept: of the search trials of every cell, those of the best few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from uda_study.study.selection import ranking, ranking_by
from uda_study.study.trial import TrialResult, TrialSpec

OPEN_SHARE = 2
"""How many times as many stay while a cell is searched.

Ranks are averaged over validators, so a later trial may change the order of two earlier ones: with
no more than the best few kept, 1 to 7 of 100 of those that are best in the end had been dropped
(simulated, four validators, 8 to 100 trials, three kept); with twice as many, none had.
"""


def ranked(
    specs: Mapping[str, TrialSpec], results: Mapping[str, TrialResult], cell: str, metric: str
) -> list[str]:
    """Return the keys of the cell's complete search trials, best first by the study's own rule."""
    records = [_record(specs[key], result) for key, result in results.items() if key in specs]
    mine = [record for record in records if (record["kind"], record["cell"]) == ("search", cell)]
    return ranking_by(mine, metric) if metric.startswith("oracle/") else ranking(mine)


def beyond(
    specs: Mapping[str, TrialSpec],
    results: Mapping[str, TrialResult],
    cell: str,
    metric: str,
    keep: int,
) -> list[str]:
    """Return the keys of the cell's search trials that have ended and are not among the best."""
    kept = ranked(specs, results, cell, metric)[:keep]
    return [
        key
        for key in results
        if key in specs
        and (specs[key].kind, specs[key].cell) == ("search", cell)
        and key not in kept
    ]


def _record(spec: TrialSpec, result: TrialResult) -> dict[str, Any]:
    return {**asdict(spec), "key": result.key, "status": result.status, **result.scores}
