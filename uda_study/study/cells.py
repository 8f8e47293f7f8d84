"""From a study to its cells, and from a cell to the trainings it asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import product

from uda_study.errors import InputError
from uda_study.study.hyper import (
    RESERVED,
    flatten_hyper,
    for_method,
    load_method,
    resolve_hyper,
    spelled,
)
from uda_study.study.model import StudySpec
from uda_study.study.space import cell_space, space_of
from uda_study.study.trial import Cell, TrialSpec
from uda_study.types import JSON, Direction

__all__ = [
    "baseline_cells",
    "baseline_trials",
    "cells",
    "confirm_trials",
    "factor_text",
    "flatten_hyper",
    "num_trials",
    "of_the_result",
    "resolve_hyper",
    "search_trial",
    "space_of",
    "study_directions",
    "study_id",
    "study_methods",
]

_NOT_OF_THE_RESULT = ("resources", "budget", "checkpoint")


def study_methods(spec: StudySpec) -> tuple[str, ...]:
    """Return the methods that the study compares, without the baselines."""
    named = spec.matrix.get("method", (spec.method,))
    return tuple(dict.fromkeys(str(name) for name in named if name is not None))


def study_directions(spec: StudySpec) -> tuple[Direction, ...]:
    """Return the directions of the study in the file's order; `InputError` if there is none."""
    given = spec.matrix.get("direction") or [spec.fixed.get("direction")]
    if given[0] is None:
        raise InputError.of(
            "direction", "is required", None, "add direction: [SOURCE->TARGET] to the matrix"
        )
    return tuple(dict.fromkeys(Direction.parse(str(text)) for text in given))


def cells(spec: StudySpec) -> tuple[Cell, ...]:
    """Return the cross product of the matrix in the file's order, the last factor varying fastest.

    Combinations that differ only in a factor of another method are one cell.
    """
    directions = study_directions(spec)
    found: dict[str, Cell] = {}
    for values in product(*spec.matrix.values()):
        factors = dict(zip(spec.matrix, values, strict=True))
        method = str(factors.get("method", spec.method))
        own = {written: name for name, written in spelled(method, factors).items()}
        kept: dict[str, JSON] = {
            own.get(name, name): value
            for name, value in factors.items()
            if name in RESERVED or name in own
        }
        direction = (
            Direction.parse(str(kept["direction"])) if "direction" in kept else directions[0]
        )
        constants = for_method(method, spec.fixed) | for_method(method, factors)
        key = _key({**kept, "direction": str(direction)})
        found.setdefault(key, Cell(key, method, direction, kept, constants))
    return tuple(found.values())


def baseline_cells(spec: StudySpec) -> tuple[Cell, ...]:
    """Return one cell per direction and baseline, with those of the constants that it has."""
    return tuple(
        Cell(
            key=f"{method} {_key({'direction': str(direction)})}",
            method=method,
            direction=direction,
            factors={"direction": str(direction)},
            constants=for_method(method, spec.fixed),
        )
        for direction in study_directions(spec)
        for method in spec.baselines
    )


def study_id(resolved: Mapping[str, JSON]) -> str:
    """Return the study's name and a short hash of everything that its results depend on.

    Takes `StudySpec.to_json`. Where the data lie, what a trial may take and what stays on disk do
    not count, nor do extensions of the search: a study keeps the id that it began with.
    """
    text = json.dumps(of_the_result(resolved), sort_keys=True)
    return f"{resolved['name']}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def of_the_result(resolved: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the settings that results depend on; the others may change while a study is run."""
    values = {key: value for key, value in resolved.items() if key not in _NOT_OF_THE_RESULT}
    resources = resolved["resources"]
    if isinstance(resources, Mapping):
        values["precision"] = resources["precision"]
    search = resolved["search"]
    if isinstance(search, Mapping):
        before = search.get("extended_from")
        if isinstance(before, list) and before:
            values["search"] = {**search, "num_samples": before[0]}
    free_ones = (("data", "root"), ("evaluation", "metrics"), ("search", "extended_from"))
    for section, free in free_ones:
        given = values[section]
        if isinstance(given, Mapping):
            values[section] = {key: value for key, value in given.items() if key != free}
    return values


def num_trials(spec: StudySpec, cell: Cell) -> int:
    """Return how many trials the cell's search has: none where nothing is searched."""
    return spec.search.num_samples if cell_space(spec, cell).parameters else 0


def search_trial(
    spec: StudySpec, study: str, cell: Cell, number: int, params: Mapping[str, JSON]
) -> TrialSpec:
    """Return a search trial; all trials of a study search on fold 0 with one seed.

    The common seed is what lets them share the source segmenter.
    """
    return TrialSpec(
        study=study,
        kind="search",
        cell=cell.key,
        number=number,
        method=cell.method,
        direction=str(cell.direction),
        fold=0,
        seed=spec.search.seed,
        params={**cell.constants, **params},
    )


def confirm_trials(
    spec: StudySpec, study: str, cell: Cell, chosen: Sequence[TrialSpec]
) -> tuple[TrialSpec, ...]:
    """Return the retrainings of chosen search trials of a cell: every fold and seed of each."""
    return tuple(
        TrialSpec(
            study=study,
            kind="confirm",
            cell=cell.key,
            number=trial.number,
            method=cell.method,
            direction=str(cell.direction),
            fold=fold,
            seed=seed,
            params=trial.params,
        )
        for trial in chosen
        for fold in range(spec.data.folds)
        for seed in spec.confirm.seeds
    )


def baseline_trials(spec: StudySpec, cell: Cell, study: str) -> tuple[TrialSpec, ...]:
    """Return the trainings of a baseline: every fold and seed, as of what is confirmed."""
    return tuple(
        TrialSpec(
            study=study,
            kind="baseline",
            cell=cell.key,
            number=0,
            method=cell.method,
            direction=str(cell.direction),
            fold=fold,
            seed=seed,
            params=dict(cell.constants),
        )
        for fold in range(spec.data.folds)
        for seed in spec.confirm.seeds
    )


def factor_text(value: JSON) -> str:
    """Return the value of a factor as cells show it."""
    return value if isinstance(value, str) else json.dumps(value)


def _key(factors: Mapping[str, JSON]) -> str:
    return " ".join(f"{name}={factor_text(value)}" for name, value in factors.items())


def params_of(spec: TrialSpec) -> dict[str, JSON]:
    """Return all hyperparameters of a training under dotted names, defaults included."""
    return flatten_hyper(resolve_hyper(load_method(spec.method), spec.params))
