"""Whose models are kept: of the search trials of every cell, those of the best few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    mine = [_record(specs[key], results[key]) for key in _searched(specs, results, cell)]
    return ranking_by(mine, metric) if metric.startswith("oracle/") else ranking(mine)


def beyond(
    specs: Mapping[str, TrialSpec],
    results: Mapping[str, TrialResult],
    cell: str,
    metric: str,
    keep: int,
) -> list[str]:
    """Return the keys of the cell's search trials that have ended and are not among the best."""
    kept = set(ranked(specs, results, cell, metric)[:keep])
    return [key for key in _searched(specs, results, cell) if key not in kept]


def _searched(
    specs: Mapping[str, TrialSpec], results: Mapping[str, TrialResult], cell: str
) -> Iterator[str]:
    """Name the search trials of a cell that have ended."""
    for key in results:
        spec = specs.get(key)
        if spec is not None and spec.kind == "search" and spec.cell == cell:
            yield key


def _record(spec: TrialSpec, result: TrialResult) -> dict[str, Any]:
    """Return what the selection rules read; asked for at every end of a training, for all."""
    scores = result.scores
    return {"key": result.key, "number": spec.number, "status": result.status, **scores}
