"""What a training costs the driver of a study: its queue, its journal and its run log.

``queue``: the queue alone in simulated time, without Ray. ``mlflow``: the journal and the run log
alone, on SQLite.

    python benchmarks/cluster_scale.py queue --trials 10000 --slots 64
    python benchmarks/cluster_scale.py mlflow --trials 200
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from uda_study.engine.journal import Finished, Journal, Reported, Started
from uda_study.engine.progress import ProgressMeter
from uda_study.study.trial import TrialResult
from uda_study.tracking.log import MlflowRunLog

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engine"))

from many_slots import Cluster, queue_of

CELLS, REPORTS, SCORES = 4, 4, 12


def rss_mib() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def run_queue(arguments: argparse.Namespace) -> dict[str, Any]:
    """Drive the queue alone and say what a training costs the driver."""
    queue = queue_of(CELLS, arguments.trials // CELLS, arguments.alg)
    meter = ProgressMeter(queue, baselines=4, confirmations_per_cell=2)
    cluster = Cluster(queue, arguments.slots, after=meter.read)
    before, started = rss_mib(), time.process_time()
    cluster.run()
    spent = time.process_time() - started
    count = len(queue.results)
    whole = cluster.busy + sum(cluster.idle.values())
    return {
        "trainings": count,
        "cpu_s": round(spent, 2),
        "cpu_ms_per_training": round(1000 * spent / count, 2),
        "rss_mib_before": round(before),
        "rss_mib_after": round(rss_mib()),
        "busy": round(cluster.busy / whole, 3),
        "idle": {why: round(idle / whole, 3) for why, idle in cluster.idle.items() if idle},
    }


def run_mlflow(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the journal and the run log of so many trainings as fast as they take it."""
    home = Path(tempfile.mkdtemp(prefix="uda-scale-", dir=arguments.scratch))
    folder = home / "studies" / "scale"
    folder.mkdir(parents=True)
    queue = queue_of(CELLS, arguments.trials // CELLS)
    log = MlflowRunLog(home, supervision=lambda _: "images")
    log.open("scale", folder, [work.cell for work in queue.cells.values()], {"seeds": "0,1"})
    watched = Watched(log._writer)
    journal = Journal(folder / "journal.jsonl")
    scores = {f"blind/value_{number}": 0.5 for number in range(SCORES)}
    count, journalled, started = 0, 0.0, time.monotonic()
    while (spec := queue.next()) is not None:
        result = TrialResult(spec.key, "complete", REPORTS, scores)
        place = folder / "trials" / spec.key
        place.mkdir(parents=True)
        (place / "cases.csv").write_text("case,structure,metric,value\n" * 40)
        before = time.monotonic()
        journal.write(Started(spec))
        for step in range(REPORTS):
            journal.write(Reported(spec.key, step, scores))
        journal.write(Finished(result))
        journalled += time.monotonic() - before
        log.trial_started(spec, dict.fromkeys((f"parameter.{n}" for n in range(40)), 1.0))
        for step in range(REPORTS):
            log.trial_reported(spec, step, scores)
        log.trial_finished(spec, result, place)
        queue.finished(result)
        count += 1
    log.close("complete")
    wall = time.monotonic() - started
    database = sum(path.stat().st_size for path in home.glob("mlflow.db*"))
    return {
        "trainings": count,
        "events": sum(watched.batches),
        "scores_per_report": SCORES,
        "mlflow_s": round(watched.writing, 1),
        "mlflow_trainings_per_s": round(count / watched.writing, 2),
        "mlflow_events_per_s": round(sum(watched.batches) / watched.writing, 1),
        "wall_s": round(wall, 1),
        "journal_ms_per_event": round(1000 * journalled / (count * (REPORTS + 2)), 2),
        "journal_bytes_per_training": round(journal.path.stat().st_size / count),
        "database_bytes_per_training": round(database / count),
    }


class Watched:
    """Counts what goes through the writer of the run log, and how much waits."""

    def __init__(self, writer: Any) -> None:
        self.batches: list[int] = []
        self.writing = 0.0
        self.backlog = 0
        inner = writer._write

        def write(events: Any) -> None:
            started = time.monotonic()
            inner(events)
            self.writing += time.monotonic() - started
            self.batches.append(len(events))
            self.backlog = max(self.backlog, writer._queue.qsize())

        writer._write = write


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    queue = commands.add_parser("queue")
    queue.add_argument("--slots", type=int, default=64)
    queue.add_argument("--trials", type=int, default=1000)
    queue.add_argument("--alg", choices=("random", "tpe"), default="random")
    queue.set_defaults(do=run_queue)
    tracked = commands.add_parser("mlflow")
    tracked.add_argument("--trials", type=int, default=200)
    tracked.add_argument("--scratch", type=Path, default=None)
    tracked.set_defaults(do=run_mlflow)
    arguments = parser.parse_args()
    print(json.dumps(arguments.do(arguments), indent=1))


if __name__ == "__main__":
    main()
