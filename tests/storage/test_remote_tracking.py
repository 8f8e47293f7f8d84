"""Runs in a database or at a server that several machines share."""

import builtins
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from one_process import Machine
from private_postgres import postgres

import uda_study
from uda_study.engine.job import Home
from uda_study.errors import InputError, UdaStudyError
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.place import artifact_location, shown
from uda_study.tracking.store import open_store

pytestmark = pytest.mark.ray

TRACKING = Path(__file__).parents[1] / "tracking"
WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from toy_study import CELL, TAGS, result, spec, write_trial
from uda_study.tracking.log import MlflowRunLog
home, study = Path(sys.argv[1]), sys.argv[2]
folder = home / "studies" / study
folder.mkdir(parents=True)
(folder / "study.yaml").write_text("name: toy")
log = MlflowRunLog(home, supervision=lambda _: "images")
log.open(study, folder, [CELL], TAGS)
for number in range(5):
    one = spec(number, study=study)
    log.trial_started(one, {"depth": 5})
    for step in range(10):
        log.trial_reported(one, step, {"blind/score": step / 10})
    log.trial_finished(one, result(one, test_dice=0.5), write_trial(folder, one))
log.close("complete")
"""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as uri:
        yield uri


def test_four_cold_machines_write_into_one_postgres(database, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.delenv("UDA_STUDY_STORAGE", raising=False)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path / f"m{n}", f"toy-{n}", TRACKING],
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=300)
        assert writer.returncode == 0, said
        assert "canary" not in said
    client = open_store(tmp_path)
    for number in range(4):
        runs = uda_study.load(f"toy-{number}", tmp_path).runs()
        assert runs["status"].tolist() == ["complete"] * 5
        assert runs["test/dice"].tolist() == [0.5] * 5
        history = client.get_metric_history(runs["run_id"][0], "blind/score")
        assert [metric.step for metric in history] == list(range(10))


@pytest.mark.usefixtures("no_pictures")
def test_a_study_in_postgres_is_ranked_and_promoted(database, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.delenv("UDA_STUDY_STORAGE", raising=False)
    home = Home(tmp_path / "home")
    home.create()
    outcome = Machine(log=MlflowRunLog(home.path)).go(tiny, home)
    study = uda_study.load(outcome.study, home.path)
    board = study.leaderboard()
    assert len(board) == 2
    artifacts = home.path / "mlartifacts" / outcome.study
    assert {str(artifacts)} == {
        Path(uri).parents[1].as_posix() for uri in study.runs()["artifact_uri"]
    }
    assert not (home.path / "mlflow.db").exists()
    done = study.promote(board["cell"][0], "boxes", force="one seed is enough here")
    assert done.version is not None
    assert uda_study.load_model("boxes@champion", home.path).config.study == outcome.study


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def await_pages(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return
        time.sleep(0.2)
    pytest.fail("no pages are served")


def test_pages_are_served_and_no_command_line_holds_the_password(database, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    port = free_port()
    words = ["ui", "--port", str(port), "--home", str(tmp_path)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uda_study", *words], stdout=log, stderr=log
        )
    try:
        await_pages(port, process)
        lines = []
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                lines.append(place.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        assert any("mlflow" in line and str(port) in line for line in lines)
        assert [line for line in lines if "canary-password" in line] == []
    finally:
        process.terminate()
        process.wait(60)
    assert "canary-password" not in (tmp_path / "log").read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """An MLflow server on loopback that keeps runs and files."""
    port = free_port()
    words = [
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination", f"{tmp_path}/kept",
    ]  # fmt: skip
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    quiet.pop("MLFLOW_TRACKING_URI", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet, start_new_session=True,
    )  # fmt: skip
    try:
        await_pages(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.mark.usefixtures("no_pictures")
def test_a_study_at_a_server_is_ranked_and_promoted(server, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    home = Home(tmp_path / "home")
    home.create()
    outcome = Machine(log=MlflowRunLog(home.path)).go(tiny, home)
    # Without the study's folder, as on a machine that has only the address of the server.
    elsewhere = tmp_path / "elsewhere"
    study = uda_study.load(outcome.study, elsewhere)
    board = study.leaderboard()
    assert len(board) == 2
    assert study.best(cell=board["cell"][0]).config.study == outcome.study
    done = uda_study.load(outcome.study, home.path).promote(
        board["cell"][0], "boxes", force="one seed is enough here"
    )
    assert done.version is not None
    assert uda_study.load_model("boxes@champion", elsewhere).config.study == outcome.study


def test_where_artifacts_lie_is_said_for_every_kind_of_store(tmp_path, monkeypatch):
    monkeypatch.delenv("UDA_STUDY_STORAGE", raising=False)
    found = {}
    for uri in (f"sqlite:///{tmp_path}/x/mlflow.db", "postgresql://lab@db/runs", "http://lab:5000"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        found[uri.partition(":")[0]] = artifact_location(tmp_path, "s")
    assert found == {
        "sqlite": f"{tmp_path}/x/mlartifacts/s",
        "postgresql": f"{tmp_path}/mlartifacts/s",
        "http": None,
    }
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://lab@db/runs")
    monkeypatch.setenv("UDA_STUDY_STORAGE", "s3://bucket/lab/")
    assert artifact_location(tmp_path, "s") == "s3://bucket/lab/mlartifacts/s"


def test_a_database_without_its_driver_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://lab:canary@127.0.0.1:9/runs")
    find = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "psycopg":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return find(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        InputError, match=r"psycopg is not installed.*uda-study\[postgres\]"
    ) as found:
        open_store(tmp_path)
    assert "canary" not in str(found.value)


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://lab:canary@127.0.0.1:9/runs")
    with pytest.raises(UdaStudyError, match=r"lab@127.0.0.1:9/runs") as found:
        open_store(tmp_path)
    assert "canary" not in str(found.value)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql://lab:secret@db:5432/runs?sslpassword=x", "postgresql://lab@db:5432/runs"),
        ("postgresql://lab:secret@/runs?host=/tmp", "postgresql://lab@/runs"),
        ("https://lab:secret@server/path", "https://lab@server/path"),
        ("sqlite:////home/x/mlflow.db", "sqlite:////home/x/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_secrets(uri, expected):
    assert shown(uri) == expected
