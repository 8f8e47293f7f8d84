import json
from pathlib import Path

import pytest
from study_fakes import install_fakes, write_study

from uda_study.errors import InputError
from uda_study.study import duration
from uda_study.study.cells import cells
from uda_study.study.disk import FILES_BYTES, RUN_BYTES, Sizes
from uda_study.study.model import StudySpec
from uda_study.study.plan import plan
from uda_study.study.source import read_study


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fakes(monkeypatch)


@pytest.fixture
def spec(tmp_path: Path) -> StudySpec:
    return read_study(write_study(tmp_path)).spec


def with_scheduler(spec: StudySpec, **values: object) -> StudySpec:
    return spec.model_copy(update={"scheduler": spec.scheduler.model_copy(update=values)})


def test_a_plan_counts_trainings_and_shared_segmenters(spec: StudySpec) -> None:
    made = plan(spec, cells(spec))
    assert (made.cells, made.search_trials, made.confirmations, made.baselines) == (6, 24, 18, 12)
    # Source and target, two directions, three seeds; and the source with the search's seed.
    assert made.shared_stages == 14
    assert made.seconds is None
    assert made.lines() == (
        "plan  6 cells, 24 search trials + 18 confirmations + 12 baselines, 14 segmenters",
        f"      {made.steps} steps, 1 trainings at once, time unknown, disk unknown",
    )


def test_without_early_stopping_steps_add_up(spec: StudySpec) -> None:
    made = plan(with_scheduler(spec, type="none"), cells(spec))
    assert made.steps == (24 + 18) * 1000 + 14 * 100


def test_early_stopping_shortens_the_search_only(spec: StudySpec) -> None:
    stopped = with_scheduler(spec, max_t=1000, grace_period=100, reduction_factor=10)
    made = plan(stopped, cells(spec))
    # Every trial trains 100 steps and one in ten the other 900.
    assert made.steps == 24 * 190 + 18 * 1000 + 14 * 100


def test_time_is_shared_by_the_cores(spec: StudySpec) -> None:
    whole = with_scheduler(spec, type="none")
    cost = {"dam": 0.01, "segmenter": 0.02}
    alone = plan(whole, cells(spec), cost, cores=1)
    assert alone.seconds == pytest.approx(42_000 * 0.01 + 1400 * 0.02)
    four = plan(whole, cells(spec), cost, cores=4)
    assert four.parallel == 4
    assert four.seconds == pytest.approx((42_000 * 0.01 + 1400 * 0.02) / 4)
    assert "about 7 min 28 s" in alone.lines()[1]
    assert plan(whole, cells(spec), {"dam": 0.01}).seconds is None


def test_disk_is_forecast_from_the_sizes_of_checkpoints(spec: StudySpec) -> None:
    small = Sizes(1, 3, 1)
    size = {"dam": Sizes(10, 20, 5), "no_adaptation": small, "target_supervised": small}
    kept = spec.checkpoint.model_copy(update={"study_top_k": 1})
    made = plan(spec.model_copy(update={"checkpoint": kept}), cells(spec), None, 2, size).disk
    assert made is not None
    # Of the two that run: two checkpoints that stay and one in the making, and a model each.
    assert made.checkpoints == 2 * 3 * 20
    # While a cell is searched two models of its four stay.
    assert made.models == (6 * 2 + 18) * 10 + 12 * 1 + 2 * 10
    assert made.files == (24 + 18 + 12) * (FILES_BYTES + RUN_BYTES)
    assert 14 * 1 <= made.stages <= 14 * 5
    assert plan(spec, cells(spec), None, 2, {"dam": small}).disk is None


def test_notes_name_what_should_not_surprise(tmp_path: Path) -> None:
    spec = read_study(
        write_study(tmp_path),
        [
            "parameters.optim.lr.low=5e-4",
            "metric=oracle/dice",
            "data.split.protocol=transductive",
            "budget.time=1m",
        ],
    ).spec
    assert plan(spec, cells(spec), {"dam": 1, "segmenter": 1}).notes == (
        "settings are selected by oracle/dice, which sees target labels",
        "transductive: the images that are adapted to are the ones tested on",
        "the budget of 1m ends the study before it is done",
        "optim.lr: the published 0.0003 of dam is out of range",
    )


def test_a_plan_is_plain_json(spec: StudySpec) -> None:
    assert json.loads(json.dumps(plan(spec, cells(spec)).to_json()))["search_trials"] == 24


def test_durations_are_read_and_written() -> None:
    assert [duration.seconds(text) for text in ("8h", "90m", "1h30m", "2d", "45s")] == [
        28_800, 5400, 5400, 172_800, 45,
    ]  # fmt: skip
    assert duration.readable(0.2) == "0 s"
    assert duration.readable(172_805) == "2 d"


@pytest.mark.parametrize("text", ["", "8", "h", "8 h", "1m1h", "0s", "-1h", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError) as raised:
        duration.seconds(text)
    rule = "must be a time above zero such as 8h, 90m or 1h30m"
    assert str(raised.value) == f"duration: {rule}, got {text!r}"
