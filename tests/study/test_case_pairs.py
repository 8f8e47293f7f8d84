"""Two rows of leaderboards, paired by case, subject and seed."""

import json

import numpy as np
import pytest
from made_studies import LIFTS, SUBJECTS, Made, depths, rising

from uda_study.errors import InputError
from uda_study.study import pair_text, rope
from uda_study.study.case_pairs import extremes
from uda_study.study.statistics import compare


@pytest.fixture(scope="module", autouse=True)
def _few_draws():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rope, "DRAWS", rope.AT_ONCE)
        yield


@pytest.fixture(scope="module")
def made() -> Made:
    return depths()


def test_dice_is_compared_as_the_leaderboard_compares_it(made):
    found = made.pair("g5 mr->ct", "g3 mr->ct")
    (table,) = [t for t in made.board.tables if t.direction == "mr->ct"]
    first, second = (r for r in table.rows if "g5" in r.cell or "g3" in r.cell)
    assert found.dice.comparison == compare(first.by_seed, second.by_seed)
    assert found.dice.comparison.difference == pytest.approx(
        np.mean(list(LIFTS.values())) + 0.01 / 3
    )
    assert (found.dice.first, found.dice.second) == pytest.approx((first.dice, second.dice))
    assert (found.seeds, found.subjects, found.left_out) == ((1, 2, 3), SUBJECTS, (0, 0))


def test_p_of_a_pair_with_the_first_row_is_the_leaderboards(made):
    (table,) = [t for t in made.board.tables if t.direction == "mr->ct"]
    against = {row.cell.split()[0]: row.against_first for row in table.rows}
    for one, other in (("g5 mr->ct", "g3 mr->ct"), ("g3 mr->ct", "g5 mr->ct")):
        found = made.pair(one, other)
        assert found.adjusted_for == 3
        assert found.dice.p == against["depth=g3"].p_holm > found.dice.comparison.p
    assert made.pair("g5 mr->ct", "g3 mr->ct").dice.verdict == "better"
    assert made.pair("g3 mr->ct", "g5 mr->ct").dice.verdict == "worse"


def test_p_of_any_other_ranked_pair_is_adjusted_for_all_pairs_and_of_a_baseline_for_none(made):
    found = made.pair("g3 mr->ct", "g7 mr->ct")
    distance = found.measures[1]
    for measure in (found.dice, distance):
        assert measure.p / measure.comparison.p == pytest.approx(3)
    found = made.pair("g3 mr->ct", "no_adaptation")
    assert (found.adjusted_for, found.dice.p) == (0, found.dice.comparison.p)
    assert any("supervision differs" in text for text in pair_text.warnings(found))


def test_smaller_distances_are_better_and_signed_metrics_earn_no_word(made):
    found = {m.metric: m for m in made.pair("g5 mr->ct", "no_adaptation").measures}
    assert list(found) == ["dice", "hd95", "volume_difference"]
    distance = found["hd95"]
    assert distance.comparison.difference < 0
    assert (distance.better, distance.unit, distance.verdict) == ("lower", "mm", "better")
    assert (found["volume_difference"].better, found["volume_difference"].verdict) == (
        "nearest 0", None,
    )  # fmt: skip


def test_equal_values_are_equal_and_close_ones_equivalent_in_dice_alone():
    made = Made().add("depth=g3").add("depth=g5")
    made.add("depth=g7", lift=lambda subject, _: 0.0002 * (subject in "aceg"))
    assert [m.verdict for m in made.pair("g3", "g5").measures[:2]] == ["equal", "equal"]
    near = made.pair("g3", "g7").measures[:2]
    assert [m.verdict for m in near] == ["practically equivalent", "not distinguishable"]


def test_few_subjects_are_described_only():
    few = SUBJECTS[:5]
    made = Made().add("depth=g3", subjects=few).add("depth=g5", lift=rising, subjects=few)
    found = made.pair("g5", "g3")
    assert (found.dice.verdict, found.rope) == ("descriptive only", None)
    assert pair_text.probabilities(found) == ""


def test_rows_of_two_studies_are_paired_over_the_subjects_that_both_have():
    one = Made("one-1").add("depth=g3", subjects=SUBJECTS[:7])
    other = Made("two-2").add("depth=g3", subjects=SUBJECTS[1:], lift=rising, supervision="labels")
    found = one.pair("g3", "g3", other)
    assert (found.subjects, found.left_out) == (SUBJECTS[1:7], (1, 1))
    assert found.dice.comparison.difference == pytest.approx(
        -np.mean([LIFTS[s] for s in SUBJECTS[1:7]]) - 0.01 / 3
    )
    assert len(found.cases) == 6
    assert "left out: 1 subjects that only B was tested on" in pair_text.warnings(found)
    with pytest.raises(InputError, match="must be tested on the same subjects"):
        Made("x-1").add("depth=g3", subjects="ab").pair(
            "g3", "g3", Made("y-1").add("depth=g3", subjects="cd")
        )


def test_rows_that_are_measured_of_other_structures_are_refused():
    other = Made("two-2").add("depth=g3", structures=("heart",))
    with pytest.raises(InputError, match="same structures, got heart, lung and heart"):
        Made("one-1").add("depth=g3").pair("g3", "g3", other)


def test_only_common_seeds_are_paired_and_means_are_over_them():
    made = Made().add("depth=g3", seeds=(2, 3, 4)).add("depth=g5", seeds=(1, 2, 3), lift=rising)
    found = made.pair("g5", "g3")
    assert found.seeds == (2, 3)
    assert found.dice.first - found.dice.second == pytest.approx(found.dice.comparison.difference)
    apart = Made().add("depth=g3", seeds=(4,)).add("depth=g5", seeds=(1, 2), lift=rising)
    found = apart.pair("g5", "g3")
    assert found.seeds == ()
    assert found.dice.first - found.dice.second == pytest.approx(found.dice.comparison.difference)
    assert {case.span for case in found.cases} == {None}
    assert any("no seed is common" in text for text in pair_text.warnings(found))


def test_cases_begin_with_the_largest_difference_and_tell_the_seeds_apart(made):
    found = made.pair("g3 mr->ct", "g5 mr->ct")
    assert [case.subject for case in found.cases] == list("hgfedcba")
    case = found.cases[0]
    assert case.difference == pytest.approx(-LIFTS["h"] - 0.01 / 3)
    assert case.span == pytest.approx((-LIFTS["h"] - 0.03, -LIFTS["h"] + 0.02))
    assert case.others["hd95"][0] - case.others["hd95"][1] == pytest.approx(-20 * case.difference)


def test_the_typical_training_is_nearest_the_mean_over_seeds(made):
    case = made.pair("g3 mr->ct", "g5 mr->ct").cases[0]
    # The first side's seeds are equal; the second's mean lies nearest that of seed 2.
    assert [key[-1] for key in case.typical] == ["1", "2"]


def test_folds_are_put_together_and_each_case_shown_from_the_one_that_tests_it():
    made = Made()
    for fold, subjects in enumerate((SUBJECTS[:4], SUBJECTS[4:])):
        made.add("depth=g3", fold=fold, subjects=subjects)
        made.add("depth=g5", fold=fold, subjects=subjects, lift=rising)
    found, whole = made.pair("g5", "g3"), Made().add("depth=g3").add("depth=g5", lift=rising)
    assert found.dice.comparison == whole.pair("g5", "g3").dice.comparison
    keys = {case.subject: case.typical[0] for case in found.cases}
    assert {keys[subject].split("/")[-2] for subject in "abcd"} == {"0"}
    assert {keys[subject].split("/")[-2] for subject in "efgh"} == {"1"}


def test_extremes_are_the_cases_where_each_side_leads_most():
    def mixed(subject, seed):
        return {"a": 0.1, "b": 0.2, "c": 0.05, "d": -0.1, "e": 0.0}.get(subject, 0.0)

    found = Made().add("depth=g3").add("depth=g5", lift=mixed).pair("g5", "g3")
    assert [case.subject for case in extremes(found, 2)] == ["b", "a", "d"]


def test_structures_are_compared_one_by_one_unless_there_is_but_one(made):
    found = made.pair("g5 mr->ct", "g3 mr->ct")
    assert [(m.metric, m.structure) for m in found.structures[:3]] == [
        ("dice", "heart"), ("dice", "lung"), ("hd95", "heart"),
    ]  # fmt: skip
    heart, lung = found.structures[:2]
    assert lung.first - heart.first == pytest.approx(0.1)
    assert {m.verdict for m in found.structures} == {None}
    single = Made().add("depth=g3", structures=("heart",)).add("depth=g5", structures=("heart",))
    assert single.pair("g3", "g5").structures == ()


def test_values_before_adaptation_of_other_roles_and_unknown_metrics_do_not_count():
    crowded, plain = (Made().add("depth=g3").add("depth=g5", lift=rising) for _ in range(2))
    for run in list(crowded.runs):
        for subject in SUBJECTS:
            crowded.measure(run["key"], subject, "heart", "dice", 0.0, phase="before")
            crowded.measure(run["key"], subject, "heart", "dice", 0.0, role="target_val")
            crowded.measure(run["key"], subject, "heart", "of_a_plugin_that_is_gone", 1.0)
        crowded.measure(run["key"], "(all)", "image", "fid", 9.0)
    found, expected = crowded.pair("g3", "g5"), plain.pair("g3", "g5")
    assert pair_text.to_json(found) == pair_text.to_json(expected)


def test_the_order_of_the_tables_does_not_matter(made):
    shuffled = Made()
    shuffled.runs = made.runs[::-1]
    shuffled.cases = made.cases[::-1]
    assert pair_text.to_json(shuffled.pair("g5 mr->ct", "g3")) == pair_text.to_json(
        made.pair("g5 mr->ct", "g3")
    )


def test_json_and_csv_hold_every_case_and_metric(made):
    found = made.pair("g5 mr->ct", "g3 mr->ct")
    document = json.loads(json.dumps(pair_text.to_json(found), allow_nan=False))
    assert document["a"]["cell"] == "depth=g5 direction=mr->ct"
    assert len(document["a"]["trainings"]) == 3
    assert document["metrics"][0]["verdict"] == "better"
    assert document["rope"]["better"] > 0.9
    assert document["cases"][0]["by_seed"]["a"].keys() == {"1", "2", "3"}
    lines = pair_text.to_csv(found).splitlines()
    assert len(lines) == 1 + 8
    assert lines[0].startswith("case,subject,dice.a,dice.b,dice.difference,dice.difference_low")
    assert lines[0].endswith("volume_difference.difference")
    assert lines[1].startswith("h1,h,")


def test_the_headline_has_verdict_difference_interval_and_p(made):
    text = pair_text.headline(made.pair("g5 mr->ct", "g3 mr->ct"))
    assert text.startswith("A is better than B: A - B = +0.093 Dice, 95% CI [+0.0")
    low, high = made.pair("g5 mr->ct", "g3 mr->ct").dice.comparison.ci95
    assert f"[{low:+.3f}, {high:+.3f}]" in text
    assert "adjusted for 3 pairs 0." in text
    assert "p <0.001" in pair_text.headline(made.pair("g5 mr->ct", "no_adaptation mr->ct"))
    assert "adjusted" not in pair_text.headline(made.pair("g5 mr->ct", "no_adaptation"))


def test_what_departs_from_the_protocol_is_said(made):
    found = Made().add("depth=g3", selection="oracle/dice", protocol="transductive")
    found.add(
        "depth=g5", kind="search", seeds=(0,), selection="oracle/dice", **{"oracle/dice": 1.0}
    )
    texts = " | ".join(pair_text.warnings(found.pair("g3", "g5")))
    assert "A WAS SELECTED WITH TARGET LABELS" in texts
    assert "B is provisional" in texts
    assert "TRANSDUCTIVE" in texts
    assert pair_text.warnings(made.pair("g5 mr->ct", "g3 mr->ct")) == []
