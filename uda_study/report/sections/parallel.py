"""Every search trial as a line through the hyperparameters that were searched."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from uda_study.report.parallel_plot import Track, TrialLine, parallel_figure
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import counted
from uda_study.study.cells import factor_text
from uda_study.study.importance import Search, searches
from uda_study.study.leaderboard import mean_dice
from uda_study.study.model import CategoricalParameter, Parameter
from uda_study.study.rules import choose
from uda_study.study.space import same
from uda_study.types import JSON

BLIND, TEST = "blind/score", "test Dice"


def section(material: Material) -> Section | None:
    """Show a figure for every search."""
    found = searches(material.runs, material.spec["parameters"])
    if not found:
        return None
    dice = mean_dice(material.cases)
    keys = [key for search in found for key in search.settings]
    # One axis for all figures, so that methods can be compared by it.
    tested = _measured(TEST, [_finite(dice.get(key, math.nan)) for key in keys])
    return Section(
        "All trials at once",
        "A line is a search trial and crosses each axis at its setting. Where the light lines run "
        "together, the blind score rewards a value. Test Dice, on the last axis, was looked at "
        "afterwards; this axis is the same in all figures.",
        tuple(_exhibit(search, dice, tested) for search in found),
    )


def _exhibit(search: Search, dice: Mapping[str, float], tested: Track) -> Exhibit:
    trials = search.trials
    factors = _factors(trials)
    inputs = [
        *(_categories(name, values) for name, values in factors.items()),
        *(_track(n, search.space.parameters[n], search) for n in search.space.order),
    ]
    scores = {str(k): _finite(v) for k, v in zip(trials["key"], _column(trials), strict=True)}
    tests = {key: _finite(dice.get(key, math.nan)) for key in scores}
    chosen = {_chosen(cell) for _, cell in trials.groupby("cell", sort=False)}
    lines = []
    for key, text, status in zip(trials["key"], trials["factors"], trials["status"], strict=True):
        own = json.loads(text or "{}")
        lines.append(
            TrialLine(
                values=[
                    *(_place(values, own.get(name)) for name, values in factors.items()),
                    *(_value(search, str(key), name) for name in search.space.order),
                    scores[key],
                    tests[key],
                ],
                score=scores[key],
                finished=status == "complete",
                chosen=key in chosen,
            )
        )
    tracks = [*inputs, _measured(BLIND, scores.values()), tested]
    finished, cells = len(search.finished), len(search.cells)
    facts = f"{finished} finished of {counted(len(trials), 'search trial')} in "
    facts += counted(cells, "cell")
    caption = (
        f"{search.method}, {facts}. Colour: {BLIND} at the end of the training"
        + (", to be compared within a cell" if cells > 1 else "")
        + ". Bold: the trial that the study's rule chose"
        + (" in each cell" if cells > 1 else "")
        + ". Grey and dashed: stopped early, at the score it had then, diverged or failed. Lines "
        "of one choice lie side by side."
    )
    if any(p.when for p in search.space.parameters.values()):
        caption += " Below an axis: trials in which the parameter does not count."
    if any(p.log for p in search.space.parameters.values() if p.type != "categorical"):
        caption += " Axes are logarithmic where the study file says so."
    title = f"All trials: {search.method}"
    return Exhibit(caption, parallel_figure(tracks, lines, title, facts, BLIND))


def _factors(trials: pd.DataFrame) -> dict[str, list[JSON]]:
    """Return the values of the factors that differ between the cells, in their order."""
    values: dict[str, list[JSON]] = {}
    for text in dict.fromkeys(trials["factors"]):
        for name, value in json.loads(text or "{}").items():
            known = values.setdefault(name, [])
            if not any(same(value, one) for one in known):
                known.append(value)
    return {name: known for name, known in values.items() if len(known) > 1 and name != "method"}


def _categories(name: str, values: Sequence[JSON]) -> Track:
    return Track(name, choices=tuple(factor_text(v).replace("->", " → ") for v in values))


def _track(name: str, parameter: Parameter, search: Search) -> Track:
    """Return the axis of a parameter, wide enough for published values outside of the range."""
    if isinstance(parameter, CategoricalParameter):
        return _categories(name, _choices(parameter, search, name))
    given = [_value(search, key, name) for key in search.settings]
    known = [v for v in given if v is not None and (v > 0 or not parameter.log)]
    low, high = min([parameter.low, *known]), max([parameter.high, *known])
    return Track(name, low, high, parameter.log)


def _choices(parameter: CategoricalParameter, search: Search, name: str) -> list[JSON]:
    """Return the choices, and published values that are none of them."""
    found: list[JSON] = list(parameter.choices)
    for setting in search.settings.values():
        if name in setting and not any(same(setting[name], one) for one in found):
            found.append(setting[name])
    return found


def _value(search: Search, key: str, name: str) -> float | None:
    setting, parameter = search.settings[key], search.space.parameters[name]
    if name not in setting:
        return None
    value = setting[name]
    if isinstance(parameter, CategoricalParameter):
        return _place(_choices(parameter, search, name), value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if parameter.log and value <= 0 else float(value)


def _place(values: Sequence[JSON], value: JSON) -> float | None:
    return next((float(n) for n, one in enumerate(values) if same(one, value)), None)


def _measured(name: str, values: Iterable[float | None]) -> Track:
    known = [v for v in values if v is not None]
    return Track(name, min(known, default=0.0), max(known, default=1.0))


def _column(trials: pd.DataFrame) -> Sequence[float]:
    return list(trials[BLIND]) if BLIND in trials.columns else [math.nan] * len(trials)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _chosen(cell: pd.DataFrame) -> str | None:
    trials = [{str(k): v for k, v in row.items()} for row in cell.to_dict("records")]
    return choose(str(cell["selection"].iloc[0]), trials)
