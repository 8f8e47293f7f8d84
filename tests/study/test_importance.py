import json
import math

import numpy as np
import pandas as pd
import pytest

from uda_study.study import importance
from uda_study.study.importance import Importance, comparable, importances, searches

PARAMETERS = {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "steps": {"type": "int", "low": 1, "high": 9},
    "kind": {"type": "categorical", "choices": [True, 1, "one", [1]]},
    "width": 8,
}
CONDITIONAL = {
    "kind": {"type": "categorical", "choices": ["w", "ls"]},
    "clip": {"type": "float", "low": 0, "high": 1, "when": {"kind": "w"}},
}


def run(number: int, params: dict, cell: str = "a", **other) -> dict:
    return {
        "key": f"{cell}{number}", "cell": cell, "kind": "search", "number": number,
        "method": "dam", "direction": "mr->ct", "status": "complete", "factors": "{}",
        "params": json.dumps({"width": 8, **params}), **other,
    }  # fmt: skip


def random_runs(count: int, cell: str = "a", seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [
        run(
            n,
            {
                "lr": float(10 ** rng.uniform(-4, -1)),
                "steps": int(rng.integers(1, 10)),
                "kind": [True, 1, "one", [1]][n % 4],
            },
            cell,
        )
        for n in range(count)
    ]


def of_lr(runs: list[dict]) -> dict[str, float]:
    return {row["key"]: math.log10(json.loads(row["params"])["lr"]) for row in runs}


def by_name(rows: list[Importance]) -> dict[str, Importance]:
    return {row.parameter: row for row in rows}


@pytest.fixture
def few_shuffles(monkeypatch):
    monkeypatch.setattr(importance, "TREES", 4)
    monkeypatch.setattr(importance, "SHUFFLES", 5)


def search_of(runs: list[dict], parameters: dict = PARAMETERS):
    (found,) = searches(pd.DataFrame(runs), parameters)
    return found


def test_what_decides_the_score_is_found_by_both_measures(few_shuffles):
    runs = random_runs(20)
    rows = by_name(importances(search_of(runs), of_lr(runs)))
    assert set(rows) == {"lr", "steps", "kind"}
    for measure in ("variance", "reach"):
        shares = {name: getattr(row, measure) for name, row in rows.items()}
        assert max(shares, key=lambda name: shares[name].value) == "lr"
        assert shares["lr"].stands_out
        assert not shares["steps"].stands_out
        assert 0.7 < shares["lr"].value <= 1
    assert sum(row.reach.value for row in rows.values()) == pytest.approx(1)


def test_equal_runs_give_equal_importances_in_any_order(few_shuffles):
    runs = random_runs(12)
    assert importances(search_of(runs), of_lr(runs)) == importances(
        search_of(runs[::-1]), of_lr(runs)
    )


def test_what_sets_cells_apart_is_not_judged(few_shuffles):
    runs = random_runs(12, "a") + random_runs(12, "b", seed=1)
    far = {row["key"]: of_lr([row])[row["key"]] + 100 * (row["cell"] == "b") for row in runs}
    search = search_of(runs)
    assert search.cells == ("a", "b")
    assert importances(search, far) == importances(search, of_lr(runs))


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_finished_trials_give_nothing(count):
    runs = random_runs(15)
    for row in runs[count:]:
        row["status"] = "failed"
    search = search_of(runs)
    assert importances(search, of_lr(runs)) == []
    assert comparable(search, of_lr(runs)) == (count if count > 1 else 0)


def test_equal_and_missing_scores_give_nothing():
    runs = random_runs(12)
    search = search_of(runs)
    assert importances(search, dict.fromkeys(of_lr(runs), 0.5)) == []
    assert importances(search, dict.fromkeys(of_lr(runs), math.nan)) == []
    assert importances(search, {}) == []


def test_diverged_trials_count_as_the_worst_and_others_not_at_all():
    runs = random_runs(14)
    runs[3]["status"], runs[4]["status"], runs[5]["status"] = "diverged", "pruned", "failed"
    scores = {row["key"]: float(row["number"]) + 1 for row in runs}
    known = importance._known(search_of(runs), scores).set_index("key")["score"]
    assert known["a3"] == 1.0
    assert not {"a4", "a5"} & set(known.index)
    assert len(known) == 12


def test_settings_outside_of_the_ranges_and_lonely_trials_are_left_out():
    runs = [*random_runs(11), *random_runs(1, "lonely")]
    runs[0]["params"] = json.dumps({"lr": 5.0, "steps": 1, "kind": True, "width": 8})
    scores = dict.fromkeys(of_lr(runs), 1.0)
    assert comparable(search_of(runs), scores) == 10


def test_conditional_parameters_are_judged_where_they_count(few_shuffles):
    rng = np.random.default_rng(0)
    runs, scores = [], {}
    for n in range(40):
        kind, clip = ("w", "ls")[n % 2], float(rng.random())
        runs.append(run(n, {"kind": kind, "clip": clip, "lr": float(rng.uniform(1e-3, 0.1))}))
        scores[f"a{n}"] = clip if kind == "w" else float(rng.random())
    search = search_of(runs, {**CONDITIONAL, "lr": PARAMETERS["lr"]})
    assert set(search.settings["a1"]) == {"kind", "lr"}
    rows = by_name(importances(search, scores))
    assert rows["clip"].trials == 20
    assert rows["kind"].trials == 40
    assert rows["clip"].variance.stands_out
    assert not rows["kind"].variance.stands_out


def test_a_parameter_that_varies_alone_has_no_share_of_the_variance(few_shuffles):
    runs = random_runs(12)
    (row,) = importances(search_of(runs, {"lr": PARAMETERS["lr"]}), of_lr(runs))
    assert row.variance is None
    assert row.reach.value == 1
    assert row.reach.stands_out


def test_a_conditional_parameter_that_rarely_counts_has_no_variance(few_shuffles):
    rng = np.random.default_rng(0)
    runs = [
        run(n, {"kind": "w" if n < 4 else "ls", "clip": float(rng.random())}) for n in range(14)
    ]
    scores = {row["key"]: float(row["number"]) for row in runs}
    rows = by_name(importances(search_of(runs, CONDITIONAL), scores))
    assert rows["clip"].variance is None
    assert rows["clip"].trials == 4


def test_nothing_searched_is_no_search():
    frame = pd.DataFrame(random_runs(3))
    assert searches(frame, {"width": 8}) == []
    assert searches(frame[frame["kind"] == "confirm"], PARAMETERS) == []


def test_a_single_choice_is_not_judged(few_shuffles):
    runs = random_runs(12)
    search = search_of(
        runs, {"lr": PARAMETERS["lr"], "width": {"type": "int", "low": 8, "high": 8}}
    )
    assert [row.parameter for row in importances(search, of_lr(runs))] == ["lr"]


def test_methods_search_what_they_have_and_their_own_name_wins():
    runs = [
        run(0, {"lr": 0.5}, "a"),
        run(0, {"beta": 1, "lr": 0.01}, "b", method="cycle"),
    ]
    parameters = {
        "lr": {"type": "float", "low": 0.001, "high": 0.1},
        "dam.lr": {"type": "float", "low": 0.1, "high": 1},
        "beta": {"type": "int", "low": 0, "high": 3},
    }
    cycle, dam = searches(pd.DataFrame(runs), parameters)
    assert (cycle.method, set(cycle.space.parameters)) == ("cycle", {"lr", "beta"})
    assert (dam.method, dam.space.parameters["lr"].high) == ("dam", 1)


def test_conditions_on_factors_and_constants_part_the_cells_of_a_method():
    runs = [
        run(0, {"lr": 0.01, "clip": 0.5, "depth": 3}, "shallow"),
        run(0, {"lr": 0.01, "clip": 0.5, "depth": 5}, "deep"),
        run(0, {"lr": 0.01, "clip": 0.5, "depth": 5}, "back", direction="ct->mr"),
    ]
    parameters = {
        "lr": PARAMETERS["lr"],
        "clip": {
            "type": "float",
            "low": 0,
            "high": 1,
            "when": {"depth": [5], "direction": "mr->ct"},
        },
    }
    found = {s.cells: set(s.space.parameters) for s in searches(pd.DataFrame(runs), parameters)}
    assert found == {("deep",): {"lr", "clip"}, ("back", "shallow"): {"lr"}}


@pytest.mark.parametrize(("n", "share"), [(8, 0.5), (10, 0.5), (20, 0.25), (200, 0.1)])
def test_the_top_is_five_trials_within_limits(n, share):
    assert importance.top_share(n) == share
