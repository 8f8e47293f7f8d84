"""What Ray Tune's controller takes of the driver, and how busy it keeps a cluster's slots.

A simulated cluster, and on it studies whose trainings sleep and report. All else is the project's
own: foreman, queue, journal, the run log in MLflow on SQLite, and Tune as a study starts it.

    python benchmarks/tune_scale.py --machines 16 --slots 4 --study 20:1000 --study 60:400

``--study SECONDS:TRIALS`` is one study after another on the same cluster, each driven by a new
process: a whole training's seconds, and how many trials its four searches have together.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from simulated_cluster import close_with_token, memory_of, simulated_cluster

_PATIENCE_S = 900


def run_all(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Start the cluster and drive one study after another."""
    found: dict[str, Any] = {"machines": arguments.machines, "slots_each": arguments.slots}
    began = time.monotonic()
    with simulated_cluster(arguments.machines, arguments.slots, scratch / "r") as address:
        found["start_s"] = round(time.monotonic() - began, 1)
        found["studies"] = []
        for number, study in enumerate(arguments.study):
            seconds, trials = study.split(":")
            command = [sys.executable, str(Path(__file__).with_name("stub_study.py")), address]
            command += [str(scratch / f"study-{number}"), seconds, trials, arguments.alg]
            if arguments.profile:
                command += ["--profile", f"{arguments.profile}.{number}"]
            driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            memory: dict[str, int] = {}
            while driver.poll() is None and time.monotonic() - began < _PATIENCE_S:
                memory = max(memory, memory_of(os.getpid()), key=lambda kinds: sum(kinds.values()))
                time.sleep(20)
            driver.terminate()
            output = driver.communicate()[0]
            found["studies"].append(json.loads(output) if output else driver.returncode)
            found["memory_mib"] = memory | {"all": sum(memory.values())}
            print(json.dumps(found["studies"][-1]), file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=16)
    parser.add_argument("--slots", type=int, default=4, help="of each machine")
    parser.add_argument("--study", action="append", required=True, metavar="SECONDS:TRIALS")
    parser.add_argument("--alg", choices=("random", "tpe"), default="random")
    parser.add_argument("--scratch", type=Path, default=None, help="a folder with a short path")
    parser.add_argument("--profile", type=Path, help="write where the driver's time went")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="uda-", dir=arguments.scratch) as scratch:
        close_with_token(Path(scratch))
        found = run_all(arguments, Path(scratch))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
