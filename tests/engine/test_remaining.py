"""What is left of a study, told from its settings and its journal."""

import json

from uda_study.engine import records
from uda_study.engine.journal import JOURNAL, Finished, Journal, Retried, Started
from uda_study.engine.remaining import Done, Missing, missing, missing_in
from uda_study.engine.setup import build_queue
from uda_study.study.trial import TrialResult


def of(study, done):
    return missing(study.spec, study.cells, study.baseline_cells, done)


def kinds(found):
    return [(one.kind, one.missing, one.expected) for one in found]


def test_before_anything_is_trained_all_is_missing(study):
    found = of(study, Done({}, {}))
    assert sum(one.missing for one in found) == 2 * (4 + 2) + 2 * 2
    assert str(found[0]) == f"{study.cells[0].key}: 4 of 4 search trials not done"
    per_cell = [("search", 4, 4), ("confirm", 2, 2)]
    assert kinds(found) == per_cell * 2 + [("baseline", 2, 2)] * 2


def test_what_is_missing_is_what_the_queue_still_hands_out(study):
    queue = build_queue(study)
    left = None
    while (spec := queue.next()) is not None:
        entropy = {"blind/entropy": float(spec.number), "blind/score": float(spec.number)}
        status = "diverged" if spec.kind == "search" and spec.number == 3 else "complete"
        queue.finished(TrialResult(spec.key, status, 8, entropy if status == "complete" else {}))
        count = sum(one.missing for one in of(study, Done(queue.specs, queue.results)))
        assert left is None or count == left - 1
        left = count
    assert queue.done
    assert left == 0


def test_where_all_trials_diverged_nothing_is_left_to_confirm(study):
    queue = build_queue(study)
    while (spec := queue.next()) is not None:
        status = "diverged" if spec.kind == "search" else "complete"
        queue.finished(TrialResult(spec.key, status, 8))
    assert of(study, Done(queue.specs, queue.results)) == ()


def test_a_reopened_training_is_missing_again(study):
    spec = build_queue(study).next()
    events = [Started(spec), Finished(TrialResult(spec.key, "diverged", 1))]
    assert len(Done.of(events).results) == 1
    assert Done.of([*events, Retried(spec.key)]).results == {}


def test_the_folder_of_a_study_tells_without_its_images(study, tmp_path):
    assert missing_in(tmp_path) == ()
    records.write_study_files(tmp_path, study.resolved, study.text, study.data)
    queue = build_queue(study)
    journal = Journal(tmp_path / JOURNAL)
    spec = queue.next()
    journal.write(Started(spec))
    journal.write(Finished(TrialResult(spec.key, "complete", 8)))
    expected = of(study, Done({spec.key: spec}, {spec.key: TrialResult(spec.key, "complete", 8)}))
    assert missing_in(tmp_path) == expected
    assert Missing(spec.cell, "baseline", 1, 2) in expected


def test_a_bound_that_the_images_cannot_support_is_not_missing(study, tmp_path):
    records.write_study_files(tmp_path, study.resolved, study.text, study.data)
    data = json.loads((tmp_path / "data.json").read_text())
    for split in data["splits"].values():
        split["roles"]["target_bound"] = []
    (tmp_path / "data.json").write_text(json.dumps(data))
    assert not any("target_supervised" in one.cell for one in missing_in(tmp_path))
    assert any("no_adaptation" in one.cell for one in missing_in(tmp_path))
