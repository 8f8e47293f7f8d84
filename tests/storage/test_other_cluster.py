"""What one cluster leaves at an address, another goes on with; the driver runs without Ray here."""

import shutil
import time
from dataclasses import replace

import pytest
import torch
from one_process import Lost, Machine

from uda_study.engine import shared_journal
from uda_study.engine.job import Home, Job
from uda_study.engine.journal import JOURNAL, Finished, Journal, Reported, Started
from uda_study.engine.setup import prepare_study
from uda_study.engine.shared_images import fetch_images, needed, push_images
from uda_study.engine.trial import run_trial
from uda_study.errors import InputError, StoreError
from uda_study.mirror import Mirror
from uda_study.study.cells import study_id
from uda_study.training.reporter import MemoryReporter, Stopped

pytestmark = pytest.mark.usefixtures("no_pictures")
CPU = torch.device("cpu")


def results(home: Home, study: str) -> dict:
    """Return what the journal says every training came to, but for seconds."""
    found = {}
    for event in Journal(home.study(study) / JOURNAL).events():
        if isinstance(event, Finished):
            assert event.result.key not in found, "done twice"
            scores = {n: v for n, v in event.result.scores.items() if not n.startswith("cost/")}
            found[event.result.key] = (event.result.status, event.result.step, scores)
    return found


def interrupted_after(count: int) -> Machine:
    machine = Machine()

    def at(number: int) -> None:
        if number == count:
            machine.foreman.halt = "interrupted"

    machine.at = at
    return machine


@pytest.mark.ray
def test_a_study_goes_on_in_an_empty_home_to_the_same_end(tmp_path, tiny, bucket, undisturbed):
    first, second = (Home(tmp_path / name, bucket.address) for name in "ab")
    one, other = interrupted_after(2), Machine()
    assert one.go(tiny, first).status == "interrupted"
    ended = other.go(tiny, second)
    assert ended.status == "complete"
    home, alone = undisturbed
    assert results(second, ended.study) == results(home, alone.study)
    assert len(one.trained) == 2
    assert sorted(one.trained + other.trained) == sorted(results(home, alone.study))
    # What the first has trained is in the second's home and log, with its model.
    for key in one.trained:
        assert (second.study(ended.study) / "trials" / key / "model").is_dir()
    assert set(other.log.finished) == set(results(home, alone.study))


@pytest.mark.ray
def test_a_head_that_is_lost_costs_no_training(tmp_path, tiny, bucket, undisturbed):
    first, second = (Home(tmp_path / name, bucket.address) for name in "ab")
    machine = Machine()

    def at(number: int) -> None:
        if number == 2:
            bucket.fails = lambda *_: 403
            raise Lost

    machine.at = at
    with pytest.MonkeyPatch.context() as patch:
        # Nothing but the starts has reached the address when the head is lost.
        patch.setattr(shared_journal, "PAUSE_S", 1e6)
        with pytest.raises(Lost):
            machine.go(tiny, first)
    bucket.fails = lambda *_: None
    study = study_id(tiny.resolved)
    there = Mirror(first.path, bucket.address).read(first.study(study) / JOURNAL)
    here = (first.study(study) / JOURNAL).read_bytes()
    assert here.startswith(there)
    assert len(there) < len(here)
    other = Machine()
    assert other.go(tiny, second).status == "complete"
    home, alone = undisturbed
    assert results(second, alone.study) == results(home, alone.study)
    assert set(machine.trained).isdisjoint(other.trained)


@pytest.mark.ray
def test_a_training_goes_on_elsewhere_from_its_newest_checkpoint(tmp_path, tiny, bucket):
    home = Home(tmp_path / "home", bucket.address)
    study = prepare_study(tiny, home)
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    push_images(home, study.data)
    spec = study.first_trials[0]

    class Stopping(MemoryReporter):
        def report(self, step, scores) -> None:
            super().report(step, scores)
            if step == 4:
                raise Stopped

    with pytest.raises(Stopped):
        run_trial(spec, job, Stopping(), CPU)
    # Another machine has the same path, and nothing below it.
    home.path.rename(tmp_path / "lost")
    reporter = MemoryReporter()
    result = run_trial(spec, job, reporter, CPU)
    assert result.status == "complete"
    assert [step for step, _ in reporter.reports] == [4, 6, 8]
    assert not any("/checkpoints/" in key for key in bucket.stored())
    # A third machine asks for the same training and is given its result.
    shutil.rmtree(home.path)
    again = MemoryReporter()
    assert run_trial(spec, job, again, CPU) == result
    assert again.reports == []


@pytest.mark.ray
def test_a_shared_stage_is_fetched_and_not_trained_again(tmp_path, tiny, bucket):
    home = Home(tmp_path / "home", bucket.address)
    study = prepare_study(tiny, home)
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    push_images(home, study.data)
    baseline = study.baselines[0]
    searched = replace(study.first_trials[0], seed=baseline.seed)
    first = run_trial(baseline, job, MemoryReporter(), CPU)
    home.path.rename(tmp_path / "lost")
    second = run_trial(searched, job, MemoryReporter(), CPU)
    assert first.scores["cost/shared_stages_trained"] == 1
    assert second.scores["cost/shared_stages_trained"] == 0


def test_labels_come_only_for_cases_that_may_be_opened(tmp_path, tiny, bucket):
    home = Home(tmp_path / "home", bucket.address)
    study = prepare_study(tiny, home)
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    push_images(home, study.data)
    (data,) = study.data.values()
    shutil.rmtree(home.path)
    spec = study.first_trials[0]
    fetch_images(job, spec)
    images = {path.name for path in (home.prepared / "images").iterdir()}
    labels = {path.name for path in (home.prepared / "labels").iterdir()}
    roles = data.split.roles
    assert images == {data.prepared[n].folder.name for names in roles.values() for n in names}
    opened = {
        n for r in ("source_train", "source_val", "target_val", "target_test") for n in roles[r]
    }
    assert labels == {data.prepared[name].label_folder.name for name in opened}
    withheld = set(roles["target_bound"]) - opened
    assert withheld
    bound = replace(spec, method="target_supervised")
    more = needed(data, bound) - needed(data, spec)
    assert more == {data.prepared[name].label_folder for name in withheld}
    bucket.forget()
    fetch_images(job, spec)
    assert sum(bucket.requests.values()) == 0


def test_images_that_are_nowhere_are_named(tmp_path, tiny, bucket):
    home = Home(tmp_path / "home", bucket.address)
    study = prepare_study(tiny, home)
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    shutil.rmtree(home.path)
    with pytest.raises(StoreError, match=r"has no prepared images .* run the study again"):
        fetch_images(job, study.first_trials[0])


@pytest.mark.ray
def test_two_journals_that_went_apart_are_refused_and_both_are_named(tmp_path, tiny, bucket):
    first, second = (Home(tmp_path / name, bucket.address) for name in "ab")
    interrupted_after(1).go(tiny, first)
    study = study_id(tiny.resolved)
    journal = second.study(study) / JOURNAL
    journal.parent.mkdir(parents=True)
    journal.write_text('{"event": "other"}\n')
    with pytest.raises(InputError, match="gone on in two places") as raised:
        Machine().go(tiny, second)
    assert str(journal) in str(raised.value)
    assert f"{bucket.address}/studies/{study}/{JOURNAL}" in str(raised.value)


def test_a_second_run_at_the_same_address_is_noticed(tmp_path, tiny, bucket):
    path = tmp_path / "studies" / "x" / JOURNAL
    path.parent.mkdir(parents=True)
    spec = prepare_study(tiny, Home(tmp_path)).first_trials[0]
    home = Home(tmp_path, bucket.address)
    journal = shared_journal.SharedJournal(path, home.mirror)
    journal.write(Started(spec))
    home.mirror.write(path, b"{}\n")
    with pytest.raises(StoreError, match="another run of study x writes there"):
        journal.write(Started(spec))
    with pytest.raises(StoreError, match="another run of study x writes there"):
        journal.close()


def test_what_is_written_reaches_the_address_within_a_pause(tmp_path, tiny, bucket, monkeypatch):
    monkeypatch.setattr(shared_journal, "PAUSE_S", 0.01)
    home = Home(tmp_path, bucket.address)
    path = home.study("x") / JOURNAL
    path.parent.mkdir(parents=True)
    spec = prepare_study(tiny, Home(tmp_path)).first_trials[0]
    with shared_journal.open_journal(home, path) as journal:
        journal.write(Started(spec))
        journal.write(Reported(spec.key, 2, {"blind/score": 0.5}))
        deadline = time.monotonic() + 20
        while home.mirror.read(path) != path.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.01)
