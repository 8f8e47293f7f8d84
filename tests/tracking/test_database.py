"""The database that is read without MLflow."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from toy_study import result, spec, write_trial

from uda_study.errors import InputError
from uda_study.tracking.database import Database, open_database
from uda_study.tracking.query import cases_of, find_study, studies, study_runs
from uda_study.tracking.store import open_store


@pytest.fixture
def database(home: Path, folder: Path, make_log) -> Database:
    log = make_log()
    for seed in (0, 1):
        one = spec(kind="confirm", seed=seed)
        log.trial_started(one, {"lr": 0.5})
        log.trial_finished(one, result(one, blind_score=0.4), write_trial(folder, one))
    log.close("complete")
    found = open_database(home)
    assert found is not None
    return found


def test_it_gives_what_the_client_gives(home: Path, database: Database):
    client = open_store(home)
    assert studies(database) == studies(client) == ["toy-1"]
    assert find_study(database, "toy") == "toy-1"
    runs = study_runs(database, "toy-1")
    pd.testing.assert_frame_equal(runs, study_runs(client, "toy-1"))
    pd.testing.assert_frame_equal(cases_of(database, runs), cases_of(client, runs))


def test_an_unknown_study_is_named(database: Database):
    with pytest.raises(InputError, match="unknown study"):
        study_runs(database, "other-1")


def test_where_there_is_none_in_a_file_mlflow_is_asked(tmp_path: Path, monkeypatch):
    assert open_database(tmp_path) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert open_database(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"this is no database" * 100])
def test_one_that_is_damaged_or_has_other_tables_is_left_to_mlflow(home: Path, content: bytes):
    for path in home.glob("mlflow.db*"):
        path.unlink()
    (home / "mlflow.db").write_bytes(content)
    assert open_database(home) is None


def test_a_network_filesystem_is_refused_here_too(home: Path):
    with pytest.raises(InputError, match="network filesystem"):
        open_database(home, mounts=lambda: f"server:/x {home} nfs4 rw 0 0\n")


@pytest.mark.usefixtures("database")
def test_a_leaderboard_imports_neither_mlflow_nor_torch(home: Path):
    code = (
        "import sys\n"
        "from uda_study.cli.app import app\n"
        f"app(['leaderboard', 'toy', '--home', {str(home)!r}, '--json'], standalone_mode=False)\n"
        "print(sorted({'mlflow', 'torch', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")
