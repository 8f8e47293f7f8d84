import optuna
import pytest
from optuna.trial import TrialState

from uda_study.engine.search import CellSearch
from uda_study.study.model import (
    CategoricalParameter,
    FloatParameter,
    IntParameter,
    SearchSpec,
)
from uda_study.study.space import Space

SPACE = Space(
    {
        "lr": FloatParameter(type="float", low=1e-5, high=1e-2, log=True),
        "steps": IntParameter(type="int", low=1, high=9, step=2),
        "align": CategoricalParameter(type="categorical", choices=("wasserstein", "squares")),
        "clip": FloatParameter(type="float", low=0.01, high=0.1, when={"align": "wasserstein"}),
    }
)
PUBLISHED = {"lr": 3e-4, "steps": 5, "align": "wasserstein", "clip": 0.03}


def make(alg: str = "tpe", seed: int = 0, first=(PUBLISHED,), **options) -> CellSearch:
    spec = SearchSpec(alg=alg, num_samples=8, seed=seed)
    return CellSearch("depth=g2", SPACE, spec, first, **options)


def value_of(params) -> float:
    return -abs(params["lr"] - 1e-3) + 0.01 * params["steps"] - params.get("clip", 0.0)


def proposals(search: CellSearch, count: int = 8) -> list:
    found = []
    for number in range(count):
        found.append(search.ask(number))
        search.tell(number, "complete", value_of(found[-1]))
    return found


def states(search: CellSearch) -> list[tuple]:
    trials = [t for t in search._study.trials if t.state is not TrialState.FAIL]
    return [(t.state, t.value) for t in trials]


def test_the_first_trial_is_the_published_setting():
    assert make().ask(0) == PUBLISHED


def test_enqueued_settings_come_next():
    queued = {**PUBLISHED, "lr": 1e-3}
    search = make(first=(PUBLISHED, queued))
    assert [search.ask(0), search.ask(1)] == [PUBLISHED, queued]
    assert search.ask(2) not in (PUBLISHED, queued)


@pytest.mark.parametrize("alg", ["tpe", "random"])
def test_the_same_answers_give_the_same_proposals(alg):
    first = proposals(make(alg))
    assert first == proposals(make(alg))
    assert first[1:] != proposals(make(alg, seed=1))[1:]


def test_tpe_learns_from_the_answers():
    search = make()
    for number in range(8):
        search.tell(number, "complete", -value_of(search.ask(number)))
    assert proposals(make())[-1] != search.ask(8)


@pytest.mark.parametrize("alg", ["tpe", "random"])
def test_proposals_are_settings_of_the_space(alg):
    found = proposals(make(alg), 20)
    assert all(SPACE.contains(params) for params in found)
    assert {params["align"] for params in found} == {"wasserstein", "squares"}
    assert all(("clip" in params) == (params["align"] == "wasserstein") for params in found)


@pytest.mark.parametrize("alg", ["tpe", "random"])
def test_settings_taken_back_teach_what_settings_asked_for_did(alg):
    """As after an interruption; some of them are still running when the next one is asked for."""

    def answer(search: CellSearch, number: int, setting) -> None:
        if number % 3:
            search.tell(number, "complete", value_of(setting))

    asked, settings = make(alg), []
    for number in range(20):
        taken = make(alg)
        for earlier, setting in enumerate(settings):
            taken.take(earlier, setting)
            answer(taken, earlier, setting)
        settings.append(asked.ask(number))
        assert taken.ask(number) == settings[-1]
        answer(asked, number, settings[-1])


def test_a_pruned_trial_counts_with_the_value_it_reached():
    search = make()
    search.ask(0)
    search.report(0, 2, 0.1)
    search.report(0, 4, 0.3)
    search.tell(0, "pruned", 0.3)
    assert states(search) == [(TrialState.PRUNED, 0.3)]


def test_a_diverged_trial_counts_as_the_worst_whatever_it_had_reached():
    search = make()
    search.ask(0)
    search.report(0, 4, 0.9)
    search.tell(0, "diverged", 0.9)
    (trial,) = (t for t in search._study.trials if t.state is not TrialState.FAIL)
    assert trial.state is TrialState.PRUNED
    assert trial.value is None
    assert trial.intermediate_values == {}


def test_a_diverged_trial_is_never_the_best():
    search = make()
    for number, (status, value) in enumerate(
        [("complete", 0.1), ("diverged", 9.0), ("complete", 0.2), ("pruned", 5.0)]
    ):
        search.ask(number)
        search.tell(number, status, value)
    assert search._study.best_value == 0.2


def test_the_direction_is_the_studys():
    low, high = make(maximise=False), make()
    assert low._study.direction is optuna.study.StudyDirection.MINIMIZE
    assert high._study.direction is optuna.study.StudyDirection.MAXIMIZE


@pytest.mark.parametrize(
    "outside",
    [{**PUBLISHED, "lr": 1.0}, {"lr": 1e-4}, {**PUBLISHED, "steps": 4}],
    ids=["out of range", "incomplete", "between steps"],
)
def test_a_setting_outside_of_the_space_is_run_but_not_learnt_from(outside):
    search = make(first=(outside,))
    assert search.ask(0) == outside
    search.report(0, 1, 0.5)
    search.tell(0, "complete", 0.5)
    assert search._study.trials == []
    assert SPACE.contains(search.ask(1))


def test_a_trial_is_told_once():
    search = make()
    search.ask(0)
    search.tell(0, "complete", 0.5)
    search.tell(0, "pruned", 0.1)
    assert states(search) == [(TrialState.COMPLETE, 0.5)]


def test_a_failed_trial_teaches_nothing():
    search = make()
    search.ask(0)
    search.tell(0, "failed", None)
    assert states(search) == []
