"""Studies that go through faults, each run in a process of its own; prints what was found.

    python fault_scenarios.py FOLDER

Processes are forked from one that has imported everything, which is what takes long.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import stub_training
from kill_points import PLAN, Death

from uda_study.cli.app import main as command
from uda_study.engine import run
from uda_study.engine.job import Home
from uda_study.engine.journal import Journal
from uda_study.engine.setup import Study, prepare_study
from uda_study.study.checks import Check
from uda_study.study.leaderboard_json import to_json
from uda_study.study.validate import load_study
from uda_study.testing.fakes import write_tiny_study
from uda_study.tracking.boards import read_board
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.query import study_runs
from uda_study.tracking.store import open_store
from uda_study.tracking.study_runs import search_runs


def forked(work: Callable[[], int | None], quiet: bool = False) -> int:
    """Begin the work in a process of its own and return its number."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        if quiet:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = work() or 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def ended(child: int) -> int:
    """Wait for a process and return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def carry_out(study: Study, home: Path) -> str:
    """Run the study with stubs for trainings; return how it ended."""
    run._tune = stub_training.one_after_another
    return run.run_study(study, Home(home), MlflowRunLog(home), run.Options()).status


def undisturbed(study: Study, home: Path) -> dict:
    assert ended(forked(lambda: carry_out(study, home) != "complete")) == 0
    return facts(study, home)


def killed(study: Study, home: Path) -> dict:
    """Kill the study at every point of the plan, going on each time; then let it end."""
    deaths = []
    for point, times in PLAN:

        def work(point: str = point, times: int = times) -> int:
            death = Death(point, times)
            death.lie_in_wait()
            death.around_training(stub_training, stub_training.CheckpointStore)
            return carry_out(study, home) != "complete"

        deaths.append([point, ended(forked(work))])
    return {"deaths": deaths, **undisturbed(study, home)}


def signalled(study: Study, home: Path, number: int) -> dict:
    """Send the study a signal at its fifth report, look at MLflow, and let it go on."""

    def work() -> int:
        append, count = Journal._append, 0

        def watched(journal: Journal, line: bytes) -> None:
            nonlocal count
            append(journal, line)
            count += json.loads(line)["event"] == "reported"
            if count == 5:
                os.kill(os.getpid(), number)

        Journal._append = watched  # type: ignore[method-assign]
        return {"interrupted": 4, "terminated": 143}.get(carry_out(study, home), 1)

    code = ended(forked(work))
    before = states(study, home)

    def look() -> int:
        log = MlflowRunLog(home)
        log.open(study.id, home / "studies" / study.id, study.all_cells, study.tags)
        (home / "reconciled.json").write_text(json.dumps(states(study, home)))
        return 0

    assert ended(forked(look)) == 0
    reconciled = json.loads((home / "reconciled.json").read_text())
    assert ended(forked(lambda: carry_out(study, home) != "complete")) == 0
    return {"code": code, "before": before, "reconciled": reconciled, "end": states(study, home)}


def cold(study: Study, home: Path) -> dict:
    """Open a home that is not there yet in four processes at once, two of them with a study."""
    studies = [replace(study, id=f"cold-{number}") for number in (1, 2)]
    work = [lambda one=one: carry_out(one, home) != "complete" for one in studies]
    children = [forked(one) for one in work]

    def status() -> None:
        sys.argv = ["uda-study", "status", "--json", "--home", str(home)]
        command()

    children += [forked(status, quiet=True) for _ in range(2)]
    codes = [ended(child) for child in children]
    spools = [str(path) for path in home.rglob("mlflow-spool.jsonl")]
    found = {one.id: states(one, home) for one in studies}
    return {"codes": codes, "states": found, "spools": spools}


def states(study: Study, home: Path) -> dict[str, int]:
    """Count the study's runs in MLflow by kind and state."""
    client = open_store(home)
    experiment = client.get_experiment_by_name(study.id)
    counts: dict[str, int] = {}
    for one in search_runs(client, [experiment.experiment_id]):
        kind = "cell" if one.data.tags["uda.kind"] == "cell" else "training"
        name = f"{kind} {one.info.status}"
        counts[name] = counts.get(name, 0) + 1
    return counts


def facts(study: Study, home: Path) -> dict:
    """Return all that MLflow, the journal and the stub know of the study."""
    client = open_store(home)
    runs = study_runs(client, study.id)
    histories = {
        f"{row.key} {row.status} {name}": [(m.step, m.value) for m in history]
        for row in runs.itertuples()
        for name in ("blind/score", "oracle/dice")
        if (history := client.get_metric_history(row.run_id, name)) is not None
    }
    scores = [column for column in runs if "/" in column]
    journal = Journal(home / "studies" / study.id / "journal.jsonl").path.read_text()
    events = [json.loads(line) for line in journal.splitlines()]
    trained = (home / stub_training.TRAINED).read_text().splitlines()
    return {
        "board": to_json(read_board(client, [study.id])),
        "runs": json.loads(runs.set_index("key")[["status", *scores]].to_json(orient="index")),
        "rows": len(runs),
        "histories": histories,
        "states": states(study, home),
        "finished": [e["result"]["key"] for e in events if e["event"] == "finished"],
        "trained": [json.loads(line) for line in trained],
    }


def main() -> None:
    folder = Path(sys.argv[1])
    study = prepare_study(load_study(write_tiny_study(folder / "files")), Home(folder / "images"))
    study = replace(study, checks=(Check("stub", True, "nothing is trained"),))
    found = {
        "undisturbed": undisturbed(study, _home(folder, "undisturbed")),
        "killed": killed(study, _home(folder, "killed")),
        "cold": cold(study, _home(folder, "cold")),
    }
    for name in ("SIGINT", "SIGTERM", "SIGKILL"):
        found[name] = signalled(study, _home(folder, name), getattr(signal, name))
    sys.stdout.write(json.dumps(found) + "\n")


def _home(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


if __name__ == "__main__":
    main()
