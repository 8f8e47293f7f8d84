"""Measuring finished trainings again: what is lacking is added, what is there stays as it is."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch

from uda_study.engine import artifacts, records
from uda_study.engine.job import Home, Job
from uda_study.engine.journal import Finished, Journal, Started
from uda_study.engine.lock import alone
from uda_study.engine.reevaluate import Wanted, reevaluate
from uda_study.engine.retention import drop_model
from uda_study.engine.revisit import Revisit
from uda_study.engine.trial import read_result, run_trial
from uda_study.errors import InputError, StoreError
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.testing.fakes import DAM, SEGMENTER
from uda_study.training import features
from uda_study.training.evaluate import WHOLE_SET, Evaluator
from uda_study.training.reporter import MemoryReporter

CPU = torch.device("cpu")
METRICS = ("dice", "js", "js_within", "ssim")


class MemoryEvaluationLog:
    def __init__(self):
        self.scores = {}

    def evaluated(self, spec, step, scores, folder):
        assert (folder / "cases.csv").is_file()
        self.scores[spec.key] = (step, dict(scores))


class Figure:
    def save(self, path):
        """Draw nothing."""


@pytest.fixture(scope="module")
def specs(study):
    def spec(method, kind, number, params):
        return TrialSpec(study.id, kind, "cell", number, method, "mr->ct", 0, 0, params)

    return [
        spec("no_adaptation", "baseline", 0, dict(SEGMENTER)),
        spec("dam", "search", 0, dict(DAM)),
        spec("dam", "search", 1, {**DAM, "optim.lr": 1e-3}),
    ]


@pytest.fixture(scope="module")
def trained(study, specs, tmp_path_factory):
    """A home in which two trainings have ended and one was stopped early; not to be changed."""
    home = Home(tmp_path_factory.mktemp("trained"))
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "curves_figure", lambda _: Figure())
        patch.setattr(artifacts, "overlay_figure", lambda *_: Figure())
        results = [run_trial(spec, job, MemoryReporter(), CPU) for spec in specs[:2]]
    results.append(TrialResult(specs[2].key, "pruned", 2, {}))
    records.write_study_files(job.folder, study.resolved, study.text, study.data)
    journal = Journal(job.folder / "journal.jsonl")
    for spec, result in zip(specs, results, strict=True):
        journal.write(Started(spec))
        journal.write(Finished(result))
    return home


@pytest.fixture
def home(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture
def evaluate(study, home):
    """Measure, and return what was measured on each training, and the log."""

    def run(*metrics, again=False, study=study, tell=lambda *_: None):
        log = MemoryEvaluationLog()
        wanted = Wanted(metrics or METRICS, again)
        return [e.measured for e in reevaluate(study, home, log, wanted, tell)], log

    return run


def folder(home, spec):
    return home.study(spec.study) / "trials" / spec.key


def cases(home, spec):
    table = pd.read_csv(folder(home, spec) / "cases.csv", dtype=str)
    return table.assign(value=table["value"].astype(float))


def ordered(table):
    return table.sort_values(list(table.columns)).reset_index(drop=True)


def drop(home, spec, metric):
    table = cases(home, spec)
    table[table["metric"] != metric].to_csv(folder(home, spec) / "cases.csv", index=False)


def test_what_a_training_lacks_is_measured_on_its_stored_model_as_if_it_had_been_all_along(
    evaluate, home, specs, monkeypatch
):
    before = cases(home, specs[1])
    drop(home, specs[1], "js_within")
    # Metrics of images need no segmentation.
    monkeypatch.setattr(Evaluator, "_segment", None)
    measured, log = evaluate()
    assert measured == [(), ("js_within",)]
    pd.testing.assert_frame_equal(ordered(cases(home, specs[1])), ordered(before))
    step, scores = log.scores[specs[1].key]
    assert step == 8
    stored = read_result(folder(home, specs[1])).scores
    assert scores.items() <= stored.items()
    assert {"test/js_within", "test/js_within_before"} <= scores.keys()


def test_a_metric_of_labels_needs_no_translation_and_gives_the_same_values(evaluate, home, specs):
    before = cases(home, specs[1])
    drop(home, specs[1], "dice")
    measured, _ = evaluate("dice")
    assert measured == [(), ("dice",)]
    pd.testing.assert_frame_equal(ordered(cases(home, specs[1])), ordered(before))


def test_stored_values_stay_to_the_last_digit_and_a_repetition_changes_nothing(
    evaluate, home, specs
):
    path = folder(home, specs[0]) / "cases.csv"
    table = cases(home, specs[0])
    table.loc[table["metric"] == "dice", "value"] = 0.1 + 0.2
    table.to_csv(path, index=False)
    drop(home, specs[0], "js")
    assert evaluate()[0] == [("js",), ()]
    kept = cases(home, specs[0])
    assert set(kept[kept["metric"] == "dice"]["value"]) == {0.1 + 0.2}
    files = {p: p.stat().st_mtime_ns for p in home.path.rglob("trials/*/*") if p.is_file()}
    measured, log = evaluate()
    assert measured == [(), ()]
    assert {p: p.stat().st_mtime_ns for p in files} == files
    # The log hears of all scores again: an interruption may have kept them from it.
    assert {"test/js", "test/dice"} <= log.scores[specs[0].key][1].keys()


def test_again_measures_anew_what_is_named_and_nothing_else(evaluate, home, specs):
    before = cases(home, specs[0])
    wrong = before.assign(value=-1.0)
    wrong.to_csv(folder(home, specs[0]) / "cases.csv", index=False)
    assert evaluate("dice", "js")[0] == [(), ()]
    assert evaluate("dice", again=True)[0] == [("dice",), ("dice",)]
    after = ordered(cases(home, specs[0]))
    dice = after["metric"] == "dice"
    pd.testing.assert_frame_equal(after[dice], ordered(before)[dice])
    assert (after[~dice]["value"] == -1).all()


def test_an_interrupted_run_goes_on_where_it_was(evaluate, home, specs):
    for spec in specs[:2]:
        drop(home, spec, "js")
    told = []

    def tell(number, total, spec, metrics):
        told.append((number, total, list(metrics)))
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate("js", tell=tell)
    assert told == [(1, 2, ["js"]), (2, 2, ["js"])]
    assert "js" in set(cases(home, specs[0])["metric"])
    assert "js" not in set(cases(home, specs[1])["metric"])
    assert evaluate("js")[0] == [(), ("js",)]


def test_distances_of_sets_are_added_and_undefined_ones_kept_as_such(
    study, home, specs, monkeypatch
):
    monkeypatch.setattr(features, "EPOCHS", (1, 1))
    log, wanted = MemoryEvaluationLog(), Wanted(("fid", "kid"))
    done = list(reevaluate(study, home, log, wanted, lambda *_: None))
    assert [(e.measured, e.undefined) for e in done] == [(("fid", "kid"), ("fid",))] * 2
    table = cases(home, specs[0])
    found = table[table["metric"].isin(["fid", "kid"])]
    assert set(found["case"]) == {WHOLE_SET}
    assert len(found) == 2 * 2 * 2
    scores = log.scores[specs[0].key][1]
    assert "test/kid" in scores
    assert "test/fid" not in scores
    # What is undefined has been measured: it is not tried again.
    assert [e.measured for e in reevaluate(study, home, log, wanted, lambda *_: None)] == [(), ()]


def test_cases_of_two_roles_are_measured_once_and_stand_for_both(study, home, specs, evaluate):
    ((key, data),) = study.data.items()
    same = {**data.split.roles, "target_val": data.split.roles["target_test"]}
    twice = replace(study, data={key: replace(data, split=replace(data.split, roles=same))})
    (home.study(study.id) / "data.json").unlink()
    (home.study(study.id) / "study.yaml").unlink()
    drop(home, specs[0], "js")
    evaluate("js", study=twice)
    table = cases(home, specs[0])
    js = table[table["metric"] == "js"].drop(columns="role")
    assert len(js) == 2 * len(js.drop_duplicates())


def test_models_that_are_gone_are_named_together(evaluate, home, specs):
    for spec in specs[:2]:
        shutil.rmtree(folder(home, spec) / "model")
    with pytest.raises(InputError) as caught:
        evaluate()
    assert [p.where for p in caught.value.problems] == [f"training {s.key}" for s in specs[:2]]


def test_a_model_that_computes_something_else_is_refused(evaluate, home, specs):
    drop(home, specs[0], "js")
    before = cases(home, specs[0])
    place = folder(home, specs[0]) / "round_trip.json"
    place.write_text(place.read_text().replace("[", "[9.0, ", 1))
    with pytest.raises(StoreError, match="does not compute what it did"):
        evaluate()
    pd.testing.assert_frame_equal(cases(home, specs[0]), before)


def test_a_study_without_a_finished_training_has_nothing_to_measure(evaluate, home, study):
    (home.study(study.id) / "journal.jsonl").unlink()
    with pytest.raises(InputError, match="has no finished training"):
        evaluate()


def test_a_study_that_is_being_run_is_left_alone(evaluate, home, study):
    with alone(home.study(study.id)), pytest.raises(InputError, match="by another process"):
        evaluate()


def test_a_training_whose_model_was_dropped_is_passed_over_and_named(study, home, specs):
    drop(home, specs[1], "js_within")
    drop_model(folder(home, specs[1]), home.mirror)
    log = MemoryEvaluationLog()
    told = []
    done = list(reevaluate(study, home, log, Wanted(METRICS), lambda *a: told.append(a[2])))
    assert [(one.measured, one.without_model) for one in done] == [((), ()), ((), ("js_within",))]
    assert told == [specs[0]]
    assert specs[1].key not in log.scores
    with pytest.raises(InputError, match=f"uda-study retrain {study.id} {specs[1].key}"):
        next(Revisit(study, home).segmented(specs[1].key, ["ct0"]))
