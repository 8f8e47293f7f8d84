import subprocess
import sys

import pytest

from uda_study.engine.lock import alone
from uda_study.errors import InputError

HOLD = """\
import sys, pathlib
from uda_study.engine.lock import alone
with alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_study_that_is_being_run_is_not_run_by_another_process(tmp_path):
    folder = tmp_path / "dam-1a2b"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(InputError, match="study dam-1a2b: is being run by another process"),
            alone(folder),
        ):
            pass
        # The lock ends with its process, however that ends.
        holder.kill()
        holder.wait(timeout=60)
    with alone(folder):
        pass
