"""Each rule, on made-up tables, gives all three verdicts for the reasons that it states."""

import json

import numpy as np
import pandas as pd
import pytest

from uda_study.claims.evidence import Evidence, NotMeasured
from uda_study.claims.rules import (
    Gain,
    Interior,
    MoreInSeeds,
    ShrinkingDivergence,
    Steadier,
    TimesLess,
    UselessDivergence,
)

SEEDS = [1, 2, 3, 4, 5]
SUBJECTS = ["a", "b", "c", "d"]


def evidence(*arms):
    """Return tables of arms ``(method, settings, {metric: values by seed})``.

    Subjects differ from the seed's value by a few thousandths, in every arm in the same way.
    """
    runs, cases = [], []
    for method, settings, metrics in arms:
        for position, seed in enumerate(SEEDS):
            key = f"{method}{settings}{seed}"
            runs.append(
                {"key": key, "seed": seed, "method": method, "params": json.dumps(settings),
                 "status": "complete", "kind": "confirm"}
            )  # fmt: skip
            for metric, values in metrics.items():
                phase = "before" if metric.endswith("_before") else "after"
                for number, subject in enumerate(SUBJECTS):
                    cases.append(
                        {"key": key, "case": subject, "subject": subject, "role": "target_test",
                         "structure": "x", "metric": metric.removesuffix("_before"), "phase": phase,
                         "value": values[position] * (1 + 0.001 * (number - 1.5))}
                    )  # fmt: skip
    return Evidence(pd.DataFrame(runs), pd.DataFrame(cases))


def around(mean, spread=0.01):
    return [mean + spread * offset for offset in (-2, -1, 0, 1, 2)]


def opposite(mean, spread):
    return around(mean, -spread)


def gain(at_least=0.0, **more):
    pair = {"better": {"method": "new"}, "than": {"method": "old"}}
    return Gain(kind="gain", pairs=[pair], at_least=at_least, seeds=SEEDS, **more)


@pytest.mark.parametrize(
    ("new", "old", "at_least", "verdict"),
    [
        (around(0.7), around(0.05), 0.5, "reproduced"),
        (around(0.4), around(0.05), 0.5, "contradicted"),
        (around(0.7, 0.2), opposite(0.1, 0.2), 0.5, "inconclusive"),
        (around(0.55, 0.05), opposite(0.1, 0.05), 0.5, "inconclusive"),
        (around(0.7), around(0.6), 0, "reproduced"),
        (around(0.6), around(0.7), 0, "contradicted"),
        (around(0.6, 0.1), opposite(0.61, 0.1), 0, "inconclusive"),
    ],
)
def test_a_gain_is_judged_by_its_mean_and_its_interval(new, old, at_least, verdict):
    found = gain(at_least).judge(evidence(("new", {}, {"dice": new}), ("old", {}, {"dice": old})))
    assert found.verdict == verdict
    mean = pytest.approx(np.mean(new) - np.mean(old), abs=1e-4)
    assert found.figures["new - old"]["mean"] == mean


def test_one_contradicted_pair_contradicts_and_a_pair_beside_does_not():
    tables = evidence(
        ("new", {}, {"dice": around(0.7)}),
        ("old", {}, {"dice": around(0.6)}),
        ("other", {}, {"dice": around(0.8)}),
    )
    other = {"better": {"method": "new"}, "than": {"method": "other"}}
    alone = gain()
    both = alone.model_copy(update={"pairs": (*alone.pairs, *gain(beside=[other]).beside)})
    assert alone.judge(tables).verdict == "reproduced"
    assert both.judge(tables).verdict == "contradicted"
    assert gain(beside=[other]).judge(tables).verdict == "reproduced"
    assert "new - other" in gain(beside=[other]).judge(tables).figures


def divergence(after, dice, other_after, other_dice):
    """Judge an arm whose excess before is 1, beside another one."""
    rule = ShrinkingDivergence(
        kind="shrinking_divergence", arm={"method": "gan"}, over=[{"method": "none"}], share=0.5,
        in_at_least=4, spearman_below=-0.5, seeds=SEEDS,
    )  # fmt: skip
    before = [1.0] * 5
    return rule.judge(
        evidence(
            ("gan", {}, {"js_excess_before": before, "js_excess": after, "dice": dice}),
            ("none", {}, {"js_excess": other_after, "dice": other_dice}),
        )
    )


def test_a_divergence_that_falls_as_dice_rises_is_reproduced():
    found = divergence(around(0.2), opposite(0.8, 0.01), around(1.0), opposite(0.1, 0.01))
    assert found.verdict == "reproduced"
    assert found.figures["spearman"] == pytest.approx(-1)
    assert found.figures["excess after, of it"][0] == pytest.approx(0.18)


def test_a_divergence_that_stays_is_contradicted_whatever_the_ranks():
    found = divergence(around(0.7), opposite(0.8, 0.01), around(1.0), opposite(0.1, 0.01))
    assert found.verdict == "contradicted"


def test_ranks_that_agree_with_dice_contradict_a_divergence_that_falls():
    found = divergence(around(0.2), around(0.1), around(1.0), around(0.8))
    assert found.verdict == "contradicted"


def test_a_divergence_that_falls_in_three_seeds_is_inconclusive():
    after = [0.2, 0.3, 0.4, 0.6, 0.7]
    found = divergence(after, opposite(0.8, 0.01), around(1.0), opposite(0.1, 0.01))
    assert found.verdict == "inconclusive"


def test_weak_ranks_are_inconclusive():
    found = divergence(around(0.2), [0.1, 0.5, 0.2, 0.4, 0.3], around(1), [0.2, 0.1, 0.4, 0.3, 0.1])
    assert found.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("after", "dice", "verdict"),
    [
        (around(0.3), around(0.04), "reproduced"),
        (around(0.9), around(0.04), "contradicted"),
        ([0.3, 0.3, 0.3, 0.3, 0.9], around(0.04), "inconclusive"),
        (around(0.3), around(0.5), "contradicted"),
        (around(0.3), around(0.1, 0.05), "inconclusive"),
    ],
)
def test_a_divergence_that_falls_without_use_is_judged_by_both(after, dice, verdict):
    rule = UselessDivergence(
        kind="useless_divergence", arm={"method": "match"}, than={"method": "none"}, share=0.5,
        gain_below=0.1, seeds=SEEDS,
    )  # fmt: skip
    tables = evidence(
        ("match", {}, {"js_excess_before": [1.0] * 5, "js_excess": after, "dice": dice}),
        ("none", {}, {"dice": around(0.01, 0.001)}),
    )
    assert rule.judge(tables).verdict == verdict


def more(first, second, errors=None, **rule):
    other = {} if errors is None else {"error": errors}
    tables = evidence(
        ("one", {}, {"m": first, "dice": around(0.5), **({"error": [1.0] * 5} if errors else {})}),
        ("two", {}, {"m": second, "dice": around(0.6), **other}),
    )
    made = MoreInSeeds(
        kind="more_in_seeds", metric="m", larger={"method": "one"}, smaller={"method": "two"},
        in_at_least=4, seeds=SEEDS, **rule,
    )  # fmt: skip
    return made.judge(tables)


def test_seeds_are_counted_for_and_against():
    assert more([2, 2, 2, 2, 0], [1] * 5).verdict == "reproduced"
    assert more([2, 2, 2, 0, 0], [1] * 5).verdict == "inconclusive"
    assert more([2, 0, 0, 0, 0], [1] * 5).verdict == "contradicted"
    assert more([1] * 5, [1] * 5).verdict == "inconclusive"


def test_only_comparable_seeds_count():
    matched = {"metric": "error", "within": 1.5}
    close, far = [1.4, 0.7, 1, 1, 1], [1.6, 0.6, 1, 1, 1]
    assert more([2] * 5, [1] * 5, close, matched=matched).verdict == "reproduced"
    found = more([2] * 5, [1] * 5, far, matched=matched)
    assert found.verdict == "inconclusive"
    assert found.figures["comparable seeds"] == [3, 4, 5]


def test_a_count_that_both_sides_could_reach_is_refused():
    with pytest.raises(ValueError, match="more than half"):
        MoreInSeeds(
            kind="more_in_seeds", metric="m", larger={"method": "a"}, smaller={"method": "b"},
            in_at_least=2, seeds=SEEDS,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("dice", "verdict"),
    [
        ([around(0.2), around(0.7), around(0.5), around(0.4)], "reproduced"),
        ([around(0.2), around(0.3), around(0.4), around(0.6)], "contradicted"),
        ([around(0.2), around(0.6, 0.1), around(0.4), opposite(0.58, 0.1)], "inconclusive"),
        ([around(0.2), around(0.3), around(0.6, 0.1), opposite(0.62, 0.1)], "inconclusive"),
    ],
)
def test_an_interior_value_has_to_beat_both_ends(dice, verdict):
    rule = Interior(
        kind="interior", arm={"method": "dam"}, setting="depth", values=["g1", "g3", "g5", "g9"],
        seeds=SEEDS,
    )  # fmt: skip
    arms = zip(["g1", "g3", "g5", "g9"], dice, strict=True)
    found = rule.judge(evidence(*(("dam", {"depth": d}, {"dice": v}) for d, v in arms)))
    assert found.verdict == verdict
    assert len(found.figures["dice"]) == 4


def test_interior_values_are_corrected_for_their_number():
    """A lucky one of three interior values does not do, where the same one alone would."""
    lucky = [around(0.40, 0.02), [0.46, 0.41, 0.47, 0.44, 0.47], around(0.40, 0.02)]
    few = evidence(*(("dam", {"d": n}, {"dice": v}) for n, v in enumerate(lucky)))
    rule = {"kind": "interior", "arm": {"method": "dam"}, "setting": "d", "seeds": SEEDS}
    alone = Interior(values=[0, 1, 2], **rule)
    dull = [lucky[0], *[around(0.40, 0.02)] * 2, lucky[1], lucky[2]]
    many = evidence(*(("dam", {"d": n}, {"dice": v}) for n, v in enumerate(dull)))
    judged = alone.judge(few), Interior(values=[0, 1, 2, 3, 4], **rule).judge(many)
    assert [found.verdict for found in judged] == ["reproduced", "inconclusive"]


@pytest.mark.parametrize(
    ("unsteady", "steady", "wanted", "verdict"),
    [
        (0.1, 0.01, 2, "reproduced"),
        (0.01, 0.1, 2, "contradicted"),
        (0.03, 0.02, 2, "inconclusive"),
        (0.05, 0.02, 2, "inconclusive"),
        (0.08, 0.02, 5, "inconclusive"),
    ],
)
def test_a_spread_is_judged_by_the_ratio_of_deviations(unsteady, steady, wanted, verdict):
    rule = Steadier(
        kind="steadier",
        steady={"method": "calm"},
        unsteady={"method": "wild"},
        ratio=wanted,
        seeds=SEEDS,
    )
    found = rule.judge(
        evidence(
            ("calm", {}, {"dice": around(0.5, steady)}),
            ("wild", {}, {"dice": around(0.5, unsteady)}),
        )
    )
    assert found.verdict == verdict
    assert found.figures["ratio"] == pytest.approx(unsteady / steady, rel=1e-3)


@pytest.mark.parametrize(
    ("larger", "verdict"),
    [
        ([20, 30, 40, 50, 60], "reproduced"),
        ([2, 3, 2, 3, 2], "contradicted"),
        ([20, 30, 9, 50, 60], "inconclusive"),
    ],
)
def test_times_less_holds_in_every_seed(larger, verdict):
    rule = TimesLess(
        kind="times_less", metrics=["energy"], smaller={"method": "resize"},
        larger={"method": "transposed"}, times=10, seeds=SEEDS,
    )  # fmt: skip
    tables = evidence(
        ("resize", {}, {"energy": [1.0] * 5, "dice": [0.5] * 5}),
        ("transposed", {}, {"energy": larger, "dice": [0.5] * 5}),
    )
    assert rule.judge(tables).verdict == verdict


def test_a_training_that_did_not_finish_is_missing():
    tables = evidence(("new", {}, {"dice": around(0.7)}), ("old", {}, {"dice": around(0.1)}))
    tables.runs.loc[3, "status"] = "diverged"
    with pytest.raises(NotMeasured, match=r"new has no finished training of seed 4"):
        gain().judge(tables)


def test_arms_are_told_apart_by_their_settings():
    tables = evidence(
        ("gan", {"steps": 50}, {"dice": around(0.3)}),
        ("gan", {"steps": 150}, {"dice": around(0.7)}),
    )
    assert tables.dice({"method": "gan", "steps": 150}, SEEDS)[3] == pytest.approx(0.7)
    with pytest.raises(NotMeasured, match=r"gan \(steps 99\)"):
        tables.dice({"method": "gan", "steps": 99}, SEEDS)
