"""A training whose GPU is too small goes on in parts, or ends and says why."""

from functools import partial
from itertools import pairwise

import pytest
import torch

from uda_study.engine import artifacts
from uda_study.engine.memory_costs import Told, relieved
from uda_study.engine.room import Granted
from uda_study.engine.trial import run_trial
from uda_study.errors import OutOfMemory
from uda_study.methods.dam import Dam
from uda_study.parts.segmenter_training import SegmenterTraining
from uda_study.testing.fake_cuda import FakeCuda
from uda_study.training import accelerator
from uda_study.training.blind import BlindScorer
from uda_study.training.reporter import MemoryReporter

CPU, GPU = torch.device("cpu"), torch.device("cuda")
LACK = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch) -> None:
    class Figure:
        def save(self, path) -> None:
            """Draw nothing."""

    for name in ("curves_figure", "overlay_figure", "translations_figure"):
        monkeypatch.setattr(artifacts, name, lambda *_: Figure())


@pytest.fixture
def hold(monkeypatch):
    """Make the GPU hold so many samples of a stage, from one of its steps on."""

    def limit(kind: type, samples: int, after: int = 0) -> list[int]:
        original, drawn = kind.updates, []

        def updates(self, draw):
            def some():
                batch = draw()
                drawn.append(len(batch.source_image))
                if len(drawn) > after and len(batch.source_image) > samples:
                    raise LACK
                return batch

            return original(self, some)

        monkeypatch.setattr(kind, "updates", updates)
        return drawn

    return limit


def test_a_batch_in_parts_gives_the_scores_of_a_whole_one(make_spec, job, hold):
    spec = make_spec("dam")
    whole = run_trial(spec, job, MemoryReporter(), CPU)
    (job.trial_folder(spec.key) / "result.json").unlink()
    drawn = hold(Dam, 1)
    parts = run_trial(spec, job, MemoryReporter(), CPU)
    assert (whole.scores["cost/accumulation"], parts.scores["cost/accumulation"]) == (1.0, 2.0)
    assert parts.status == "complete"
    compared = [name for name in whole.scores if not name.startswith("cost/")]
    assert len(compared) > 10
    for name in compared:
        assert parts.scores[name] == pytest.approx(whole.scores[name], abs=1e-3, nan_ok=True), name

    drawn.clear()
    (job.trial_folder(spec.key) / "result.json").unlink()
    known = run_trial(spec, job, MemoryReporter(), CPU, granted=Granted(gpu=1.0, parts=2))
    assert known.scores["cost/accumulation"] == 2.0
    assert set(drawn) == {1}


def test_it_goes_on_from_the_newest_checkpoint(make_spec, job, hold):
    drawn = hold(Dam, 1, after=9)
    reporter = MemoryReporter()
    result = run_trial(make_spec("dam"), job, reporter, CPU)
    assert result.status == "complete"
    steps = [step for step, _ in reporter.reports]
    assert steps[0] == 2
    again = next(n for n, (one, two) in enumerate(pairwise(steps)) if one == two)
    assert steps == sorted(steps)
    assert steps[again] > 2
    assert drawn.count(2) == 10


def test_a_single_sample_cannot_be_halved(make_spec, job, hold):
    drawn = hold(Dam, 0)
    result = run_trial(make_spec("dam"), job, MemoryReporter(), CPU)
    assert result.status == "failed"
    assert "stage 'adapt'; lower batch_size" in result.message
    assert result.scores["cost/out_of_memory"] == 1.0
    assert drawn == [2, 1]


def test_a_batch_is_halved_three_times_at_most(make_spec, job, hold):
    drawn = hold(SegmenterTraining, 0)
    spec = make_spec("no_adaptation", **{"segmenter.batch_size": 16})
    assert run_trial(spec, job, MemoryReporter(), CPU).status == "failed"
    assert drawn == [16, 8, 4, 2]


def test_scoring_that_no_gpu_holds_is_named(make_spec, job, monkeypatch):
    lacks = [LACK, LACK]
    monkeypatch.setattr(BlindScorer, "scores", lambda *_: _fail(lacks.pop()))
    result = run_trial(make_spec("no_adaptation"), job, MemoryReporter(), CPU)
    assert (result.status, lacks) == ("failed", [])
    assert "the scoring of images; lower" in result.message


def test_what_is_relieved_frees_memory_before_it_tries_again(monkeypatch):
    fake, lacks = FakeCuda(), [LACK]
    monkeypatch.setattr(accelerator, "cuda", fake)

    def work() -> str:
        if lacks:
            raise lacks.pop()
        return f"done after {fake.calls}"

    assert relieved(work, "it", GPU) == "done after [('empty',)]"
    lacks += [LACK, LACK]
    with pytest.raises(OutOfMemory, match="does not hold it"):
        relieved(work, "it", GPU)
    with pytest.raises(RuntimeError, match="other"):
        relieved(partial(_fail, RuntimeError("other")), "it", GPU)


def _fail(error: Exception) -> None:
    raise error


def test_a_training_tells_its_peaks_from_its_first_report_on(monkeypatch):
    fake, reporter = FakeCuda(), MemoryReporter()
    monkeypatch.setattr(accelerator, "cuda", fake)
    told = Told(reporter, GPU, Granted(0.25, 2))
    told.begin()
    fake.peak = 5
    told.report(2, {"blind/score": 0.5})
    told.report(2, {})
    (_, scores), (_, of_another_rank) = reporter.reports
    expected = {"blind/score": 0.5, "cost/gpu_memory_bytes": 5.0, "cost/gpu_share": 0.25}
    assert scores.items() >= {**expected, "cost/accumulation": 2.0}.items()
    assert of_another_rank == {}
    assert [name for name, *_ in fake.calls] == ["empty", "fraction", "reset"]
