"""Models of a search that are not among the best go, and leave word of it."""

import json

import pytest
from driving import foreman_of, keeping, leave, train, train_all
from simulation import make_queue

from uda_study.engine.retention import MARKER, no_model, tell_dropped, was_dropped
from uda_study.mirror import Mirror
from uda_study.study.retention import ranked
from uda_study.testing.fakes import MemoryRunLog


def models(job, queue, kind):
    keys = [key for key, spec in queue.specs.items() if spec.kind == kind]
    return {key for key in keys if (job.trial_folder(key) / "model").is_dir()}


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_of_each_search_the_best_models_stay_and_of_all_else_every_one(job, keep):
    foreman = foreman_of(keeping(job, study_top_k=keep), make_queue())
    train_all(foreman)
    queue = foreman.queue
    best = [
        key
        for cell in queue.cells
        for key in ranked(queue.specs, queue.results, cell, queue.metric)[:keep]
    ]
    assert models(job, queue, "search") == set(best)
    complete = {key for key, result in queue.results.items() if result.status == "complete"}
    for kind in ("confirm", "baseline"):
        assert models(job, queue, kind) == {k for k in complete if queue.specs[k].kind == kind}
    searched = {key for key in complete if queue.specs[key].kind == "search"}
    assert set(foreman.log.dropped) == searched - set(best)
    assert len(foreman.log.dropped) == len(set(foreman.log.dropped))
    assert all((job.trial_folder(key) / "result.json").is_file() for key in searched)


def test_null_keeps_every_model(job):
    foreman = foreman_of(keeping(job, study_top_k=None), make_queue())
    train_all(foreman)
    results, specs = foreman.queue.results, foreman.queue.specs
    searched = {k for k in results if specs[k].kind == "search"}
    assert models(job, foreman.queue, "search") == {
        key for key in searched if results[key].status == "complete"
    }
    assert foreman.log.dropped == []


def test_while_a_cell_is_searched_twice_as_many_stay(job):
    foreman = foreman_of(keeping(job, study_top_k=1), make_queue(cells=1, num_samples=24))
    (work,) = foreman.queue.cells.values()
    number, most = 0, 0
    while not work.searched:
        train(foreman, str(number))
        number += 1
        if not work.searched:
            most = max(most, len(models(job, foreman.queue, "search")))
    assert most == 2
    assert len(models(job, foreman.queue, "search")) == 1


def test_a_trial_that_was_stopped_when_it_had_its_model_loses_it(job):
    foreman = foreman_of(keeping(job, study_top_k=3), make_queue(cells=1))
    while (spec := foreman.start("t")).kind != "search":
        leave(job, spec)
        foreman.finish("t")
    leave(job, spec)
    foreman.stopped.add(spec.key)
    foreman.finish("t")
    assert foreman.queue.results[spec.key].status == "pruned"
    assert foreman.log.dropped == [spec.key]
    assert was_dropped(job.trial_folder(spec.key))


def test_the_copy_that_machines_share_goes_too_and_word_of_it_stays(job, monkeypatch):
    calls = []
    monkeypatch.setattr(Mirror, "push", lambda _, path: calls.append(("push", path)))
    monkeypatch.setattr(Mirror, "drop", lambda _, path: calls.append(("drop", path)))
    foreman = foreman_of(keeping(job, study_top_k=0), make_queue(cells=1))
    train_all(foreman)
    folders = [job.trial_folder(key) for key in foreman.log.dropped]
    pairs = [[("push", f), ("drop", f / "model")] for f in folders]
    said = [call for call in calls if call[1].name != "checkpoints"]
    assert said == [call for pair in pairs for call in pair]


def test_a_study_goes_on_and_is_searched_further_with_models_dropped(job):
    first = foreman_of(keeping(job, study_top_k=1), make_queue())
    train_all(first)
    longer = make_queue(num_samples=12)
    longer.replay(first.journal.events())
    second = foreman_of(keeping(job, study_top_k=1), longer)
    train_all(second)
    assert longer.done
    assert all(len(w.results) == 12 for w in longer.cells.values())
    assert len(models(job, longer, "search")) <= 2
    assert not set(first.log.dropped) & set(second.log.dropped)


def test_a_later_run_tells_of_what_was_dropped_and_of_nothing_that_is_lost(job):
    foreman = foreman_of(keeping(job, study_top_k=1), make_queue(cells=1))
    train_all(foreman)
    log = MemoryRunLog()
    lost = next(k for k in foreman.queue.results if k not in foreman.log.dropped)
    for path in sorted((job.trial_folder(lost) / "model").glob("*")):
        path.unlink()
    (job.trial_folder(lost) / "model").rmdir()
    for key in foreman.queue.results:
        tell_dropped(log, foreman.queue.specs[key], job.trial_folder(key))
    assert set(log.dropped) == set(foreman.log.dropped)
    said = str(no_model("s-1", log.dropped[0], job.trial_folder(log.dropped[0])))
    assert "was dropped" in said
    assert f"uda-study retrain s-1 {log.dropped[0]}" in said
    assert "restore its folder" in str(no_model("s-1", lost, job.trial_folder(lost)))
    marker = json.loads((job.trial_folder(log.dropped[0]) / MARKER).read_text())
    assert marker == {"dropped": "checkpoint.study_top_k"}
