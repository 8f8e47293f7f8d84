"""Methods and datasets without networks or images, for tests of the study file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, ValidationInfo, field_validator, model_validator
from torch import Tensor

from uda_study import plugins
from uda_study.dataset import Dataset, DatasetInfo, DatasetOptions, Preprocessing
from uda_study.errors import InputError
from uda_study.method import Hyper, Method, Needs, Stage
from uda_study.types import Case


class FakeSegmenterHyper(Hyper):
    width: int = Field(16, gt=0)
    steps: int = Field(100, gt=0)


class FakeOptimHyper(Hyper):
    lr: float = Field(1e-3, gt=0)
    alpha: float = 0.99
    warm_up: int = Field(0, ge=0)


class FakeAlignHyper(Hyper):
    type: Literal["wasserstein", "least_squares"] = "wasserstein"
    clip: float = Field(0.03, gt=0)


class FakeDamHyper(Hyper):
    segmenter: FakeSegmenterHyper = FakeSegmenterHyper()
    depth: int = 5
    adversarial_weight: float = Field(2e-3, gt=0)
    optim: FakeOptimHyper = FakeOptimHyper(lr=3e-4, alpha=0.9)
    align: FakeAlignHyper = FakeAlignHyper()
    batch_size: int = Field(6, gt=0)
    steps: int = Field(1000, gt=0)

    @field_validator("depth")
    @classmethod
    def _depth_ends_a_block(cls, depth: int, info: ValidationInfo) -> int:
        last = 3 if "segmenter" in info.data and info.data["segmenter"].width == 1 else 7
        if not 1 <= depth <= last:
            raise ValueError(f"must be 1..{last}")
        return depth

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "FakeDamHyper":
        if self.optim.warm_up > self.steps:
            raise ValueError("optim.warm_up must not be longer than steps")
        return self


class _Fake(Method[Hyper]):
    Hyper = Hyper
    needs = Needs(target="images")
    paper = "none"

    def stages(self) -> Sequence[Stage]:
        raise NotImplementedError

    def segment(self, image: Tensor) -> Tensor:
        return image


class FakeDam(_Fake):
    Hyper = FakeDamHyper

    def segment_source(self, image: Tensor) -> Tensor:
        return image

    def critic_distance(self, batch: object) -> Tensor:
        raise NotImplementedError


class FakeCycleHyper(Hyper):
    cycle_weight: float = Field(10, gt=0)
    steps: int = Field(500, gt=0)


class FakeCycle(_Fake):
    Hyper = FakeCycleHyper
    needs = Needs(target="images", spatial_dims=(2,))


class FakeNoAdaptationHyper(Hyper):
    segmenter: FakeSegmenterHyper = FakeSegmenterHyper()


class FakeNoAdaptation(_Fake):
    Hyper = FakeNoAdaptationHyper
    needs = Needs(target="none")


class FakeTargetSupervised(_Fake):
    Hyper = FakeNoAdaptationHyper
    needs = Needs(target="labels")


class FakePhantomOptions(DatasetOptions):
    subjects: int = Field(8, gt=0)


class FakePhantom(Dataset[FakePhantomOptions]):
    Options = FakePhantomOptions
    info = DatasetInfo(summary="fake", licence="none", citation="none", request="nowhere", tree="")

    def cases(self) -> Sequence[Case]:
        return ()

    def preprocessing(self) -> Preprocessing:
        return Preprocessing(labels={"organ": (1,)})


class FakeRising:
    """A metric whose higher values are better."""

    higher_is_better = True
    default = True


class FakeFalling:
    """A metric whose lower values are better."""

    higher_is_better = False
    default = True


_PLUGINS: dict[str, dict[str, type]] = {
    "methods": {
        "cycle": FakeCycle,
        "dam": FakeDam,
        "no_adaptation": FakeNoAdaptation,
        "target_supervised": FakeTargetSupervised,
    },
    "datasets": {"phantom": FakePhantom},
    "validators": {"entropy": object},
    "metrics": {"dice": FakeRising, "js": FakeFalling},
}


def install_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the study find the fakes of this module and nothing else."""

    def load(kind: str, name: str, contract: type) -> type:
        if name not in _PLUGINS[kind]:
            word = kind.removesuffix("s")
            remedy = f"choose from {', '.join(_PLUGINS[kind])}"
            raise InputError.of(word, f"unknown {word}", repr(name), remedy)
        return _PLUGINS[kind][name]

    monkeypatch.setattr(plugins, "load", load)
    monkeypatch.setattr(plugins, "names", lambda kind: tuple(_PLUGINS[kind]))


STUDY = """\
name: dam_depth
method: dam
matrix:
  dam.depth: [3, 5, 7]
  direction: [mr->ct, ct->mr]
data: {dataset: phantom}
search: {num_samples: 4, seed: 0}
parameters:
  optim.lr: {type: float, low: 1e-5, high: 1e-3, log: true}
  align.type: {type: categorical, choices: [wasserstein, least_squares]}
  align.clip: {type: float, low: 0.01, high: 0.1, when: {align.type: wasserstein}}
  segmenter.width: 8
  batch_size: 4
"""


def write_study(folder: Path, text: str = STUDY) -> Path:
    """Write a study file and return its path."""
    path = folder / "study.yaml"
    path.write_text(text)
    return path
