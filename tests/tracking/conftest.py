import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from toy_study import CELL, TAGS

from uda_study import plugins
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.store import open_store


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    open_store(home)
    return home


@pytest.fixture(autouse=True)
def no_outside_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def home(empty_home: Path, tmp_path: Path) -> Path:
    """A home whose database is copied, since making one takes a second."""
    place = tmp_path / "home"
    place.mkdir()
    shutil.copy(empty_home / "mlflow.db", place / "mlflow.db")
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "study"
    place.mkdir()
    (place / "study.yaml").write_text("name: toy\nroot: /secret/place/data\n")
    (place / "environment.txt").write_text("torch==2.13\n")
    (place / "data.json").write_text("{}\n")
    return place


@pytest.fixture
def make_log(home: Path, folder: Path) -> Iterator[Callable[..., MlflowRunLog]]:
    """Open the study's log, as a new process of the same study would."""
    opened: list[MlflowRunLog] = []

    def make(**options: object) -> MlflowRunLog:
        log = MlflowRunLog(home, supervision=lambda _: "images", **options)  # type: ignore[arg-type]
        log.open("toy-1", folder, [CELL], TAGS)
        opened.append(log)
        return log

    yield make
    for log in opened:
        log.close("interrupted")


@pytest.fixture
def toy_plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Offer the toy method as another distribution would."""
    point = EntryPoint("toy", "toy_method:ToyMethod", "uda_study.methods")
    outside = plugins._outside

    def with_toy(kind: str) -> dict[str, EntryPoint]:
        return {**outside(kind), **({"toy": point} if kind == "methods" else {})}

    monkeypatch.setattr(plugins, "_outside", with_toy)
    # What was found before the toy was there is remembered, and so is the toy.
    _forget_plugins()
    yield
    _forget_plugins()


def _forget_plugins() -> None:
    plugins.names.cache_clear()
    plugins.load.cache_clear()
