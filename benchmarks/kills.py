"""What a study loses when its driver is killed again and again: a real one, on Ray, with MLflow.

    python benchmarks/kills.py [KILLS] [--small] [--term]

Runs a small study to its end; then the same one in another home, where the driver is killed with
SIGKILL KILLS times (default 20), each time at another event of its journal, every third time
together with all processes of its Ray, as if the machine were lost; and goes on each time. Prints
JSON: trainings that were lost, finished twice, or trained again although they were finished, and
whether the leaderboards and all values of all cases are equal. ``--small`` takes the least study,
``--term`` ends another one with SIGTERM and adds the seconds that took.

One training runs at a time: then a study proposes the same settings whenever it is run.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

STUDY = """\
version: 1
name: kills
method: dam
matrix: {dam.depth: [g2], direction: [mr->ct]}
data:
  dataset: phantom
  options: {subjects: 5, shape: [32, 32, 4], spacing: [7, 7, 14]}
search: {alg: tpe, num_samples: 3, seed: 0, max_concurrent_trials: 1}
scheduler: {type: asha, grace_period: 2, reduction_factor: 2}
confirm: {top_k: 1, seeds: [1, 2]}
evaluation: {every: 2, images: 4}
parameters:
  optim.lr: {type: float, low: 1e-5, high: 1e-3, log: true}
  align.clip: {type: float, low: 0.01, high: 0.1, log: true}
  segmenter.name: dilated_fcn
  segmenter.width: 2
  segmenter.steps: 4
  segmenter.batch_size: 4
  critic.input: pool
  critic.width: 4
  critic.steps: 2
  critic.warm_up: 0
  critic.growth: 0
  batch_size: 4
  steps: 6
"""
SMALL = ("baselines=[no_adaptation]", "confirm.seeds=[1]", "search.num_samples=2")
# How long something took is never the same twice, and a picture lies elsewhere in every home.
_PLACES = frozenset({"hours", "cost", "overlays"})
_EVENTS = (2, 3, 4, 2, 1)


def drive(home: Path, small: bool, way: str, at: int) -> int:
    """Run the study in this process, and die at its event number ``at`` in the way that is named.

    ``kill``: SIGKILL; ``lost``: all processes of its Ray as well; ``half``: in the middle of the
    line; ``term``: SIGTERM, as a scheduler sends it.
    """
    from uda_study.engine.job import Home  # noqa: PLC0415
    from uda_study.engine.journal import Journal  # noqa: PLC0415
    from uda_study.engine.run import Options, run_study  # noqa: PLC0415
    from uda_study.engine.setup import prepare_study  # noqa: PLC0415
    from uda_study.study.checks import Check  # noqa: PLC0415
    from uda_study.study.validate import load_study  # noqa: PLC0415
    from uda_study.tracking.log import MlflowRunLog  # noqa: PLC0415

    append, count = Journal._append, 0

    def watched(journal: Journal, line: bytes) -> None:
        nonlocal count
        count += 1
        if count == at and way == "half":
            with journal.path.open("ab") as file:
                file.write(line[: len(line) // 2])
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
        append(journal, line)
        if count == at and way == "term":
            (home / "told").write_text(str(time.time()))
            os.kill(os.getpid(), signal.SIGTERM)
        elif count == at:
            for child in _below(os.getpid()) if way == "lost" else ():
                os.kill(child, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    Journal._append = watched
    place = Home(home)
    place.create()
    file = home / "kills.yaml"
    file.write_text(STUDY)
    study = prepare_study(load_study(file, SMALL if small else ()), place)
    # Leak checks take longer than these trainings, and nothing of a study exists before they pass.
    study = replace(study, checks=(Check("left out", True, "by this benchmark"),))
    outcome = run_study(study, place, MlflowRunLog(home), Options(cpus=2))
    return {"complete": 0, "terminated": 143}.get(outcome.status, 1)


def _below(process: int) -> list[int]:
    """Return the processes that this one has started, and those that they have."""
    found = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            found += [*_below(child), child]
    return found


def start(home: Path, small: bool, way: str, at: int) -> int:
    """Drive the study in another process; return its exit code, negative for a signal."""
    words = ["drive", str(home), "small" if small else "whole", way, str(at)]
    done = subprocess.run(
        [sys.executable, __file__, *words], check=False, timeout=400, stdout=sys.stderr
    )
    return done.returncode


def kills(folder: Path, small: bool, ways: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Kill the study in all these ways, one after another, and compare it with one left alone."""
    started = time.monotonic()
    homes = [folder / "undisturbed", folder / "killed"]
    if start(homes[0], small, "never", 0) != 0:
        raise SystemExit("the undisturbed study did not complete")
    alone = time.monotonic() - started
    codes, finished, rerun = [], {}, set()
    for way, at in ways:
        codes.append(start(homes[1], small, way, at))
        now = _ended(homes[1])
        rerun |= {key for key, stamp in finished.items() if now.get(key) != stamp}
        finished = now
    last = start(homes[1], small, "never", 0)
    now = _ended(homes[1])
    rerun |= {key for key, stamp in finished.items() if now.get(key) != stamp}
    (first, second) = (_facts(home) for home in homes)
    ends = Counter(second["finished"])
    return {
        "kills": codes.count(-signal.SIGKILL),
        "codes": codes,
        "complete": last == 0,
        "trainings": len(first["finished"]),
        "lost": len(set(first["finished"]) - set(ends)),
        "doubled": sum(count - 1 for count in ends.values()) + second["runs"] - len(set(ends)),
        "rerun": len(rerun),
        "left_running": second["running"],
        "leaderboard_equal": first["board"] == second["board"],
        "cases_equal": first["cases"] == second["cases"],
        "values_of_cases": len(first["cases"]),
        "seconds_undisturbed": round(alone, 1),
        "seconds_killed": round(time.monotonic() - started - alone, 1),
    }


def terminate(folder: Path) -> dict[str, Any]:
    """Send SIGTERM while a training runs; return the code and the seconds until the end."""
    home = folder / "terminated"
    code = start(home, True, "term", 4)
    seconds = time.time() - float((home / "told").read_text())
    return {"code": code, "seconds_to_end": round(seconds, 1)}


def _journal(home: Path) -> list[dict[str, Any]]:
    found = list(home.glob("studies/*/journal.jsonl"))
    lines = found[0].read_bytes().split(b"\n")[:-1] if found else []
    return [json.loads(line) for line in lines]


def _ended(home: Path) -> dict[str, int]:
    """Return when each training that the journal calls finished wrote its result."""
    stamps = {}
    for event in _journal(home):
        if event["event"] == "finished":
            (folder,) = home.glob(f"studies/*/trials/{event['result']['key']}")
            result = folder / "result.json"
            stamps[event["result"]["key"]] = result.stat().st_mtime_ns if result.exists() else 0
    return stamps


def _facts(home: Path) -> dict[str, Any]:
    from uda_study.study.leaderboard_json import to_json  # noqa: PLC0415
    from uda_study.tracking.boards import read_board  # noqa: PLC0415
    from uda_study.tracking.query import studies, study_cases, study_runs  # noqa: PLC0415
    from uda_study.tracking.store import open_store  # noqa: PLC0415

    client = open_store(home)
    (study,) = studies(client)
    runs, cases = study_runs(client, study), study_cases(client, study)
    timed = cases["metric"].str.contains("seconds")
    return {
        "board": _without_places(json.loads(to_json(read_board(client, [study])))),
        "cases": sorted(map(repr, cases[~timed].itertuples(index=False, name=None))),
        "runs": len(runs),
        "running": int((runs["status"] == "running").sum()),
        "finished": [e["result"]["key"] for e in _journal(home) if e["event"] == "finished"],
    }


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_places(v) for k, v in value.items() if k not in _PLACES}
    return [_without_places(v) for v in value] if isinstance(value, list) else value


def main() -> int:
    words = sys.argv[1:]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if words[:1] == ["drive"]:
        return drive(Path(words[1]), words[2] == "small", words[3], int(words[4]))
    numbers = [int(word) for word in words if word.isdigit()]
    count = numbers[0] if numbers else 20
    names = ("kill", "half", "lost")
    ways = [(names[k % len(names)], _EVENTS[k % len(_EVENTS)]) for k in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        found = kills(Path(folder), "--small" in words, ways)
        if "--term" in words:
            found["term"] = terminate(Path(folder))
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
