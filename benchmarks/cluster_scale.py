"""How many slots one driver keeps busy: stub trainings through the project's own queue.

``queue``: the queue alone in simulated time, without Ray. ``mlflow``: the journal and the run log
alone, on SQLite. ``tune``: Ray Tune on a cluster of
several raylets on this machine, MLflow on SQLite; trainings sleep and report.

    python benchmarks/cluster_scale.py queue --trials 10000 --slots 64
    python benchmarks/cluster_scale.py mlflow --trials 200
    python benchmarks/cluster_scale.py tune --nodes 4 --slots-per-node 4 --trials 160 --seconds 4
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray import tune
from ray.cluster_utils import Cluster as Raylets

from uda_study.engine import run, token
from uda_study.engine.journal import Finished, Journal, Reported, Started
from uda_study.engine.loopback import on_loopback
from uda_study.engine.progress import ProgressMeter
from uda_study.engine.tuning import Foreman
from uda_study.study.model import StudySpec
from uda_study.study.trial import TrialResult, TrialSpec
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


def stub(config: dict[str, Any], job: Any) -> None:
    """Sleep, report, and leave a result, as a training would."""
    spec = config["spec"]
    key, folder = job.names(spec)
    began = time.time()
    for step in range(1, REPORTS + 1):
        time.sleep(job.seconds / REPORTS)
        tune.report({"step": 2 * step, "blind/score": (hash(key) % 97) / 97 * step})
    folder.mkdir(parents=True, exist_ok=True)
    result = {"key": key, "status": "complete", "step": 2 * REPORTS, "scores": {"blind/score": 1.0}}
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "took.json").write_text(json.dumps([began, time.time()]))


@dataclass
class StubJob:
    """What the foreman and the stub need of a job; nothing that would import torch."""

    spec: Any
    folder: Path
    seconds: float

    def trial_folder(self, key: str) -> Path:
        return self.folder / "trials" / key

    @property
    def home(self) -> Any:
        return SimpleNamespace(mirror=SimpleNamespace(pull=lambda _: None))

    def names(self, spec: dict[str, Any]) -> tuple[str, Path]:
        key = TrialSpec.from_json(spec).key
        return key, self.trial_folder(key)


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


def run_tune(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run stub trainings through Tune on several raylets."""
    token.keep_private()
    os.environ["RAY_AUTH_MODE"] = "token"
    home = Path(tempfile.mkdtemp(prefix="uda-scale-", dir=arguments.scratch))
    slots = arguments.nodes * arguments.slots_per_node
    begun = time.monotonic()
    with on_loopback():
        head = {"num_cpus": 0, "object_store_memory": 80 << 20, "include_dashboard": False}
        cluster = Raylets(initialize_head=True, head_node_args=head)
        memory_of_head = children_mib()
        for _ in range(arguments.nodes):
            cluster.add_node(num_cpus=arguments.slots_per_node, object_store_memory=80 << 20)
    up = time.monotonic() - begun
    memory_of_nodes = children_mib() - memory_of_head
    spec = StudySpec.model_validate(
        {"name": "scale", "data": {"dataset": "phantom"}, "resources": {"cpu": 1, "gpu": 0}}
    )
    job = StubJob(spec, home / "studies" / "scale", arguments.seconds)
    job.folder.mkdir(parents=True)
    queue = queue_of(CELLS, arguments.trials // CELLS)
    log = MlflowRunLog(home, supervision=lambda _: "images")
    log.open("scale", job.folder, [work.cell for work in queue.cells.values()], {"seeds": "0,1"})
    watched = Watched(log._writer)
    journal = Journal(job.folder / "journal.jsonl")
    foreman = Foreman(job, queue, journal, log, lambda _: {}, lambda: None)  # type: ignore[arg-type]
    given: list[float] = []
    hand_out = queue.next

    def noted() -> Any:
        found = hand_out()
        if found is not None:
            given.append(time.time())
        return found

    queue.next = noted  # type: ignore[method-assign]
    run.train_in_trial = stub  # type: ignore[assignment]
    before, cpu, started = rss_mib(), time.process_time(), time.monotonic()
    peak = Peak()
    try:
        run._tune(foreman, run.Options(address=cluster.address))
        wall, cpu = time.monotonic() - started, time.process_time() - cpu
        after, workers = rss_mib(), peak.stop()
        drained = time.monotonic()
        log.close("complete")
        drained = time.monotonic() - drained
    finally:
        cluster.shutdown()
    took = [json.loads(p.read_text()) for p in job.folder.glob("trials/*/took.json")]
    events = sum(watched.batches)
    return {
        "raylets": arguments.nodes + 1,
        "slots": slots,
        "seconds_per_training": arguments.seconds,
        "trainings": len(queue.results),
        "cluster_up_s": round(up, 1),
        "mib_per_raylet": round(memory_of_nodes / arguments.nodes),
        "peak_mib_of_all_processes": round(workers),
        "wall_s": round(wall, 1),
        "driver_cpu_s": round(cpu, 1),
        "busy_while_work_is_left": round(busy_share(sorted(took), given, slots), 3),
        "driver_rss_mib": [round(before), round(after)],
        "events": events,
        "events_per_s": round(events / wall, 1),
        "mlflow_events_per_s_while_writing": round(events / max(watched.writing, 1e-9), 1),
        "events_per_batch": round(statistics.mean(watched.batches), 1),
        "largest_backlog": watched.backlog,
        "drained_s": round(drained, 1),
        "journal_bytes_per_training": round(journal.path.stat().st_size / len(queue.results)),
    }


def busy_share(took: list[list[float]], given: list[float], slots: int) -> float:
    """Return the share of slot-seconds that trained, from all slots begun to the last hand-out."""
    start = took[min(slots, len(took)) - 1][0]
    end = max(given)
    busy = sum(max(0.0, min(stop, end) - max(began, start)) for began, stop in took)
    return busy / (slots * (end - start)) if end > start else float("nan")


class Peak:
    """Notes the most memory that this process and all below it took."""

    def __init__(self) -> None:
        self.most = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._ended.set()
        self._thread.join()
        return self.most

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            self.most = max(self.most, children_mib() + rss_mib())


def children_mib() -> float:
    """Return the proportional memory of all processes below this one, shared pages counted once."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below, found = {os.getpid()}, 0
    while len(below) > found:
        found = len(below)
        below |= {process for process, parent in parents.items() if parent in below}
    return sum(map(_proportional_mib, below - {os.getpid()}))


def _proportional_mib(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


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
    on_ray = commands.add_parser("tune")
    on_ray.add_argument("--nodes", type=int, default=4)
    on_ray.add_argument("--slots-per-node", type=int, default=4)
    on_ray.add_argument("--trials", type=int, default=160)
    on_ray.add_argument("--seconds", type=float, default=4.0)
    on_ray.add_argument("--scratch", type=Path, default=None)
    on_ray.set_defaults(do=run_tune)
    arguments = parser.parse_args()
    print(json.dumps(arguments.do(arguments), indent=1))


if __name__ == "__main__":
    main()
