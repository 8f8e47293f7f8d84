"""The order in which a study fills a GPU: first alone, then side by side, and after a resume."""

from collections.abc import Iterator

import pytest
from simulation import STEPS, make_queue, scores_of

from uda_study.engine.budget import Budget
from uda_study.engine.journal import Journal
from uda_study.engine.packing import Machine
from uda_study.engine.room import Room
from uda_study.engine.trial import write_result
from uda_study.engine.tuning import Foreman, QueueSearcher
from uda_study.study.model import ResourcesSpec
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.testing.fakes import MemoryRunLog

GIB = 2.0**30
COSTS = {"cost/gpu_memory_bytes": 16 * GIB, "cost/gpu_total_bytes": 80 * GIB}


class Card:
    """A Tune of one GPU: starts what the searcher gives, in slots without end."""

    def __init__(self, job, folder) -> None:
        self.log = MemoryRunLog()
        journal = Journal(folder / "journal.jsonl")
        self.foreman = Foreman(job, make_queue(), journal, self.log, lambda _: {}, lambda: None)
        self.foreman.queue.replay(journal.events())
        self.foreman.room = Room(ResourcesSpec(), Machine(64, 1))
        for key, result in self.foreman.queue.results.items():
            self.foreman.room.learn(self.foreman.queue.specs[key], result.scores)
        self.searcher = QueueSearcher(self.foreman)
        self.running: dict[str, tuple[TrialSpec, float]] = {}
        self.count = 0

    def fill(self) -> list[tuple[str, float]]:
        """Start all that there is room for; what they are and the GPU that Tune reserves."""
        return [(spec.method, share) for spec, share in self._begun()]

    def _begun(self) -> Iterator[tuple[TrialSpec, float]]:
        while isinstance(config := self.searcher.suggest(str(self.count)), dict):
            assert config["share"]["gpu"] == config["granted"]["gpu"]
            begun = TrialSpec.from_json(config["spec"]), config["share"]["gpu"]
            self.running[str(self.count)] = begun
            self.count += 1
            yield begun

    def report(self, trial_id: str) -> None:
        spec, share = self.running[trial_id]
        self.foreman.report(trial_id, 2, {**COSTS, "cost/gpu_share": share, **scores_of(spec, 2)})

    def end(self, trial_id: str, status="complete", **scores: float) -> None:
        spec, share = self.running.pop(trial_id)
        folder = self.foreman.job.trial_folder(spec.key)
        folder.mkdir(parents=True, exist_ok=True)
        if status != "diverged":
            scores = {**COSTS, "cost/gpu_share": share, **scores_of(spec, STEPS[-1]), **scores}
        write_result(folder, TrialResult(spec.key, status, STEPS[-1], scores))
        self.searcher.on_trial_complete(trial_id)


@pytest.fixture
def card(job, tmp_path) -> Card:
    return Card(job, tmp_path)


def test_the_first_training_of_a_method_is_alone_and_its_like_share(card):
    assert card.fill() == [("no_adaptation", 1.0)]
    card.end("0")
    assert card.fill() == [("no_adaptation", 0.25)]
    card.end("1")
    assert card.fill() == [("dam", 1.0)]
    card.report("2")
    assert card.fill() == []  # its share is known, but the GPU is taken
    card.end("2")
    assert card.fill() == [("dam", 0.25)] * 4
    card.end("4")
    assert card.fill() == [("dam", 0.25)]


def test_a_report_is_enough_to_know_a_peak(card):
    card.fill()
    card.report("0")
    card.end("0", "diverged")
    assert card.fill() == [("no_adaptation", 0.25)]


def test_those_that_wait_keep_their_order(card):
    card.fill()
    card.foreman.waiting.append(card.foreman.queue.next())
    before = list(card.foreman.waiting)
    assert len(before) == 2
    assert card.fill() == []
    assert card.foreman.waiting == before


def test_nothing_overtakes_a_training_that_waits_for_a_whole_gpu(card):
    card.fill()
    card.end("0")
    card.fill()
    handed_out = len(card.foreman.queue.specs)
    assert card.fill() == []
    assert [spec.method for spec in card.foreman.waiting] == ["dam"]
    assert len(card.foreman.queue.specs) == handed_out
    card.end("1")
    assert card.fill() == [("dam", 1.0)]
    assert card.foreman.waiting[0].method == "dam"


def test_a_training_that_waits_was_not_begun(card):
    card.fill()
    started = [event.spec.method for event in card.foreman.journal.events()]
    assert started == ["no_adaptation"]
    assert len(card.log.started) == 1


def test_peaks_of_an_earlier_run_are_known(card, job, tmp_path):
    card.fill()
    card.end("0")
    card.fill()
    card.end("1")
    card.fill()
    card.end("2")
    card.foreman.halt = "interrupted"
    again = Card(job, tmp_path)
    assert again.fill() == [("dam", 0.25)] * 4


def test_what_a_small_share_did_not_hold_is_done_again_with_more(card):
    card.fill()
    card.end("0")
    card.fill()
    spec, _ = card.running["1"]
    card.end("1", "failed", **{"cost/out_of_memory": 1.0})
    assert card.foreman.halt is None
    assert card.foreman.failures == []
    assert card.fill() == [("no_adaptation", 0.5)]
    assert card.running["2"][0] == spec
    card.end("2", "failed", **{"cost/out_of_memory": 1.0})
    assert card.fill() == [("no_adaptation", 1.0)]
    card.end("3", "failed", **{"cost/out_of_memory": 1.0})
    assert card.foreman.halt == "failed"
    assert [failure.key for failure in card.foreman.failures] == [spec.key]


def test_the_budget_is_charged_for_the_share(card):
    now = [0.0]
    card.foreman.budget = Budget(clock=lambda: now[0])
    card.fill()
    now[0] = 100.0
    card.end("0")
    assert card.foreman.budget.used == 100
    card.fill()
    now[0] = 200.0
    card.end("1")
    assert card.foreman.budget.used == 100 + 25
