import hashlib
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from uda_study.errors import Diverged
from uda_study.training.checkpoint import CheckpointStore
from uda_study.training.ranks import Ranks
from uda_study.training.reporter import MemoryReporter
from uda_study.training.trainer import Trainer


class Killed(Exception):
    """Stands for a process that dies."""


class KillingReporter(MemoryReporter):
    def __init__(self, at_step: int) -> None:
        super().__init__()
        self.at_step = at_step

    def report(self, step, scores) -> None:
        if step == self.at_step:
            raise Killed
        super().report(step, scores)


class DyingStore(CheckpointStore):
    """Saves one checkpoint, then the process dies."""

    def save(self, number: int, state: dict[str, Any]) -> None:
        super().save(number, state)
        raise Killed


def digest(module: nn.Module) -> str:
    found = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        found.update(name.encode() + value.numpy().tobytes())
    return found.hexdigest()


def test_reports_come_every_so_many_own_steps_and_at_the_last(make_method, make_trainer):
    reporter = MemoryReporter()
    record = make_trainer(make_method(steps=5), reporter).train()
    assert [step for step, _ in reporter.reports] == [2, 4, 6, 7]  # 2 + 5, segmenter apart
    assert record.step == 7
    assert record.scores == reporter.reports[-1][1]


def test_a_method_with_shared_stages_alone_reports_once_at_step_zero(make_method, make_trainer):
    reporter = MemoryReporter()
    record = make_trainer(make_method("no_adaptation"), reporter).train()
    assert [step for step, _ in reporter.reports] == [0]
    assert set(record.scores) == {"blind/checksum"}


def test_the_record_holds_the_curves_of_all_stages(make_method, make_trainer):
    record = make_trainer(make_method()).train()
    steps = {}
    for stage, step, name, value in record.curve:
        assert isinstance(value, float)
        steps.setdefault((stage, name), []).append(step)
    assert steps == {
        ("source_segmenter", "segmenter/cross_entropy"): [1, 2, 3, 4],
        ("source_segmenter", "segmenter/dice"): [1, 2, 3, 4],
        ("adapt", "critic/wasserstein"): list(range(1, 9)),
        ("adapt", "adapter/wasserstein"): list(range(3, 9)),
        ("own", "blind/checksum"): [2, 4, 6, 8],
    }
    assert set(record.seconds) == {"source_segmenter", "adapt"}


def test_a_shared_stage_is_trained_once_for_all_that_share_it(make_method, make_trainer):
    trained = []
    methods = [make_method(), make_method(depth="g3"), make_method("no_adaptation"), make_method()]
    for number, method in enumerate(methods):
        record = make_trainer(method, place=str(number)).train()
        trained += record.trained_shared
    assert trained == ["source_segmenter"]
    assert digest(methods[0].segmenter) == digest(methods[2].segmenter)
    # Whoever trained it and whoever read it go on from the same weights.
    assert digest(methods[0]) == digest(methods[3])


def test_other_settings_of_a_shared_stage_train_another(make_method, make_trainer):
    first = make_trainer(make_method(), place="a").train()
    second = make_trainer(make_method(segmenter__lr=0.01), place="b").train()
    assert first.trained_shared == second.trained_shared == ["source_segmenter"]


@pytest.mark.parametrize("killed_at", [2, 6, 8])
def test_a_training_killed_at_a_report_goes_on_bit_identically(
    make_method, make_trainer, killed_at
):
    whole, reports = make_method(), MemoryReporter()
    record = make_trainer(whole, reports, place="whole", cache="one").train()

    killing = KillingReporter(killed_at)
    with pytest.raises(Killed):
        make_trainer(make_method(), killing, place="cut", cache="other").train()
    torch.manual_seed(123)  # another process has other random numbers
    resumed, later = make_method(), MemoryReporter()
    again = make_trainer(resumed, later, place="cut", cache="other").train()

    assert digest(resumed) == digest(whole)
    assert killing.reports + later.reports == reports.reports
    assert again.curve == record.curve
    assert again.scores == record.scores


def test_a_training_killed_in_the_shared_stage_goes_on_bit_identically(make_method, make_trainer):
    whole, reports = make_method(), MemoryReporter()
    record = make_trainer(whole, reports, place="whole", cache="one").train()
    cut = make_trainer(make_method(), place="cut", cache="other")
    cut.place = replace(cut.place, checkpoints=DyingStore(cut.place.checkpoints.folder))
    with pytest.raises(Killed):
        cut.train()
    (saved,) = cut.place.checkpoints.folder.iterdir()
    assert int(saved.name) == 2  # of the segmenter's four steps
    resumed, later = make_method(), MemoryReporter()
    again = make_trainer(resumed, later, place="cut", cache="other").train()

    assert digest(resumed) == digest(whole)
    assert later.reports == reports.reports
    assert again.curve == record.curve
    assert again.trained_shared == ["source_segmenter"]


def test_a_damaged_newest_checkpoint_costs_one_interval(make_method, make_trainer, tmp_path):
    whole = make_method()
    make_trainer(whole, place="whole").train()
    with pytest.raises(Killed):
        make_trainer(make_method(), KillingReporter(6), place="cut").train()
    newest = max((tmp_path / "cut" / "checkpoints").iterdir())
    (newest / "state.pt").write_bytes(b"half")
    resumed, later = make_method(), MemoryReporter()
    make_trainer(resumed, later, place="cut").train()
    assert digest(resumed) == digest(whole)
    assert [step for step, _ in later.reports] == [4, 6, 8]


def test_the_shared_stage_that_another_finished_meanwhile_is_taken(make_method, make_trainer):
    cut = make_trainer(make_method(), place="cut")
    cut.place = replace(cut.place, checkpoints=DyingStore(cut.place.checkpoints.folder))
    with pytest.raises(Killed):
        cut.train()
    whole = make_method()
    make_trainer(whole, place="whole").train()
    resumed = make_method()
    record = make_trainer(resumed, place="cut").train()
    assert record.trained_shared == []
    assert digest(resumed) == digest(whole)


def test_a_training_that_diverges_says_where(make_method, make_trainer):
    method = make_method(adversarial_weight=1e30, optim__lr=1e30)
    with pytest.raises(Diverged) as raised:
        make_trainer(method).train()
    assert raised.value.stage == "adapt"


def test_ranks_that_do_not_lead_report_no_scores_even_after_a_resume(make_method, make_trainer):
    with pytest.raises(Killed):
        make_trainer(make_method(), KillingReporter(6)).train()

    class Follower(Ranks):
        @property
        def leads(self) -> bool:
            return False

    follower = make_trainer(make_method(), MemoryReporter())
    assert follower.record.scores
    again = Trainer(
        make_method(),
        follower.data,
        follower.settings,
        replace(follower.place, ranks=Follower()),
        follower.score,
    )
    again.train()
    assert again.place.reporter.reports == [(6, {}), (8, {})]
