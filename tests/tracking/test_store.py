import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from uda_study.errors import InputError, StoreError
from uda_study.tracking.place import filesystem, local_folder, tracking_uri
from uda_study.tracking.store import open_store

MOUNTS = "/dev/sda / ext4 rw 0 0\nserver:/x {place} nfs4 rw 0 0\n"


def test_the_environment_names_another_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert tracking_uri(tmp_path) == "http://server:5000"


def test_readers_do_not_block_the_writer(home: Path):
    open_store(home)
    with sqlite3.connect(home / "mlflow.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_sqlite_is_refused_on_a_network_filesystem_with_the_remedy(tmp_path: Path):
    mounts = MOUNTS.format(place=tmp_path)
    with pytest.raises(InputError, match="Postgres") as caught:
        open_store(tmp_path / "home", mounts=lambda: mounts)
    assert "nfs4" in str(caught.value)


def test_the_innermost_mount_decides(tmp_path: Path):
    mounts = MOUNTS.format(place=tmp_path) + f"tmpfs {tmp_path}/local tmpfs rw 0 0\n"
    assert filesystem(tmp_path / "local" / "x", mounts) == "tmpfs"
    assert filesystem(tmp_path / "other", mounts) == "nfs4"
    assert filesystem(Path("/"), mounts) == "ext4"


def test_a_home_that_cannot_be_written_to_is_bad_input(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="home: must be a folder that can be written to"):
        open_store(tmp_path / "file" / "home")


def test_a_damaged_database_is_named(tmp_path: Path):
    (tmp_path / "mlflow.db").write_text("this is no database, but long enough to look at" * 40)
    with pytest.raises(StoreError, match=r"mlflow\.db"):
        open_store(tmp_path)


def test_a_database_of_another_version_is_never_upgraded_silently(home: Path):
    with sqlite3.connect(home / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()
    with pytest.raises(StoreError, match="mlflow db upgrade"):
        open_store(home)


def test_cold_processes_may_open_one_new_home_at_once(tmp_path: Path):
    # Forked after the import, which is slow, and before anything knows of the store.
    program = (
        "import os, sys, time, pathlib\n"
        "from uda_study.tracking.store import open_store\n"
        "from uda_study.tracking.study_runs import find_or_make_experiment\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "children = []\n"
        "for number in range(4):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        client = open_store(place / 'home')\n"
        "        found = find_or_make_experiment(client, 'study', str(place / 'artifacts'))\n"
        "        (place / f'p{number}').write_text(found)\n"
        "        os._exit(0)\n"
        "    children.append(child)\n"
        "sys.exit(max(os.waitpid(child, 0)[1] for child in children) != 0)\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, str(tmp_path)]
    subprocess.run(command, check=True, env=environment, timeout=120)
    assert [(tmp_path / f"p{number}").read_text() for number in range(4)] == ["1"] * 4
    assert not list((tmp_path / "home").glob("mlflow.db.new*"))


def test_local_addresses_are_told_from_remote_ones():
    assert local_folder("/home/x/art") == Path("/home/x/art")
    assert local_folder("file:///home/x%20y") == Path("/home/x y")
    assert local_folder("s3://bucket/x") is None
