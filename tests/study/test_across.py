from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from uda_study.study import ranking
from uda_study.study.across import Across, across, clusters, contenders
from uda_study.study.board import Leaderboard, Row, Summary, Table


def row(method, dice, *, role="method", factors=None, study="s", subjects=None):
    scores = {} if dice is None else {"dice": Summary(dice, None, None, (None, None))}
    return Row(
        study=study, cell=method, method=method, role=role, factors=factors or {}, n_seeds=3,
        seeds_expected=3, provisional=False, scores=scores, structures={},
        subjects=subjects or {"p1": dice, "p2": dice}, by_seed={}, seed_means=(), blind=None,
        trial_counts={}, hours=0.0,
    )  # fmt: skip


def table(pair, *rows, supervision="images"):
    dataset, direction = pair.split(" ")
    return Table(dataset, direction, supervision, "strict", rows)


def board(*tables, by="cell"):
    return Leaderboard("s", "blind/rank_avg", by, tables)


def of(values: dict[str, list[float]]) -> Across:
    """Methods over as many independent pairs as they have values."""
    count = len(next(iter(values.values())))
    tables = [
        table(f"d{i} a->b", *(row(name, dice[i]) for name, dice in values.items()))
        for i in range(count)
    ]
    [found] = across(board(*tables))
    return found


def test_rows_are_ordered_by_the_mean_over_pairs_whatever_the_number_of_subjects():
    many = {f"p{i}": 0.9 for i in range(50)}
    [found] = across(
        board(
            table("d a->b", row("x", 0.9, subjects=many), row("y", 0.7, subjects=many)),
            table("d b->a", row("x", 0.2), row("y", 0.6)),
        )
    )
    assert [(r.label, r.mean_dice) for r in found.rows] == [
        ("y", pytest.approx(0.65)), ("x", pytest.approx(0.55)),
    ]  # fmt: skip
    assert found.rows[0].by_pair == {"d a->b": 0.7, "d b->a": 0.6}
    assert [r.mean_rank for r in found.rows] == [1.5, 1.5]
    assert found.pairs == ("d a->b", "d b->a")


def test_a_setting_that_is_missing_somewhere_is_named_and_ranked_nowhere():
    [found] = across(
        board(
            table("d a->b", row("x", 0.5), row("best", 0.9), row("y", 0.4)),
            table("d b->a", row("x", 0.5), row("best", None), row("y", 0.6)),
        )
    )
    assert [r.label for r in found.rows] == ["x", "y", "best"]
    last = found.rows[-1]
    assert (last.mean_dice, last.mean_rank, last.rank_ci) == (None, None, None)
    assert last.missing == ("d b->a",)
    assert last.by_pair == {"d a->b": 0.9}
    assert [r.mean_rank for r in found.rows[:2]] == [1.5, 1.5]


def test_supervision_classes_and_references_are_kept_apart():
    tables = [
        table(f"d {way}", row(name, 0.5), row("no_adaptation", 0.1, role="lower bound"),
              supervision=supervision)
        for way in ("a->b", "b->a")
        for name, supervision in (("x", "images"), ("y", "labels"))
    ]  # fmt: skip
    found = across(board(*tables))
    assert [(f.supervision, [r.label for r in f.rows]) for f in found] == [
        ("images", ["x"]), ("labels", ["y"]),
    ]  # fmt: skip
    assert found[0].note.startswith("No two confirmed settings")


def test_one_pair_or_single_trials_give_nothing():
    one = table("d a->b", row("x", 0.5), row("y", 0.4))
    assert across(board(one)) == ()
    assert across(board(one, table("d b->a", row("x", 0.5)), by="trial")) == ()


def test_a_setting_that_waits_for_its_confirmation_is_ranked_and_not_tested():
    random = np.random.default_rng(0)
    dice = random.normal(0.7, 0.01, (4, 7)) + np.array([[0.3], [0.2], [0.1], [0]])
    rows = [[row(f"m{m}", float(dice[m, i])) for m in range(4)] for i in range(7)]
    rows[3][1] = replace(rows[3][1], provisional=True)
    [found] = across(board(*(table(f"d{i} a->b", *of_pair) for i, of_pair in enumerate(rows))))
    assert [r.mean_rank for r in found.rows] == [1, 2, 3, 4]
    assert found.friedman_p == pytest.approx(ranking.friedman(dice[[0, 2, 3]]).p)
    assert sorted(found.posthoc) == [("m0", "m2"), ("m0", "m3"), ("m2", "m3")]


def test_a_label_is_the_factors_without_the_direction():
    first = row("dam", 0.5, factors={"depth": 3, "direction": "a->b"})
    plain = row("dam", 0.4, factors={"direction": "a->b"})
    names = [c.label for c in contenders([table("d a->b", first, plain)])]
    assert names == ["dam", "depth 3"]
    assert [c.label for c in contenders([table("d a->b", first)], "method")] == ["dam"]


def test_studies_that_share_a_label_in_a_table_are_told_apart_everywhere():
    tables = [
        table("d a->b", row("x", 0.5, study="s1"), row("x", 0.6, study="s2"), row("y", 0.1)),
        table("d b->a", row("x", 0.4, study="s1"), row("y", 0.1)),
    ]
    found = {c.label: c.dice for c in contenders(tables)}
    assert found["x (s1)"] == {"d a->b": 0.5, "d b->a": 0.4}
    assert found["x (s2)"] == {"d a->b": 0.6}
    assert "y" in found


def test_pairs_that_share_people_are_one_cluster():
    pairs = ["d a->b", "d c->e", "d b->a", "d e->b", "h a->b", "d x->y"]
    assert clusters(pairs) == ((0, 1, 2, 3), (4,), (5,))


def test_below_six_independent_pairs_there_are_mean_ranks_and_no_test():
    values = {"x": [0.9] * 5, "y": [0.8] * 5, "z": [0.7] * 5}
    found = of(values)
    assert found.clusters == 5
    assert found.friedman_p is None
    assert found.posthoc == {}
    assert found.note.startswith("5 independent domain pairs")
    assert [r.mean_rank for r in found.rows] == [1, 2, 3]


def test_two_directions_of_three_datasets_are_three_independent_pairs():
    tables = [
        table(f"d{i} {way}", row("x", 0.9), row("y", 0.8), row("z", 0.7))
        for i in range(3)
        for way in ("a->b", "b->a")
    ]
    [found] = across(board(*tables))
    assert len(found.pairs) == 6
    assert found.clusters == 3
    assert found.friedman_p is None


def test_tests_are_made_on_the_mean_of_a_clusters_pairs():
    random = np.random.default_rng(0)
    dice = random.normal(0.7, 0.05, (4, 7, 2))
    dice[0] += 0.3
    tables = [
        table(f"d{i} {way}", *(row(f"m{m}", float(dice[m, i, w])) for m in range(4)))
        for i in range(7)
        for w, way in enumerate(("a->b", "b->a"))
    ]
    [found] = across(board(*tables))
    expected = ranking.friedman(dice.mean(axis=2))
    assert found.clusters == 7
    assert found.friedman_p == pytest.approx(expected.p)
    p_values = ranking.nemenyi(expected.mean_ranks, 7)
    assert found.posthoc["m0", "m2"] == pytest.approx(p_values[0, 2])
    assert len(found.posthoc) == 6
    assert min(found.posthoc.values()) < 0.05


def test_without_a_friedman_difference_no_two_settings_are_compared():
    found = of({"x": [1, 2, 3, 1, 2, 3], "y": [2, 3, 1, 2, 3, 1], "z": [3, 1, 2, 3, 1, 2]})
    assert found.friedman_p == pytest.approx(1)
    assert found.posthoc == {}
    assert "finds no difference" in found.note


def test_two_settings_get_the_signed_rank_test():
    x, y = [0.9, 0.8, 0.7, 0.9, 0.8, 0.95], [0.89, 0.7, 0.65, 0.7, 0.65, 0.5]
    found = of({"x": x, "y": y})
    assert found.friedman_p is None
    assert found.posthoc == {("x", "y"): pytest.approx(stats.wilcoxon(x, y).pvalue)}
    assert "signed-rank" in found.note


def test_the_two_orders_are_compared_by_kendalls_tau():
    # By mean z is first, by mean rank it is last.
    found = of({"x": [0.6, 0.6, 0.1], "y": [0.5, 0.5, 0.2], "z": [0.4, 0.4, 0.9]})
    assert [r.label for r in found.rows] == ["z", "x", "y"]
    means, ranks = [1.3 / 3, 0.4, 1.7 / 3], [5 / 3, 2, 7 / 3]
    assert found.kendall_tau == pytest.approx(
        stats.kendalltau(means, [-r for r in ranks]).statistic
    )


def test_rank_intervals_draw_subjects_anew_within_every_pair():
    steady = {f"p{i}": 0.5 for i in range(8)}
    torn = {f"p{i}": 0.0 if i < 3 else 0.9 for i in range(8)}
    rows = [row("x", 0.5, subjects=steady), row("y", 0.5625, subjects=torn),
            row("last", 0.1, subjects={f"p{i}": 0.1 for i in range(8)})]  # fmt: skip
    [found] = across(board(table("d a->b", *rows), table("e a->b", *rows)))
    intervals = {r.label: r.rank_ci for r in found.rows}
    assert intervals["x"] == intervals["y"] == (1, 2)
    assert intervals["last"] == (3, 3)


def test_pairs_with_a_single_shared_subject_have_no_rank_interval():
    one = [row("x", 0.5, subjects={"p": 0.5}), row("y", 0.4, subjects={"p": 0.4})]
    [found] = across(board(table("d a->b", *one), table("d b->a", *one)))
    assert [r.rank_ci for r in found.rows] == [None, None]
