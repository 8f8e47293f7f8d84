"""Which hyperparameters mattered in a search, rebuilt from the runs' table.

Two questions have two answers. fANOVA (Hutter et al., ICML 2014) gives the share of the variance
that a parameter explains alone: what sets failures apart. PED-ANOVA (Watanabe et al., IJCAI 2023)
compares the best trials with all: what reaches the top. Both are Optuna's.

Cells of a method that search the same parameters are taken together, but a score is compared
within its cell only. What sets cells apart, the factors of a study, is therefore not judged here.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import TypeAdapter

from uda_study.study.hyper import split_prefix
from uda_study.study.model import CategoricalParameter, FloatParameter, Parameter
from uda_study.study.space import Space, allows, same
from uda_study.types import JSON

optuna.logging.set_verbosity(optuna.logging.WARNING)

ENOUGH = 10
"""With fewer finished trials importance is noise and is not computed."""
SHUFFLES = 19  # whose largest value is exceeded by chance once in twenty times
TREES, SEED = 24, 0
SMALLEST_TOP, TOP_TRIALS, LARGEST_TOP = 0.1, 5, 0.5

_PARAMETER: TypeAdapter[Parameter] = TypeAdapter(Parameter)


@dataclass(frozen=True)
class Search:
    """The search trials of those cells of a method that search the same parameters.

    ``trials`` are rows of the runs' table, ``settings`` the values of the parameters that count in
    each, by key.
    """

    method: str
    space: Space
    trials: pd.DataFrame
    settings: Mapping[str, Mapping[str, JSON]]

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells, in the order of the table."""
        return tuple(dict.fromkeys(self.trials["cell"]))

    @property
    def finished(self) -> pd.DataFrame:
        """The trials that ran to their end."""
        return self.trials[self.trials["status"] == "complete"]


@dataclass(frozen=True)
class Share:
    """How much of a parameter's importance there is, and whether chance alone could do it.

    ``stands_out``: it exceeds all of `SHUFFLES` computations with the scores exchanged at random
    between the trials of a cell. Of parameters without any effect one in twenty does.
    """

    value: float
    stands_out: bool


@dataclass(frozen=True)
class Importance:
    """How much a parameter mattered; None where too few trials tell.

    ``variance`` is fANOVA's share of the variance of the scores that the parameter explains alone;
    what is missing to 1 is interactions. A parameter without others beside it has none. ``reach``
    is PED-ANOVA's divergence between the values of the best trials and those of all, as a share of
    its sum over the parameters. ``trials``: in how many the parameter counts.
    """

    parameter: str
    trials: int
    variance: Share | None
    reach: Share | None


def searches(runs: pd.DataFrame, parameters: Mapping[str, JSON]) -> list[Search]:
    """Return the searches of a study by method; none where nothing is searched.

    ``parameters`` is that part of the resolved study file, constants included.
    """
    ranges = {
        name: _PARAMETER.validate_python(value)
        for name, value in parameters.items()
        if isinstance(value, Mapping) and "type" in value
    }
    trials = runs[runs["kind"] == "search"].sort_values(["cell", "number"])
    found: dict[tuple[str, tuple[str, ...]], list[tuple[Space, pd.DataFrame]]] = {}
    for (_, method), cell in trials.groupby(["cell", "method"], sort=False):
        space = _space(ranges, str(method), cell)
        if space.parameters:
            key = str(method), tuple(space.parameters)
            found.setdefault(key, []).append((space, cell))
    result = []
    for (method, _), parts in found.items():
        space, together = parts[0][0], pd.concat([cell for _, cell in parts])
        settings = {
            str(key): _setting(space, json.loads(text or "{}"))
            for key, text in zip(together["key"], together["params"], strict=True)
        }
        result.append(Search(method, space, together, settings))
    return sorted(result, key=lambda search: search.method)


def importances(search: Search, scores: Mapping[str, float]) -> list[Importance]:
    """Return how much each parameter mattered for the scores (by key, higher is better).

    Finished trials count, and diverged ones as the worst finished trial of their cell. Left out:
    what was stopped early or failed, settings outside of the ranges, and what is alone in its
    cell. Empty with fewer than `ENOUGH` finished trials left and where no score differs.
    """
    known = _known(search, scores)
    if (known["status"] == "complete").sum() < ENOUGH or not known["centred"].any():
        return []
    ranges = search.space.parameters
    names = [name for name in search.space.order if not _distribution(ranges[name]).single()]
    rng = np.random.default_rng(SEED)
    orders = [np.arange(len(known)), *(_shuffled(known["cell"], rng) for _ in range(SHUFFLES))]
    variance = _variances(search, known, names, orders)
    reach = [_reach(search, known, names, known["rank"].to_numpy()[order]) for order in orders]
    whole = sum(reach[0].values())
    return [
        Importance(
            parameter=name,
            trials=sum(name in search.settings[key] for key in known["key"]),
            variance=_share(variance.get(name, []), 1.0),
            reach=_share([one[name] for one in reach if name in one], whole),
        )
        for name in names
    ]


def comparable(search: Search, scores: Mapping[str, float]) -> int:
    """Return how many finished trials `importances` has left."""
    return int((_known(search, scores)["status"] == "complete").sum())


def top_share(n: int) -> float:
    """Return which share of ``n`` trials PED-ANOVA calls the best: five of them, at most half."""
    return min(LARGEST_TOP, max(SMALLEST_TOP, TOP_TRIALS / n))


def _share(values: Sequence[float], whole: float) -> Share | None:
    """Return the first value as a share, compared with the others, which are of shuffled scores."""
    if not values or not whole:
        return None
    return Share(values[0] / whole, values[0] > max(values[1:]))


def _space(ranges: Mapping[str, Parameter], method: str, cell: pd.DataFrame) -> Space:
    """Return what the cell searched: the parameters that its trainings have and may vary."""
    params: dict[str, JSON] = {}
    for text in cell["params"]:
        params |= json.loads(text or "{}")
    params |= {"method": method, "direction": str(cell["direction"].iloc[0])}
    named = {name: split_prefix(name, (method,)) for name in ranges}
    # A name with the method's prefix wins over the same name without one.
    order = sorted(ranges, key=lambda name: named[name][0] is not None)
    written = {named[name][1]: name for name in order if named[name][1] in params}
    kept: dict[str, Parameter] = {}
    for name, spelling in written.items():
        parameter = ranges[spelling]
        when = {
            split_prefix(other, (method,))[1]: allowed for other, allowed in parameter.when.items()
        }
        decided = [other for other in when if other not in written]
        if all(other in params and allows(when[other], params[other]) for other in decided):
            open_when = {other: allowed for other, allowed in when.items() if other in written}
            kept[name] = parameter.model_copy(update={"when": open_when})
    return Space({name: kept[name] for name in sorted(kept)})


def _setting(space: Space, params: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: params[name] for name in space.active(params) if name in params}


def _known(search: Search, scores: Mapping[str, float]) -> pd.DataFrame:
    """Return ``key cell status score centred rank`` of the trials that count."""
    frame = search.trials[["key", "cell", "status"]].reset_index(drop=True)
    frame["score"] = [scores.get(key, math.nan) for key in frame["key"]]
    frame.loc[~np.isfinite(frame["score"]) | (frame["status"] != "complete"), "score"] = np.nan
    worst = frame.groupby("cell")["score"].transform("min")
    frame["score"] = frame["score"].where(frame["status"] != "diverged", worst)
    inside = [search.space.contains(search.settings[key]) for key in frame["key"]]
    kept: pd.DataFrame = frame[frame["score"].notna().to_numpy() & np.array(inside)]
    alone = kept.groupby("cell")["key"].transform("size") < 2
    frame = kept[~alone].reset_index(drop=True)
    by_cell = frame.groupby("cell")["score"]
    frame["centred"] = (frame["score"] - by_cell.transform("mean")).round(12)
    frame["rank"] = (by_cell.rank(method="average") - 0.5) / by_cell.transform("size")
    return frame


def _shuffled(cells: pd.Series, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return an order that exchanges trials within their cells."""
    order = np.arange(len(cells))
    for cell in dict.fromkeys(cells):
        places = np.flatnonzero(cells == cell)
        order[places] = rng.permutation(places)
    return order


def _variances(
    search: Search,
    known: pd.DataFrame,
    names: Sequence[str],
    orders: Sequence[NDArray[np.intp]],
) -> dict[str, list[float]]:
    """Return fANOVA's shares by parameter, one for each order of the scores.

    A conditional parameter is judged among the trials in which it counts.
    """
    always = [name for name in names if not search.space.parameters[name].when]
    found: dict[str, list[float]] = {name: [] for name in names}
    for together in [always, *([*always, n] for n in names if n not in always)]:
        mine = [name for name in together if name not in always] or always
        has = [all(n in search.settings[key] for n in together) for key in known["key"]]
        counted = np.flatnonzero(has)
        settings = [search.settings[known["key"][place]] for place in counted]
        varying = [n for n in together if len({str(one[n]) for one in settings}) > 1]
        # A parameter that varies alone would always have all of the forest's variance.
        if len(counted) < ENOUGH or len(varying) < 2:
            continue
        for order in orders:
            scores = known["centred"].to_numpy()[order][counted]
            study = _study(search, [known["key"][place] for place in counted], together, scores)
            evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=SEED)
            shares = evaluator.evaluate(study, params=list(together)) if np.ptp(scores) else {}
            for name in mine:
                found[name].append(float(shares.get(name, 0.0)))
    return {name: shares for name, shares in found.items() if shares}


def _reach(
    search: Search, known: pd.DataFrame, names: Sequence[str], ranks: NDArray[np.float64]
) -> dict[str, float]:
    """Return PED-ANOVA's divergences by parameter."""
    present = [n for n in names if any(n in search.settings[key] for key in known["key"])]
    study = _study(search, list(known["key"]), present, ranks)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=top_share(len(known)))
    with warnings.catch_warnings():
        # Few trials among which a parameter counts: their number is told with the importance.
        warnings.simplefilter("ignore")
        found = evaluator.evaluate(study, params=present)
    return {name: float(value) for name, value in found.items()}


def _study(
    search: Search, keys: Sequence[str], names: Sequence[str], values: NDArray[np.float64]
) -> optuna.Study:
    """Return the trials as an Optuna study, restricted to the named parameters."""
    study, space = optuna.create_study(direction="maximize"), search.space.parameters
    for key, value in zip(keys, values, strict=True):
        mine = {name: v for name, v in search.settings[key].items() if name in names}
        study.add_trial(
            optuna.trial.create_trial(
                params={name: _internal(space[name], v) for name, v in mine.items()},
                distributions={name: _distribution(space[name]) for name in mine},
                value=float(value),
            )
        )
    return study


def _distribution(parameter: Parameter) -> BaseDistribution:
    if isinstance(parameter, CategoricalParameter):
        # By place: Optuna takes true and 1 for one choice, and no lists.
        return CategoricalDistribution(range(len(parameter.choices)))
    low, high, log = parameter.low, parameter.high, parameter.log
    if isinstance(parameter, FloatParameter):
        return FloatDistribution(low, high, log=log, step=parameter.step)
    return IntDistribution(parameter.low, parameter.high, log=log, step=parameter.step)


def _internal(parameter: Parameter, value: JSON) -> object:
    if isinstance(parameter, CategoricalParameter):
        return next(place for place, choice in enumerate(parameter.choices) if same(value, choice))
    return value
