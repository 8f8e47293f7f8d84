"""The study file as typed, frozen values; `uda_study.study.source` reads them from YAML."""

from __future__ import annotations

import difflib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PlainSerializer,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

from uda_study import plugins
from uda_study.data.augmentation import Augmentation
from uda_study.data.postprocess import PostprocessSpec
from uda_study.dataset import DomainPreset, Intensity, SliceAxis
from uda_study.errors import InputError, Problem
from uda_study.remote import address_of
from uda_study.types import JSON, Protocol

Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _as_written(root: Path) -> str:
    return address_of(root) or str(root)


Root = Annotated[Path, PlainSerializer(_as_written, return_type=str)]
"""Where images lie: a folder, or an address such as ``s3://bucket/path``."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitSpec(_Model):
    """How subjects are dealt to roles.

    ``strict``: test images are never trained on. ``transductive``: the adaptation images are also
    the ones tested on, for packs with too few subjects; every table says so. ``paper``: as the
    paper that used the dataset did. Naming subjects pins them to a side when both domains show the
    same people.
    """

    protocol: Protocol = "strict"
    source_subjects: tuple[str, ...] | None = None
    target_subjects: tuple[str, ...] | None = None
    val: float = Field(0.2, ge=0, lt=1, description="share of subjects kept for validation")
    test: float = Field(0.3, ge=0, lt=1, description="share of subjects kept for the test")
    seed: Seed = 0


class DataSpec(_Model):
    """Which images, on which grid, as patches of which size."""

    dataset: str
    root: Root | None = None
    options: dict[str, JsonValue] = {}
    spatial_dims: Literal[2, 3] = 2
    patch_size: tuple[PositiveInt, ...] | None = None
    adjacent_slices: Literal[1, 3] = 1
    sampling: Literal["uniform", "balanced"] = "uniform"
    augmentation: Augmentation = Augmentation()
    labels: dict[str, tuple[int, ...]] | None = None
    spacing: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    size: tuple[PositiveInt, PositiveInt, PositiveInt] | None = None
    slices: SliceAxis | None = None
    window: tuple[float, float] | None = None
    cut: tuple[float, float] | None = None
    intensity: Intensity | None = None
    ignore: tuple[int, ...] | None = None
    domains: dict[str, DomainPreset] | None = None
    nonfinite: Literal["error", "zero"] | None = None
    folds: PositiveInt = 1
    split: SplitSpec = SplitSpec()


class SearchSpec(_Model):
    """How settings are proposed inside a cell; names as in Ray Tune.

    ``extended_from`` lists what ``num_samples`` was before each extension of a study that had
    begun; the first is what its id stands for.
    """

    alg: Literal["tpe", "random"] = "tpe"
    num_samples: int = Field(8, ge=1)
    extended_from: tuple[PositiveInt, ...] = ()
    seed: Seed = 0
    max_concurrent_trials: PositiveInt | Literal["auto"] = "auto"

    @property
    def first_samples(self) -> int:
        """How many trials per cell the study was begun with."""
        return (*self.extended_from, self.num_samples)[0]

    @field_validator("extended_from")
    @classmethod
    def _rising(cls, before: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        steps = (*before, *(info.data[n] for n in ("num_samples",) if n in info.data))
        if before and any(one >= other for one, other in pairwise(steps)):
            raise InputError.of(
                "search.extended_from",
                "must rise up to search.num_samples",
                ", ".join(map(str, steps)),
                "leave it out: uda-study resume --num-samples writes it",
            )
        return before


class SchedulerSpec(_Model):
    """When a trial is stopped early; names as in Ray Tune."""

    type: Literal["asha", "none"] = "asha"
    time_attr: Literal["step"] = "step"
    max_t: PositiveInt | None = None
    grace_period: PositiveInt | None = None
    reduction_factor: float = Field(3, gt=1)


class ConfirmSpec(_Model):
    """How often the chosen setting of a cell is trained anew before it is ranked.

    Seeds other than the search's make the confirmation a fresh one: the search chose what did well
    with its own.
    """

    top_k: PositiveInt = 1
    seeds: tuple[Seed, ...] = Field((1, 2, 3), min_length=1)


class ResourcesSpec(_Model):
    """What one trial takes. ``num_workers: 0`` trains in the trial's own process."""

    num_workers: int = Field(0, ge=0)
    cpu: PositiveFloat = 1
    gpu: NonNegativeFloat | Literal["auto"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"


class BudgetSpec(_Model):
    """What the whole study may take: wall time such as ``8h`` or ``90m``, and GPU hours."""

    time: str | None = None
    gpu_hours: PositiveFloat | None = None


class CheckpointSpec(_Model):
    """What stays on disk: checkpoints of a running training, models of the best trials of a cell.

    Confirmations and baselines keep their models. ``disk_check: false`` starts a study that, by its
    forecast, does not fit the disk.
    """

    num_to_keep: int = Field(2, ge=2)
    study_top_k: NonNegativeInt | None = 3
    disk_check: bool = True


class EvaluationSpec(_Model):
    """How often and on how many target images blind scores are computed, and what else is measured.

    ``metrics`` are measured besides the default set.
    """

    every: PositiveInt | None = None
    images: PositiveInt = 32
    metrics: tuple[str, ...] = ()

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = plugins.names("metrics")
        problems = []
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                remedy = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
                problems.append(Problem("evaluation.metrics", "unknown metric", repr(name), remedy))
        if problems:
            raise InputError(problems)
        return names


class FloatParameter(_Model):
    """A real number in ``[low, high]``."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = False
    step: PositiveFloat | None = None
    when: dict[str, JsonValue] = {}


class IntParameter(_Model):
    """A whole number in ``[low, high]``."""

    type: Literal["int"]
    low: int
    high: int
    log: bool = False
    step: PositiveInt = 1
    when: dict[str, JsonValue] = {}


class CategoricalParameter(_Model):
    """One of the choices."""

    type: Literal["categorical"]
    choices: tuple[JsonValue, ...] = Field(min_length=1)
    when: dict[str, JsonValue] = {}


Parameter = Annotated[
    FloatParameter | IntParameter | CategoricalParameter, Field(discriminator="type")
]


class StudySpec(_Model):
    """A whole study; ``parameters`` holds what is searched, ``fixed`` the constants beside it."""

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    method: str | None = None
    metric: str = "blind/score"
    mode: Literal["max", "min"] = "max"
    allow_oracle_selection: bool = False
    matrix: dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1)]] = {}
    data: DataSpec
    search: SearchSpec = SearchSpec()
    scheduler: SchedulerSpec = SchedulerSpec()
    confirm: ConfirmSpec = ConfirmSpec()
    baselines: tuple[str, ...] = ("no_adaptation", "target_supervised")
    resources: ResourcesSpec = ResourcesSpec()
    budget: BudgetSpec = BudgetSpec()
    checkpoint: CheckpointSpec = CheckpointSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    postprocess: PostprocessSpec = PostprocessSpec()
    parameters: dict[str, Parameter] = {}
    fixed: dict[str, JsonValue] = {}
    enqueue: tuple[dict[str, JsonValue], ...] = ()

    def to_json(self) -> dict[str, JSON]:
        """Return plain values in the form of a study file, all defaults written out."""
        values: dict[str, JSON] = self.model_dump(mode="json", exclude={"parameters", "fixed"})
        searched = self.model_dump(mode="json", include={"parameters"})["parameters"]
        values["parameters"] = {**searched, **self.fixed}
        return values
