"""How long ``uda-study leaderboard`` takes on a study of many trials, and what takes the time.

    python benchmarks/leaderboard_speed.py [--trials 10000] [--runs 3] [--home FOLDER]

A made-up study is written into a home of its own (kept, if it is named): search trials over ten
cells of two directions, each with as many tags, parameters and scores as a real one and a
``cases.csv``, and three confirmations of every cell. Rows of the database are inserted in bulk, in
the tables that MLflow made. Then the command runs in processes of its own, and its parts in this
one: as the command does them, and as they are done for all scores and all cases through MLflow's
client. Times of the CPU stand beside those of the clock, since a busy machine stretches these.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from uda_study.study.leaderboard import NEEDED_SCORES, leaderboard, needed_keys
from uda_study.study.trial import Cell, TrialSpec
from uda_study.tracking import names
from uda_study.tracking._mlflow import MlflowClient
from uda_study.tracking.database import open_database
from uda_study.tracking.place import artifact_location
from uda_study.tracking.query import cases_of, find_study, study_runs
from uda_study.tracking.store import open_store
from uda_study.tracking.study_runs import find_or_make_experiment, search_runs
from uda_study.types import JSON, Direction

STUDY = "speed-0000"
TAGS = {
    "dataset": "phantom", "selection": "blind/rank_avg", "protocol": "strict", "seeds": "1,2,3",
    "git_commit": "0" * 40, "data_sha": "3efbdbb7bd36,8c0eb4f0d1f3",
}  # fmt: skip
BLIND = ("score", "entropy", "entropy_fg", "consistency", "critic_w", "snd", "bnm", "dev", "iwcv",
         "feat_fd", "infomax", "js", "rca", "atlas_l1", "size_w1", "shape_fd")  # fmt: skip
METRICS = ("dice", "iou", "hd95", "assd", "asd", "nsd", "precision", "recall", "js", "n_missed")
COSTS = ("seconds", "training_seconds", "evaluation_seconds", "shared_stages_trained")
PARAMS = 36
SEEDS = (1, 2, 3)


def scores(luck: random.Random) -> dict[str, float]:
    """Return 60 scores."""
    found = {f"blind/{name}": luck.random() for name in BLIND}
    found |= {
        f"{what}/{name}{phase}": luck.random()
        for what, name, phase in product(("test", "oracle"), METRICS, ("", "_before"))
    }
    return found | {f"cost/{name}": 100 * luck.random() for name in COSTS}


def specs(trials: int) -> Iterator[tuple[Cell, TrialSpec]]:
    """Yield all trainings, cell by cell."""
    for depth, (source, target) in product(range(5), (("mr", "ct"), ("ct", "mr"))):
        direction = Direction(source, target)
        factors: dict[str, JSON] = {"depth": depth, "direction": str(direction)}
        cell = Cell(f"depth={depth} direction={direction}", "dam", direction, factors, {})
        kinds = [("search", number, 0) for number in range(trials // 10)]
        kinds += [("confirm", 0, seed) for seed in SEEDS]
        for kind, number, seed in kinds:
            yield cell, TrialSpec(
                STUDY, kind, cell.key, number, "dam", str(direction), 0, seed, {}  # type: ignore[arg-type]
            )  # fmt: skip


def cases(luck: random.Random) -> str:
    """Return a ``cases.csv`` of 12 test cases."""
    lines = ["case,subject,role,structure,metric,phase,value"]
    lines += [
        f"c{case},c{case},target_test,{structure},{metric},{phase},{luck.random():.6f}"
        for case, structure, metric, phase in product(
            range(12), ("heart", "spine"), METRICS, ("before", "after")
        )
    ]
    return "\n".join(lines) + "\n"


def make_study(home: Path, trials: int) -> None:
    """Write the study into the home's store."""
    luck = random.Random(0)
    experiment = find_or_make_experiment(open_store(home), STUDY, artifact_location(home, STUDY))
    common = names.study_tags(STUDY, TAGS)
    tables: dict[str, list[tuple[object, ...]]] = {"r": [], "t": [], "p": [], "m": []}
    texts = [cases(luck) for _ in range(50)]
    for number, (cell, spec) in enumerate(specs(trials)):
        run, now = f"{number:032x}", 1_795_000_000_000 + number
        folder = home / "mlartifacts" / STUDY / run / "artifacts"
        folder.mkdir(parents=True)
        (folder / "cases.csv").write_text(texts[number % len(texts)])
        name = names.run_name(spec)
        tables["r"].append((run, name, "FINISHED", now, now, "active", str(folder), experiment))
        tags = {
            **common,
            **names.trial_tags(spec, cell.factors, "images"),
            names.STATUS: "complete",
        }
        tables["t"] += [(key, value, run) for key, value in tags.items()]
        value = json.dumps(luck.random() if spec.kind == "search" else 0.5)
        drawn = {f"group.{place}": value for place in range(PARAMS)}
        tables["p"] += [(key, value, run) for key, value in drawn.items()]
        tables["m"] += [(key, value, now, 1, 0, run) for key, value in scores(luck).items()]
    columns = "run_uuid, name, status, start_time, end_time, lifecycle_stage, artifact_uri, "
    columns += "experiment_id, source_type, source_name, entry_point_name, source_version, user_id"
    with sqlite3.connect(home / "mlflow.db") as base:
        base.executemany(
            f"insert into runs ({columns}) values (?,?,?,?,?,?,?,?,'UNKNOWN','','','','speed')",
            tables["r"],
        )
        base.executemany("insert into tags (key, value, run_uuid) values (?,?,?)", tables["t"])
        base.executemany("insert into params (key, value, run_uuid) values (?,?,?)", tables["p"])
        base.executemany("insert into latest_metrics values (?,?,?,?,?,?)", tables["m"])
    base.close()


def timed(action: Callable[[], object], runs: int = 1) -> tuple[float, float]:
    """Return the shortest wall time and the shortest CPU time, children's included, in seconds."""
    wall, cpu = [], []
    for _ in range(runs):
        started, used = time.perf_counter(), sum(os.times()[:4])
        action()
        wall.append(time.perf_counter() - started)
        cpu.append(sum(os.times()[:4]) - used)
    return min(wall), min(cpu)


def command(home: Path, *options: str) -> Callable[[], object]:
    """Return the command in a process of its own."""
    line = [str(Path(sys.executable).with_name("uda-study")), "leaderboard", "speed"]
    line += ["--home", str(home), *options]
    return lambda: subprocess.run(line, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="the shortest of so many is shown")
    parser.add_argument("--home", type=Path, help="where the study is kept, or was")
    options = parser.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as scratch:
        home = (options.home or Path(scratch)).absolute()
        if not (home / "mlflow.db").exists():
            make_study(home, options.trials)
        Console().print(measure(home, options.runs))


def measure(home: Path, runs: int) -> Table:
    """Return the times of the command and of its parts."""
    table = Table(title=f"uda-study leaderboard, shortest of {runs}")
    table.add_column("what")
    for name in ("wall (s)", "CPU (s)"):
        table.add_column(name, justify="right")

    def add(name: str, times: tuple[float, float], *, last: bool = False) -> None:
        table.add_row(name, *(f"{seconds:.2f}" for seconds in times), end_section=last)

    for given in ("", "--format html", "--by method", "--select snd", "--rules", "--by trial"):
        few = 1 if given in ("--rules", "--by trial") else runs
        add(f"leaderboard {given}", timed(command(home, *given.split()), few))
    modules = "uda_study.cli.app, uda_study.tracking.boards, uda_study.study.leaderboard_text"
    imports = [sys.executable, "-c", f"import {modules}"]
    alone = timed(lambda: subprocess.run(imports, check=True), runs)
    add("Python and its imports", alone, last=True)
    for name, times in _parts(home, runs):
        add(name, times)
    return table


def _parts(home: Path, runs: int) -> Iterator[tuple[str, tuple[float, float]]]:
    client, database = open_store(home), open_database(home)
    assert database is not None
    yield "open the database", timed(lambda: open_database(home), runs)
    yield "find the study", timed(lambda: find_study(database, "speed"), runs)
    yield "runs", timed(lambda: study_runs(database, STUDY, NEEDED_SCORES), runs)
    yield "runs, all scores and parameters", timed(lambda: study_runs(client, STUDY))
    yield "runs, through MLflow's client", timed(lambda: list(search_runs(client, [_id(client)])))
    table = study_runs(client, STUDY, NEEDED_SCORES)
    keys = needed_keys(table)
    yield "which cases are needed", timed(lambda: needed_keys(table), runs)
    few = table[table["key"].isin(keys)]
    some = cases_of(client, few)
    yield f"cases of {len(few)} trainings", timed(lambda: cases_of(client, few), runs)
    yield f"cases of {len(table)} trainings", timed(lambda: cases_of(client, table))
    yield "leaderboard", timed(lambda: leaderboard(table, some), runs)


def _id(client: MlflowClient) -> str:
    (found,) = (e for e in client.search_experiments() if e.name == STUDY)
    return str(found.experiment_id)


if __name__ == "__main__":
    main()
