"""A training that failed once and then ended well has no trace of its error."""

from pathlib import Path

from toy_study import result, spec, write_trial

from uda_study.study.trial import TrialResult
from uda_study.tracking.query import study_runs
from uda_study.tracking.store import open_store


def test_the_error_of_an_earlier_attempt_is_gone_once_the_training_succeeds(home, folder, make_log):
    place = write_trial(folder, spec())
    (place / "error.txt").write_text("ZeroDivisionError")
    log = make_log()
    log.trial_started(spec(), {})
    log.trial_finished(spec(), TrialResult(spec().key, "failed", 0, {}, "a bug"), place)
    log.close("failed")
    (row,) = study_runs(open_store(home), "toy-1").to_dict("records")
    assert (row["status"], row["message"]) == ("failed", "a bug")
    store = Path(row["artifact_uri"].removeprefix("file://"))
    assert (store / "error.txt").exists()

    (place / "error.txt").unlink()
    log = make_log()
    log.trial_started(spec(), {})
    log.trial_finished(spec(), result(spec(), test_dice=0.7), place)
    log.close("complete")
    (row,) = study_runs(open_store(home), "toy-1").to_dict("records")
    assert (row["status"], row["message"]) == ("complete", "")
    assert not (store / "error.txt").exists()


def test_the_checks_of_a_study_are_attached_to_its_cells(home, folder, make_log):
    (folder / "checks.json").write_text("[]\n")
    make_log().close("complete")
    assert [path for path in home.rglob("checks.json") if path.read_text() == "[]\n"]
