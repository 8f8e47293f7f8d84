from collections.abc import Iterator
from pathlib import Path

import pytest
from one_process import Machine
from s3_bucket import Bucket, Server, serving

from uda_study import remote
from uda_study.engine import artifacts
from uda_study.engine.job import Home
from uda_study.engine.run import Outcome
from uda_study.study.source import SourcedStudy
from uda_study.study.validate import load_study
from uda_study.testing.fakes import write_tiny_study


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def bucket(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, and an environment as on a machine that may use it."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(remote, "PAUSES_S", (0.0, 0.0))
    return s3_server.bucket()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SourcedStudy:
    """One cell with two settings, one confirmation and one baseline."""
    file = write_tiny_study(tmp_path_factory.mktemp("study"))
    few = ["matrix.dam.depth=[g2]", "search.num_samples=2", "confirm.seeds=[1]"]
    return load_study(file, [*few, "baselines=[no_adaptation]"])


@pytest.fixture(scope="session")
def no_pictures() -> Iterator[None]:
    """Drawing takes longer than training, and nothing here looks at it."""

    class Figure:
        def save(self, path: Path) -> None:
            path.write_bytes(b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "curves_figure", lambda _: Figure())
        patch.setattr(artifacts, "overlay_figure", lambda *_: Figure())
        patch.setattr(artifacts, "translations_figure", lambda *_: Figure())
        yield


@pytest.fixture(scope="session")
def undisturbed(
    tiny: SourcedStudy, no_pictures: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, Outcome]:
    """The study in a home of its own, run in one go."""
    home = Home(tmp_path_factory.mktemp("undisturbed"))
    return home, Machine().go(tiny, home)
