"""The smallest version of a study, which shows that everything runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from uda_study.study.cells import study_methods
from uda_study.study.hyper import hyper_names, load_method
from uda_study.study.model import StudySpec
from uda_study.types import JSON

V = TypeVar("V")

SHORT: dict[str, JSON] = {"steps": 4, "segmenter.steps": 4, "critic.warm_up": 2}
"""The hyperparameters that say how long a method trains, and how long it does in a smoke test."""

_MAX_NAME = 64


def smoke(spec: StudySpec) -> StudySpec:
    """Return the study with its first two cells, two trials, one seed and a few steps per stage.

    Its name says that it is no result.
    """
    several = [name for name, values in spec.matrix.items() if len(values) > 1]
    # The last factor varies fastest: its first two values are the first two cells.
    kept = {name: 2 if name == several[-1] else 1 for name in several}
    matrix = {name: values[: kept.get(name, 1)] for name, values in spec.matrix.items()}
    trained = (*study_methods(spec), *spec.baselines)
    lengths = {name for method in trained for name in (*SHORT, *(f"{method}.{n}" for n in SHORT))}
    own = {name for method in trained for name in hyper_names(load_method(method))}
    short = {name: steps for name, steps in SHORT.items() if name in own}
    return spec.model_copy(
        update={
            "name": f"{spec.name[: _MAX_NAME - len('-smoke')]}-smoke",
            "matrix": _without(matrix, lengths),
            "data": spec.data.model_copy(update={"folds": 1}),
            "search": spec.search.model_copy(
                update={"num_samples": min(2, spec.search.num_samples), "extended_from": ()}
            ),
            "scheduler": spec.scheduler.model_copy(update={"max_t": 4, "grace_period": 2}),
            "confirm": spec.confirm.model_copy(
                update={"top_k": 1, "seeds": spec.confirm.seeds[:1]}
            ),
            "evaluation": spec.evaluation.model_copy(update={"every": 2, "images": 4}),
            "parameters": _without(spec.parameters, lengths),
            "fixed": {**_without(spec.fixed, lengths), **short},
            "enqueue": (),
        }
    )


def _without(values: Mapping[str, V], names: Collection[str]) -> dict[str, V]:
    return {name: value for name, value in values.items() if name not in names}
