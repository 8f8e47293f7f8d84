import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from toy_study import CELL, TAGS, result, spec, write_trial

from uda_study.tracking import names
from uda_study.tracking._mlflow import Run
from uda_study.tracking.events import Event
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.store import open_store
from uda_study.tracking.study_runs import StudyRuns, search_runs
from uda_study.tracking.writer import SPOOL

Make = Callable[..., MlflowRunLog]


def all_runs(home: Path) -> list[Run]:
    client = open_store(home)
    experiment = client.get_experiment_by_name("toy-1")
    assert experiment is not None
    return list(search_runs(client, [experiment.experiment_id]))


def trial_run(home: Path, key: str) -> Run:
    (run,) = [run for run in all_runs(home) if run.data.tags.get(names.KEY) == key]
    return run


def history(home: Path, run: Run, name: str) -> list[tuple[int, float]]:
    found = open_store(home).get_metric_history(run.info.run_id, name)
    return [(metric.step, metric.value) for metric in found]


def test_a_training_becomes_a_run_nested_below_its_cell(home: Path, folder: Path, make_log: Make):
    log = make_log()
    log.trial_started(spec(3), {"optim.lr": 1e-4, "align.type": "wasserstein", "critic.steps": 5})
    log.trial_reported(spec(3), 10, {"blind/score": 0.4})
    log.trial_finished(spec(3), result(spec(3), test_dice=0.7), write_trial(folder, spec(3)))
    log.close("complete")
    run = trial_run(home, spec(3).key)
    (cell,) = [run for run in all_runs(home) if run.data.tags[names.KIND] == "cell"]
    assert run.data.tags["mlflow.parentRunId"] == cell.info.run_id
    assert (cell.info.run_name, run.info.run_name) == ("depth=5", "search 3")
    assert (cell.info.status, run.info.status) == ("FINISHED", "FINISHED")
    assert run.data.params == {
        "optim.lr": "0.0001", "align.type": "wasserstein", "critic.steps": "5",
    }  # fmt: skip
    assert run.data.metrics == {"blind/score": 0.4, "test/dice": 0.7}
    expected = {f"uda.{name}": text for name, text in TAGS.items()} | {
        "uda.study": "toy-1", "uda.cell": "depth=5", "uda.kind": "search", "uda.number": "3",
        "uda.method": "dam", "uda.direction": "mr->ct", "uda.fold": "0", "uda.seed": "0",
        "uda.supervision": "images", "uda.factors": '{"depth": 5}', "uda.status": "complete",
        "mlflow.user": "uda-study",
    }  # fmt: skip
    assert expected.items() <= run.data.tags.items()


def test_files_are_attached_without_checkpoints_and_without_absolute_paths(
    home: Path, folder: Path, make_log: Make
):
    log = make_log()
    log.trial_started(spec(), {})
    log.trial_finished(spec(), result(spec()), write_trial(folder, spec()))
    log.close("complete")
    artifacts = Path(trial_run(home, spec().key).info.artifact_uri)
    found = {str(p.relative_to(artifacts)) for p in artifacts.rglob("*") if p.is_file()}
    assert found == {"cases.csv", "curves.png", "model/config.json", "result.json"}
    assert artifacts.is_relative_to(home / "mlartifacts")
    assert (artifacts / "result.json").read_text() == '{"message": "..."}'
    (cell,) = [run for run in all_runs(home) if run.data.tags[names.KIND] == "cell"]
    attached = Path(cell.info.artifact_uri)
    assert sorted(p.name for p in attached.iterdir()) == [
        "data.json", "environment.txt", "study.yaml",
    ]  # fmt: skip
    assert "/secret" not in (attached / "study.yaml").read_text()


def test_links_in_a_trials_folder_are_not_followed(home: Path, folder: Path, make_log: Make):
    place = write_trial(folder, spec())
    (place / "stolen.csv").symlink_to("/etc/hostname")
    log = make_log()
    log.trial_finished(spec(), result(spec()), place)
    log.close("complete")
    assert not (Path(trial_run(home, spec().key).info.artifact_uri) / "stolen.csv").exists()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("complete", "FINISHED"),
        ("pruned", "FINISHED"),
        ("diverged", "FAILED"),
        ("failed", "FAILED"),
    ],
)
def test_the_exact_ending_is_a_tag(
    home: Path, folder: Path, make_log: Make, status: str, state: str
):
    log = make_log()
    log.trial_started(spec(), {})
    log.trial_finished(spec(), result(spec(), status), folder / "nowhere")
    log.close("complete")
    run = trial_run(home, spec().key)
    assert (run.info.status, run.data.tags["uda.status"]) == (state, status)


def test_an_interrupted_study_marks_what_ran_as_killed(home: Path, make_log: Make):
    log = make_log()
    log.trial_started(spec(), {})
    log.close("interrupted")
    assert {run.info.status for run in all_runs(home)} == {"KILLED"}


def test_a_resumed_study_repeats_itself_without_a_trace(home: Path, folder: Path, make_log: Make):
    place = write_trial(folder, spec())
    for _ in range(3):
        log = make_log()
        log.trial_started(spec(), {"a": 1})
        log.trial_reported(spec(), 10, {"blind/score": 0.4})
        log.trial_reported(spec(), 10, {"blind/score": 0.9})
        log.trial_finished(spec(), result(spec(), blind_score=0.5), place)
        log.close("complete")
    assert len(all_runs(home)) == 2
    run = trial_run(home, spec().key)
    assert history(home, run, "blind/score") == [(10, 0.4), (100, 0.5)]
    assert run.info.status == "FINISHED"


def test_a_training_that_goes_on_after_an_interruption_keeps_its_run(
    home: Path, folder: Path, make_log: Make
):
    log = make_log()
    log.trial_started(spec(), {"a": 1})
    log.trial_reported(spec(), 10, {"blind/score": 0.4})
    log.close("interrupted")
    log = make_log()
    log.trial_started(spec(), {"a": 1})
    log.trial_reported(spec(), 10, {"blind/score": 0.4})
    log.trial_reported(spec(), 20, {"blind/score": 0.5})
    log.trial_finished(spec(), result(spec()), folder / "nowhere")
    log.close("complete")
    run = trial_run(home, spec().key)
    assert history(home, run, "blind/score") == [(10, 0.4), (20, 0.5)]
    assert {run.info.status for run in all_runs(home)} == {"FINISHED"}


def test_runs_of_a_process_that_died_are_reconciled_at_the_next_start(
    home: Path, folder: Path, make_log: Make
):
    program = (
        "import os, sys, time, pathlib\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from toy_study import CELL, TAGS, spec\n"
        "from uda_study.tracking.log import MlflowRunLog\n"
        "log = MlflowRunLog(pathlib.Path(sys.argv[2]), supervision=lambda method: 'images')\n"
        "log.open('toy-1', pathlib.Path(sys.argv[3]), [CELL], TAGS)\n"
        "log.trial_started(spec(), {})\n"
        "while log._writer._queue.qsize() or not log._runs._trials: time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", program, here, str(home), str(folder)]
    assert subprocess.run(command, timeout=120, check=False).returncode == -9
    assert trial_run(home, spec().key).info.status == "RUNNING"
    make_log()
    assert trial_run(home, spec().key).info.status == "KILLED"


def test_values_that_are_not_finite_are_dropped_and_named(home: Path, make_log: Make):
    log = make_log()
    log.trial_started(spec(), {})
    log.trial_reported(spec(), 10, {"blind/score": math.nan, "train/fool": math.inf, "x": 1.0})
    log.close("complete")
    run = trial_run(home, spec().key)
    assert run.data.metrics == {"x": 1.0}
    assert run.data.tags["uda.nonfinite"] == "blind/score,train/fool"


def test_more_than_one_batch_is_written(home: Path, make_log: Make):
    log = make_log()
    log.trial_started(spec(), {f"p{n}": n for n in range(200)})
    for step in range(30):
        log.trial_reported(spec(), step, {f"m{n}": float(n) for n in range(40)})
    log.close("complete")
    run = trial_run(home, spec().key)
    assert len(run.data.params) == 200
    assert len(run.data.metrics) == 40
    assert len(history(home, run, "m0")) == 30


def test_a_baseline_without_a_cell_in_the_matrix_gets_its_own_parent(home: Path, make_log: Make):
    baseline = spec(kind="baseline", cell="no_adaptation mr->ct", method="no_adaptation")
    log = make_log()
    log.trial_started(baseline, {})
    log.close("complete")
    parents = [r.info.run_name for r in all_runs(home) if r.data.tags[names.KIND] == "cell"]
    assert sorted(parents) == ["depth=5", "no_adaptation mr->ct"]


class BrokenTracker:
    """Makes `StudyRuns.write` fail until told otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken = True
        original = StudyRuns.write

        def write(runs: StudyRuns, events: Sequence[Event]) -> None:
            if self.broken:
                raise ConnectionError("no route to host")
            original(runs, events)

        monkeypatch.setattr(StudyRuns, "write", write)
        monkeypatch.setattr("uda_study.tracking.writer.PAUSES", (0.0, 0.0))


def test_a_tracker_that_fails_costs_a_warning_and_nothing_else(
    home: Path, folder: Path, make_log: Make, monkeypatch: pytest.MonkeyPatch
):
    tracker, warnings = BrokenTracker(monkeypatch), []
    log = make_log(warn=warnings.append)
    log.trial_started(spec(), {"a": 1})
    log.trial_finished(spec(), result(spec(), test_dice=0.7), write_trial(folder, spec()))
    log.close("complete")
    assert (folder / SPOOL).exists()
    assert "no route to host" in warnings[0]
    tracker.broken = False
    log = make_log()
    log.close("complete")
    assert not (folder / SPOOL).exists()
    run = trial_run(home, spec().key)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"test/dice": 0.7}
    assert (Path(run.info.artifact_uri) / "cases.csv").exists()


def test_a_failure_after_a_run_was_made_does_not_make_it_twice(
    home: Path, folder: Path, make_log: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("uda_study.tracking.writer.PAUSES", (0.0, 0.0))
    original, calls = StudyRuns._log, []

    def fails_once(runs: StudyRuns, run: str, **what: object) -> None:
        calls.append(run)
        if len(calls) == 2:
            raise ConnectionError("lost")
        original(runs, run, **what)  # type: ignore[arg-type]

    monkeypatch.setattr(StudyRuns, "_log", fails_once)
    log = make_log()
    log.trial_started(spec(), {"a": 1})
    log.close("complete")
    assert len(calls) > 2
    assert trial_run(home, spec().key).data.params == {"a": "1"}


def test_a_spool_that_was_cut_off_loses_only_its_last_line(
    home: Path, folder: Path, make_log: Make
):
    event = Event("started", spec(), 1000, params={"a": 1})
    (folder / SPOOL).write_text(event.to_json() + "\n" + event.to_json()[:20])
    make_log().close("complete")
    assert trial_run(home, spec().key).data.params == {"a": "1"}


def test_no_path_or_user_of_the_machine_is_written_down(tmp_path: Path, folder: Path):
    canary = "canary-5d1f"
    (folder / "environment.txt").write_text(f"pack @ file:///mnt/{canary}/pack.whl\n")
    place = write_trial(folder, spec())
    (place / "error.txt").write_text(f'File "/mnt/{canary}/code.py", line 3')
    program = (
        "import sys, pathlib\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from toy_study import CELL, TAGS, result, spec\n"
        "from dataclasses import replace\n"
        "from uda_study.tracking.log import MlflowRunLog\n"
        "log = MlflowRunLog(pathlib.Path(sys.argv[2]), supervision=lambda method: 'images')\n"
        "folder = pathlib.Path(sys.argv[3])\n"
        "log.open('toy-1', folder, [CELL], TAGS)\n"
        "log.trial_started(spec(), {'note': '/mnt/canary-5d1f/x'})\n"
        "failed = replace(result(spec(), 'failed'), message='no /mnt/canary-5d1f/ct.nii')\n"
        "log.trial_finished(spec(), failed, folder / 'trials' / spec().key)\n"
        "log.close('failed')\n"
    )
    working = tmp_path / canary
    working.mkdir()
    environment = {
        **os.environ, "HOME": str(working), "USER": canary, "LOGNAME": canary,
        "MLFLOW_RUN_CONTEXT": canary, "HOSTNAME": canary,
    }  # fmt: skip
    here, home = str(Path(__file__).parent), tmp_path / "home"
    command = [sys.executable, "-c", program, here, str(home), str(folder)]
    subprocess.run(command, cwd=working, env=environment, check=True, timeout=120)
    # The log is still in the write-ahead file unless it is folded in.
    open_store(home)
    written = [path for path in home.rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {"mlflow.db", "error.txt", "environment.txt"}
    assert [path for path in written if canary.encode() in path.read_bytes()] == []


def test_events_survive_the_way_through_a_file():
    event = Event(
        "finished", spec(), 5, 3, {"a": [1, "b"]}, {"x": 0.1}, ("y",), "pruned", "why", "trials/x"
    )
    assert Event.from_json(event.to_json()) == event


def test_parameters_come_back_as_they_were():
    values = [1, 1e-4, True, None, "text", "3", "true", '"', [1, 2], {"a": "b"}]
    assert [names.decode(names.encode(value)) for value in values] == values
    assert json.loads(names.encode("3")) == "3"


def test_run_names_say_what_a_training_is_for():
    assert names.run_name(spec(3)) == "search 3"
    assert names.run_name(spec(kind="confirm", seed=1)) == "confirm seed 1"
    assert names.run_name(spec(kind="confirm", seed=1, fold=2)) == "confirm seed 1 fold 2"
    baseline = spec(kind="baseline", method="no_adaptation")
    assert names.run_name(baseline) == "no_adaptation seed 0"
    assert CELL.key == "depth=5"
