"""A model that is dropped goes from the tracker as well, and comes back with a retraining."""

import os
from pathlib import Path

import pytest
from toy_study import CELL, result, spec, write_trial

from uda_study.engine.retention import drop_model as drop_here
from uda_study.errors import InputError, StoreError
from uda_study.mirror import Mirror
from uda_study.tracking import names
from uda_study.tracking.artifacts import _place, attach, drop_model
from uda_study.tracking.dropped import bring_back, drop_models, no_model
from uda_study.tracking.events import Event
from uda_study.tracking.query import study_runs
from uda_study.tracking.store import open_store
from uda_study.tracking.study_runs import StudyRuns, search_runs


def run_of(home, key):
    client = open_store(home)
    experiment = client.get_experiment_by_name("toy-1")
    runs = search_runs(client, [experiment.experiment_id])
    return next(run for run in runs if run.data.tags.get(names.KEY) == key)


def artifacts(home, key):
    store = Path(run_of(home, key).info.artifact_uri)
    return {str(p.relative_to(store)) for p in store.rglob("*") if p.is_file()}


def finish(log, folder, one):
    log.trial_started(one, {})
    place = write_trial(folder, one)
    log.trial_finished(one, result(one, test_dice=0.7), place)
    return place


def test_the_model_goes_and_everything_else_stays(home, folder, make_log):
    log = make_log()
    finish(log, folder, spec(0))
    place = finish(log, folder, spec(1))
    log.model_dropped(spec(1), place)
    log.close("complete")
    assert "model/config.json" in artifacts(home, spec(0).key)
    assert artifacts(home, spec(1).key) == {"cases.csv", "curves.png", "result.json"}
    run = run_of(home, spec(1).key)
    assert (run.data.tags[names.MODEL], run.info.status) == ("dropped", "FINISHED")
    assert run.data.metrics == {"test/dice": 0.7}


def test_a_model_that_was_dropped_before_it_was_attached_leaves_nothing(home, folder, make_log):
    log = make_log()
    one = spec(0)
    place = write_trial(folder, one)
    drop_here(place, Mirror(home))
    log.trial_started(one, {})
    log.trial_finished(one, result(one), place)
    log.model_dropped(one, place)
    log.close("complete")
    assert "model/config.json" not in artifacts(home, one.key)


def test_a_model_that_vanishes_while_it_is_attached_is_no_error(
    home, folder, make_log, monkeypatch
):
    log = make_log()
    place = finish(log, folder, spec(0))
    log.close("complete")
    run = run_of(home, spec(0).key)

    def vanishing(source, target, *, redacted):
        if source.parent.name == "model":
            source.unlink()
        _place(source, target, redacted=redacted)

    monkeypatch.setattr("uda_study.tracking.artifacts._place", vanishing)
    (place / "model" / "weights").write_text("fresh")
    attach(open_store(home), run, place)
    (place / "curves.csv").write_text("fresh")
    monkeypatch.setattr("uda_study.tracking.artifacts._place", _lose)
    with pytest.raises(FileNotFoundError):
        attach(open_store(home), run, place)


def _lose(source, target, *, redacted):
    source.unlink()
    _place(source, target, redacted=redacted)


def test_dropping_again_asks_the_store_for_nothing(home, folder, make_log, monkeypatch):
    log = make_log()
    place = finish(log, folder, spec(0))
    log.model_dropped(spec(0), place)
    log.close("interrupted")
    monkeypatch.setattr("uda_study.tracking.study_runs.drop_model", None)
    again = make_log()
    again.model_dropped(spec(0), place)
    again.close("complete")
    assert run_of(home, spec(0).key).data.tags[names.MODEL] == "dropped"


def test_what_the_tracker_missed_is_dropped_at_the_next_start(home, folder, make_log, monkeypatch):
    log = make_log(warn=lambda _: None)
    place = finish(log, folder, spec(0))
    broken = pytest.MonkeyPatch()
    broken.setattr("uda_study.tracking.writer.PAUSES", ())
    broken.setattr(StudyRuns, "_drop", lambda *_: (_ for _ in ()).throw(OSError("down")))
    log.model_dropped(spec(0), place)
    log.close("interrupted")
    broken.undo()
    make_log().close("complete")
    assert "model/config.json" not in artifacts(home, spec(0).key)


def test_an_event_survives_the_spool():
    event = Event("dropped", spec(0), 5, folder="trials/x")
    assert Event.from_json(event.to_json()) == event


class Repository:
    """A store that is no folder."""

    def __init__(self, deletes):
        self.deletes, self.files = deletes, {"model"}

    def delete_artifacts(self, path):
        if self.deletes is PermissionError:
            raise PermissionError("/secret/place/bucket: not allowed")
        if self.deletes:
            self.files.discard(path)


class Client:
    def __init__(self, deletes):
        self.repository = Repository(deletes)
        self._tracking_client = self

    def _get_artifact_repo(self, _):
        return self.repository

    def list_artifacts(self, _, path):
        return [path] if path in self.repository.files else []


class Remote:
    class info:  # noqa: N801 - as MLflow spells it
        artifact_uri, run_id = "s3://bucket/toy", "1"


@pytest.mark.parametrize(
    ("deletes", "said"),
    [
        (True, "dropped"),
        (False, "not dropped: the store deletes nothing"),
        (PermissionError, "not dropped: PermissionError: ...: not allowed"),
    ],
)
def test_a_remote_store_is_asked_and_may_refuse(deletes, said):
    assert drop_model(Client(deletes), Remote) == said


def test_the_error_of_a_missing_model_says_whether_it_was_dropped(home, folder, make_log):
    log = make_log()
    finish(log, folder, spec(0))
    log.model_dropped(spec(1), finish(log, folder, spec(1)))
    log.close("complete")
    client = open_store(home)
    rows = {row["key"]: row for row in study_runs(client, "toy-1").to_dict("records")}
    dropped = no_model(client, rows[spec(1).key])
    assert isinstance(dropped, InputError)
    assert f"uda-study retrain toy-1 {spec(1).key}" in str(dropped)
    assert CELL.key in str(dropped)
    assert isinstance(no_model(client, rows[spec(0).key]), StoreError)


def test_models_are_dropped_and_brought_back_after_the_study(home, folder, make_log):
    log = make_log()
    place = finish(log, folder, spec(0))
    finish(log, folder, spec(1))
    log.close("complete")
    drop_models(home, "toy-1", [spec(0).key])
    assert "model/config.json" not in artifacts(home, spec(0).key)
    assert "model/config.json" in artifacts(home, spec(1).key)
    bring_back(home, "toy-1", spec(0).key, place)
    assert "model/config.json" in artifacts(home, spec(0).key)
    assert run_of(home, spec(0).key).data.tags[names.MODEL] != "dropped"
    linked = Path(run_of(home, spec(0).key).info.artifact_uri) / "model" / "config.json"
    assert os.stat(linked).st_ino == os.stat(place / "model" / "config.json").st_ino
