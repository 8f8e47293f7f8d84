"""The Slurm script, run as Slurm would run it: `srun`, `scontrol` and the study are stand-ins."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_files import FOLDER

SCRIPT = FOLDER / "slurm.sbatch"

# Two nodes on one machine: the second has an address of its own on loopback.
SRUN = """#!/usr/bin/env bash
while [[ "$1" == --* ]]; do shift; done
trap 'kill -TERM $first $second 2> /dev/null; wait' TERM
SLURM_NODEID=0 "$@" & first=$!
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then SLURM_NODEID=1 "$@" & second=$!; fi
wait
"""
SCONTROL = '#!/usr/bin/env bash\necho "$@" > "$WITNESS/requeued"\n'
# Joins the Ray of the job, says what it found, and ends as a study does on a signal.
STUDY = """#!{python}
import os, signal, stat, sys
from pathlib import Path
import ray
witness = Path(os.environ["WITNESS"])
codes = {{signal.SIGTERM: 143, signal.SIGINT: 4}}
got = []
ray.init(address=sys.argv[-1], log_to_driver=False, logging_level="ERROR")
for number in codes:  # after Ray's own
    signal.signal(number, lambda number, frame: got.append(number))
token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
lines = [
    " ".join(sys.argv[1:]),
    str(sum(node["Alive"] for node in ray.nodes())),
    str(ray.cluster_resources()["CPU"]),
    oct(stat.S_IMODE(token.stat().st_mode)),
    os.environ["MLFLOW_TRACKING_URI"],
]
(witness / "draft").write_text("\\n".join(lines))
(witness / "draft").rename(witness / "running")
if "--ends" not in sys.argv:
    while not got:
        signal.pause()
ray.shutdown()
sys.exit(codes[got[0]] if got else 0)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def node(tmp_path: Path) -> dict[str, str]:
    """Return the environment in which Slurm starts the script on the first of its nodes."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "srun": SRUN,
        "scontrol": SCONTROL,
        "uda-study": STUDY.format(python=sys.executable),
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)
    beside = Path(sys.executable).parent
    return {
        "PATH": f"{programs}:{beside}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "WITNESS": str(tmp_path),
        "UDA_STUDY_HOME": str(tmp_path / "home"),
        "HEAD_ADDRESS": "127.0.0.1",
        "HEAD_PORT": str(free_port()),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_CPUS_PER_TASK": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def job(node: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    script = subprocess.Popen(
        ["bash", SCRIPT, "study.yaml", "--smoke"],
        env=node,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with script:
        yield script
        if script.poll() is None:
            os.killpg(script.pid, signal.SIGKILL)


def appears(path: Path, script: subprocess.Popen[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        if script.poll() is not None or time.monotonic() > deadline:
            if script.poll() is None:
                os.killpg(script.pid, signal.SIGKILL)
            pytest.fail(f"no {path.name}: {script.communicate()[0]}")
        time.sleep(0.1)


def test_the_script_is_valid_bash() -> None:
    subprocess.run(["bash", "-n", SCRIPT], check=True, timeout=10)


def test_slurm_is_asked_for_a_warning_to_the_script_alone_and_for_requeueing() -> None:
    asked = dict(
        re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", SCRIPT.read_text(), flags=re.MULTILINE)
    )
    assert asked["signal"] == "B:TERM@120"
    assert asked["ntasks-per-node"] == "1"
    assert {"requeue", "nodes", "time", "cpus-per-task", "gpus-per-node"} <= asked.keys()
    assert asked["open-mode"] == "append", "a resumed job would write over its log"


def test_the_script_ends_no_other_ray_and_opens_nothing() -> None:
    code = "\n".join(line for line in SCRIPT.read_text().splitlines() if not line.startswith("#"))
    assert "ray stop" not in code
    assert "symmetric-run" not in code
    assert "0.0.0.0" not in code
    assert "--dashboard-host=127.0.0.1" in code
    assert "RAY_AUTH_TOKEN=" not in code
    assert "pkill" not in code
    assert "killall" not in code


def test_several_nodes_need_an_address_that_others_reach(node: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", SCRIPT, "study.yaml"],
        env={**node, "SLURM_JOB_NUM_NODES": "2"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert "HEAD_ADDRESS: must be an address that the other nodes reach, got 127" in done.stderr
    assert not Path(node["UDA_STUDY_HOME"]).exists()


@pytest.mark.parametrize(("words", "missing"), [([], "usage"), (["s.yaml"], "UDA_STUDY_HOME")])
def test_what_is_missing_is_said_before_anything_starts(
    node: dict[str, str], words: list[str], missing: str
) -> None:
    del node["UDA_STUDY_HOME"]
    done = subprocess.run(
        ["bash", SCRIPT, *words],
        env=node,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert missing in done.stderr


@pytest.mark.ray
def test_term_reaches_the_study_and_the_job_is_queued_again(
    node: dict[str, str], job: subprocess.Popen[str]
) -> None:
    witness = Path(node["WITNESS"])
    appears(witness / "running", job, 60)
    asked, nodes, cpus, mode, tracking = (witness / "running").read_text().splitlines()
    assert asked == f"run study.yaml --smoke --cluster 127.0.0.1:{node['HEAD_PORT']}"
    assert (nodes, cpus, mode) == ("1", "1.0", "0o600")
    scratch = Path("/tmp") / f"uda-study-{node['SLURM_JOB_ID']}"
    assert tracking == f"sqlite:///{scratch}/mlflow.db"

    os.kill(job.pid, signal.SIGTERM)  # as `--signal=B:TERM@120` does: to the script, no one else
    output, _ = job.communicate(timeout=40)

    assert job.returncode == 143, output
    assert (witness / "requeued").read_text().split() == ["requeue", node["SLURM_JOB_ID"]]
    assert not scratch.exists()
    assert list((Path(node["UDA_STUDY_HOME"]) / ".tokens").iterdir()) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(node["HEAD_PORT"]))) != 0, "Ray is still there"
