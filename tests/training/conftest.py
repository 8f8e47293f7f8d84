from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import HYPER, load_tiny

from uda_study import plugins
from uda_study.method import Method
from uda_study.study.cells import resolve_hyper
from uda_study.testing.fakes import write_two_domains
from uda_study.training.checkpoint import CheckpointStore
from uda_study.training.reporter import MemoryReporter, Reporter
from uda_study.training.stage_cache import StageCache
from uda_study.training.task_data import TaskData
from uda_study.training.trainer import Settings, Trainer, Workplace
from uda_study.types import JSON


@pytest.fixture(scope="session")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images of two domains; not to be changed."""
    root = tmp_path_factory.mktemp("domains")
    write_two_domains(root)
    return root


@pytest.fixture(scope="session")
def data(domains: Path, tmp_path_factory: pytest.TempPathFactory) -> TaskData:
    return load_tiny(domains, tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def make_method(data: TaskData) -> Callable[..., Method[Any]]:
    def make(name: str = "dam", **hyper: JSON) -> Method[Any]:
        plugin = plugins.load("methods", name, Method)
        torch.manual_seed(0)
        params = {**HYPER[name], **{key.replace("__", "."): v for key, v in hyper.items()}}
        return plugin(resolve_hyper(plugin, params), data.task)

    return make


@pytest.fixture
def make_trainer(data: TaskData, tmp_path: Path) -> Callable[..., Trainer]:
    """A trainer in a place of its own, whose score is a checksum of the weights."""

    def make(
        method: Method[Any],
        reporter: Reporter | None = None,
        *,
        place: str = "one",
        cache: str = "cache",
        data: TaskData = data,
        score: Callable[[int], Mapping[str, float]] | None = None,
    ) -> Trainer:
        def checksum(step: int) -> dict[str, float]:
            total = sum(p.detach().double().abs().sum() for p in method.parameters())
            return {"blind/checksum": float(total)}

        return Trainer(
            method,
            data,
            Settings(seed=0, report_every=2),
            Workplace(
                StageCache(tmp_path / cache),
                CheckpointStore(tmp_path / place / "checkpoints"),
                reporter or MemoryReporter(),
            ),
            score or checksum,
        )

    return make
