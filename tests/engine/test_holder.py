import os
import signal
import socket
import subprocess
import sys

import pytest

from uda_study.engine.holder import Holder, holder, stop
from uda_study.engine.lock import LOCK, alone
from uda_study.errors import InputError, StoreError

HOLDING = """\
import signal, sys
from pathlib import Path
from uda_study.engine.lock import alone
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with alone(Path(sys.argv[1])):
    print("holds", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holding(tmp_path):
    started = []

    def start(how: str = "hears") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDING, str(tmp_path), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "holds\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_nobody_runs_a_study_that_is_not_locked(tmp_path):
    assert holder(tmp_path) is None
    with alone(tmp_path):
        pass
    assert holder(tmp_path) is None


def test_the_process_that_holds_a_study_says_who_it_is(tmp_path, holding):
    process = holding()
    assert holder(tmp_path) == Holder(process.pid, socket.gethostname())
    with pytest.raises(InputError, match="being run by another process"), alone(tmp_path):
        pass
    # Whoever was turned away has not wiped it out.
    assert holder(tmp_path) == Holder(process.pid, socket.gethostname())


def test_stop_ends_it_and_waits(tmp_path, holding):
    process = holding()
    stop(tmp_path, 60)
    assert holder(tmp_path) is None
    assert process.wait(10) == -signal.SIGTERM


def test_one_that_does_not_end_is_not_killed(tmp_path, holding):
    process = holding("deaf")
    with pytest.raises(StoreError, match="has not ended"):
        stop(tmp_path, 0.3)
    assert process.poll() is None


def test_a_process_of_another_machine_is_left_alone(tmp_path):
    with alone(tmp_path):
        (tmp_path / LOCK).write_text(f"{os.getpid()} elsewhere\n")
        with pytest.raises(InputError, match="is not run by this machine"):
            stop(tmp_path, 1)


def test_there_is_nothing_to_stop_where_nothing_runs(tmp_path):
    with pytest.raises(InputError, match="is not being run here"):
        stop(tmp_path, 1)
