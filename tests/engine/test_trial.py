import json
import math
from dataclasses import replace

import pandas as pd
import pytest
import torch

from uda_study.data.postprocess import PostprocessSpec
from uda_study.engine import artifacts
from uda_study.engine.trial import read_result, run_trial, write_result
from uda_study.study.trial import TrialResult
from uda_study.training.evaluate import Evaluator
from uda_study.training.package import load_package
from uda_study.training.reporter import MemoryReporter, Stopped
from uda_study.training.round_trip import predicts_the_same
from uda_study.training.trainer import Trainer

CPU = torch.device("cpu")
FILES = {
    "cases.csv", "curves.csv", "curves.png", "overlays.png", "model", "result.json",
    "round_trip.json", "labels.json",
}  # fmt: skip
BLIND = {"blind/entropy", "blind/entropy_fg", "blind/consistency"}


@pytest.fixture
def no_pictures(monkeypatch) -> None:
    """Drawing takes longer than training; most of these tests look at other things."""

    class Figure:
        def save(self, path) -> None:
            """Draw nothing."""

    monkeypatch.setattr(artifacts, "curves_figure", lambda _: Figure())
    monkeypatch.setattr(artifacts, "overlay_figure", lambda *_: Figure())
    monkeypatch.setattr(artifacts, "translations_figure", lambda *_: Figure())


class Stopping(MemoryReporter):
    def __init__(self, at_step: int) -> None:
        super().__init__()
        self.at_step = at_step

    def report(self, step, scores) -> None:
        super().report(step, scores)
        if step == self.at_step:
            raise Stopped


def run(spec, job, reporter=None):
    return run_trial(spec, job, reporter or MemoryReporter(), CPU)


@pytest.mark.parametrize("method", ["no_adaptation", "dam", "target_supervised"])
def test_a_training_leaves_its_files_and_finite_scores(make_spec, job, study, method):
    spec, reporter = make_spec(method), MemoryReporter()
    result = run(spec, job, reporter)
    folder = job.trial_folder(spec.key)

    assert (result.status, result.message, result.key) == ("complete", None, spec.key)
    assert result.step == (8 if method == "dam" else 0)
    assert {path.name for path in folder.iterdir()} == FILES
    assert all(math.isfinite(value) for value in result.scores.values())
    assert result.scores.keys() >= BLIND | {"test/dice", "oracle/dice", "test/js", "oracle/js"}
    assert [step for step, _ in reporter.reports] == ([2, 4, 6, 8] if method == "dam" else [0])
    assert reporter.reports[-1][1].items() <= result.scores.items()

    cases = pd.read_csv(folder / "cases.csv")
    (data,) = study.data.values()
    for role in ("target_val", "target_test"):
        assert set(cases[cases["role"] == role]["case"]) == set(data.split.roles[role])
    model, config = load_package(folder / "model")
    assert (config.method, config.trial, config.study) == (method, spec.key, study.id)
    assert config.preprocessing == job.preprocessing
    assert predicts_the_same(folder / "model", folder)
    assert model.task == data.task


@pytest.mark.usefixtures("no_pictures")
def test_the_studys_post_processing_is_evaluated_and_packaged(make_spec, job, monkeypatch):
    rules = PostprocessSpec(largest_component=True, fill_holes=("box",))
    changed = replace(job, spec=job.spec.model_copy(update={"postprocess": rules}))
    seen = []
    monkeypatch.setattr(
        "uda_study.training.evaluate.postprocess", lambda _, spec, *__: seen.append(spec)
    )
    spec = make_spec("no_adaptation")
    assert run(spec, changed).status == "complete"
    assert set(seen) == {rules}
    assert load_package(job.trial_folder(spec.key) / "model")[1].postprocess == rules


@pytest.mark.usefixtures("no_pictures")
def test_no_adaptation_has_a_blind_score_of_zero_and_the_upper_bound_none(make_spec, job):
    assert run(make_spec("no_adaptation"), job).scores["blind/score"] == 0.0
    assert "blind/score" not in run(make_spec("target_supervised"), job).scores
    dam = run(make_spec("dam"), job).scores
    assert "blind/critic_w" in dam
    assert "test/dice_before" in dam


@pytest.mark.usefixtures("no_pictures")
def test_the_segmenter_is_trained_once_for_method_and_baseline(make_spec, job):
    first = run(make_spec("no_adaptation"), job)
    second = run(make_spec("dam"), job)
    trained = [r.scores["cost/shared_stages_trained"] for r in (first, second)]
    assert trained == [1.0, 0.0]
    assert second.scores["test/dice_before"] == first.scores["test/dice"]


@pytest.mark.usefixtures("no_pictures")
def test_cases_of_two_roles_are_segmented_once_and_stand_for_both(make_spec, job, monkeypatch):
    ((key, data),) = job.data.items()
    same = {**data.split.roles, "target_val": data.split.roles["target_test"]}
    transductive = replace(data, split=replace(data.split, roles=same))
    asked: list[str] = []
    original = Evaluator.outcomes

    def counted(self, role):
        asked.append(role)
        return original(self, role)

    monkeypatch.setattr(Evaluator, "outcomes", counted)
    spec = make_spec("no_adaptation")
    scores = run(spec, replace(job, data={key: transductive})).scores
    assert asked == ["target_test"]
    assert scores["oracle/dice"] == scores["test/dice"]
    table = pd.read_csv(job.trial_folder(spec.key) / "cases.csv").drop(columns="role")
    assert len(table) == 2 * len(table.drop_duplicates())


@pytest.mark.usefixtures("no_pictures")
def test_a_finished_training_returns_its_stored_result(make_spec, job, monkeypatch):
    spec = make_spec()
    result = run(spec, job)
    monkeypatch.setattr(Trainer, "train", None)
    reporter = MemoryReporter()
    assert run(spec, job, reporter) == result
    assert reporter.reports == []


def test_a_bug_gives_a_failed_result_with_its_traceback(make_spec, job, monkeypatch):
    spec = make_spec()

    def broken(self):
        raise RuntimeError("no such layer")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train", broken)
        result = run(spec, job)
    assert (result.status, result.message) == ("failed", "RuntimeError: no such layer")
    folder = job.trial_folder(spec.key)
    assert "in broken" in (folder / "error.txt").read_text()
    assert read_result(folder) == result
    with pytest.raises(Stopped):
        run(spec, job, Stopping(at_step=2))
    assert read_result(folder) is None  # cut off, and not failed any more
    # Once its cause is mended it is trained, and nothing speaks of the error any more.
    assert run(spec, job).status == "complete"
    assert {path.name for path in folder.iterdir()} == FILES


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_loss_that_is_not_finite_gives_a_diverged_result(make_spec, job):
    spec = make_spec(**{"adversarial_weight": 1e30, "optim.lr": 1e30})
    result = run(spec, job)
    assert result.status == "diverged"
    assert "adapt" in result.message
    assert "is not finite" in result.message
    assert result.scores == {}
    folder = job.trial_folder(spec.key)
    assert not (folder / "error.txt").exists()
    assert not (folder / "checkpoints").exists()
    assert run(spec, job) == result


@pytest.mark.usefixtures("no_pictures")
def test_a_training_that_is_stopped_keeps_its_checkpoints_and_goes_on(make_spec, job):
    spec = make_spec()
    stopping = Stopping(at_step=4)
    with pytest.raises(Stopped):
        run(spec, job, stopping)
    assert read_result(job.trial_folder(spec.key)) is None
    reporter = MemoryReporter()
    result = run(spec, job, reporter)
    assert [step for step, _ in reporter.reports] == [4, 6, 8]
    assert reporter.reports[0] == stopping.reports[-1]
    assert result.status == "complete"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"key": "a", "status'])
def test_a_damaged_result_is_none(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    assert read_result(tmp_path) is None


@pytest.mark.usefixtures("no_pictures")
def test_the_anchors_of_equal_source_models_are_computed_once(make_spec, job):
    run(make_spec("dam"), job)
    anchors = list((job.home.cache / "stages" / "anchors").iterdir())
    run(make_spec("no_adaptation"), job)
    assert list((job.home.cache / "stages" / "anchors").iterdir()) == anchors
    assert set(json.loads(anchors[0].read_text())) == {"lower", "upper"}


def test_a_result_of_another_training_is_none(job, make_spec):
    spec = make_spec()
    folder = job.trial_folder(spec.key)
    folder.mkdir(parents=True)
    for key in ("../../elsewhere", "0123456789ab"):
        write_result(folder, TrialResult(key, "complete", 3))
        assert read_result(folder) is None
    write_result(folder, TrialResult(spec.key, "complete", 3))
    assert read_result(folder) is not None
