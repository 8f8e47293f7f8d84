"""A method with one convolution; the fixture `toy_plugin` makes it known as ``toy``."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from uda_study.dataset import Preprocessing
from uda_study.method import Hyper, Method, Needs, Stage
from uda_study.training.package import ModelConfig
from uda_study.types import Task


class ToyHyper(Hyper):
    width: int = 2


class ToyMethod(Method[ToyHyper]):
    Hyper = ToyHyper
    needs = Needs(target="images")
    paper = "none"

    def __init__(self, hyper: ToyHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.body = nn.Conv2d(task.in_channels, hyper.width, 3, padding=1)
        self.head = nn.Conv2d(hyper.width, task.num_classes, 1)

    def stages(self) -> Sequence[Stage]:
        return []

    def segment(self, image: Tensor) -> Tensor:
        return self.head(self.body(image))


TASK = Task(2, 1, ("background", "heart"), (8, 8), (1.0, 1.0))
CONFIG = ModelConfig(
    method="toy",
    hyper={"width": 2},
    task=TASK,
    adjacent_slices=1,
    preprocessing=Preprocessing(labels={"heart": (1,)}),
    direction="mr->ct",
    study="toy-1",
    trial="abc",
)


def make_method(seed: int) -> ToyMethod:
    torch.manual_seed(seed)
    return ToyMethod(ToyHyper(), TASK).eval()
