import warnings

import numpy as np
import pytest
from scipy import optimize, special, stats

from uda_study.study import mixed
from uda_study.study.mixed import mixed_model

SUBJECTS, SEEDS = 20, 5


def logits(methods, seed=0, subjects=SUBJECTS, seeds=SEEDS, luck=0.2):
    random = np.random.default_rng(seed)
    return (
        1.0
        + random.normal(0, 0.6, (1, subjects, 1))
        + random.normal(0, 0.3, (1, 1, seeds))
        + random.normal(0, 0.25, (methods, subjects, 1))
        + random.normal(0, luck, (methods, 1, seeds))
        + random.normal(0, 0.1, (methods, subjects, seeds))
    )


def of(table, pair="d a->b"):
    """Values by label, pair, subject and seed from logits ``(methods, subjects, seeds)``."""
    return {
        f"m{m}": {pair: {f"s{i}": dict(enumerate(row)) for i, row in enumerate(part.tolist())}}
        for m, part in enumerate(special.expit(table))
    }


def joined(*tables):
    """Several pairs: datasets d0, d1, ..."""
    parts = [of(table, f"d{i} a->b") for i, table in enumerate(tables)]
    return {label: {k: v for part in parts for k, v in part[label].items()} for label in parts[0]}


def mean_squares(y):
    """The analysis of variance of method x subject x seed: interactions with the method, rest."""
    k, n, s = y.shape
    total = y.mean()
    method = y.mean((1, 2), keepdims=True)
    per_subject, per_seed = y.mean(2, keepdims=True), y.mean(1, keepdims=True)
    subject, seed = y.mean((0, 2), keepdims=True), y.mean((0, 1), keepdims=True)
    both = y.mean(0, keepdims=True)
    of_subjects = s * ((per_subject - method - subject + total) ** 2).sum() / ((k - 1) * (n - 1))
    of_seeds = n * ((per_seed - method - seed + total) ** 2).sum() / ((k - 1) * (s - 1))
    rest = y - per_subject - per_seed - both + method + subject + seed - total
    return of_subjects, of_seeds, (rest**2).sum() / ((k - 1) * (n - 1) * (s - 1))


def test_with_all_values_there_it_is_the_analysis_of_variance():
    y = logits(4)
    found = mixed_model(of(y))
    of_subjects, of_seeds, of_rest = mean_squares(y)
    variance = 2 * (of_subjects + of_seeds - of_rest) / (SUBJECTS * SEEDS)
    freedom = (of_subjects + of_seeds - of_rest) ** 2 / (
        of_subjects**2 / (3 * 19) + of_seeds**2 / (3 * 4) + of_rest**2 / (3 * 19 * 4)
    )
    assert found.freedom == pytest.approx(freedom, rel=1e-3)
    for index, difference in enumerate(found.differences, 1):
        shift = y[index].mean() - y[0].mean()
        margin = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
        assert difference.logit == pytest.approx(shift)
        assert difference.logit_ci95 == pytest.approx((shift - margin, shift + margin), abs=1e-4)
        p = 2 * stats.t.sf(abs(shift) / np.sqrt(variance), freedom)
        assert difference.p == pytest.approx(p, abs=1e-3)
    deviations = found.deviations
    assert deviations["rest"] == pytest.approx(np.sqrt(of_rest), rel=1e-3)
    expected = np.sqrt((of_seeds - of_rest) / SUBJECTS)
    assert deviations["method:seed"] == pytest.approx(expected, rel=1e-3)


def test_what_all_methods_share_changes_nothing():
    y = logits(3)
    shared = np.random.default_rng(9).normal(0, 1, (1, SUBJECTS, SEEDS))
    before, after = mixed_model(of(y)), mixed_model(of(y * 1.0 + 0.3 * shared))
    for a, b in zip(before.differences, after.differences, strict=True):
        assert b.logit_ci95 == pytest.approx(a.logit_ci95, abs=1e-6)


def test_intervals_are_given_in_dice_at_the_first_methods_level():
    y = logits(2)
    y[1] += 2
    found = mixed_model(of(y))
    [difference] = found.differences
    level = y[0].mean()
    assert found.first == "m0"
    assert found.level == pytest.approx(special.expit(level))
    assert difference.dice == pytest.approx(
        special.expit(level + difference.logit) - special.expit(level)
    )
    low, high = difference.dice_ci95
    assert 0 < low < difference.dice < high < 1 - found.level
    assert difference.p_holm < 0.05


def test_p_is_adjusted_for_all_pairs_of_methods():
    y = logits(4, seed=3)
    y[1] += y[0].mean() - y[1].mean() + 0.5
    found = mixed_model(of(y))
    smallest = min(found.differences, key=lambda d: d.p)
    assert smallest.p_holm == pytest.approx(6 * smallest.p)
    assert smallest.p_holm < 0.9


def test_a_lucky_seed_widens_the_interval():
    narrow, wide = (mixed_model(of(logits(3, luck=luck))) for luck in (0.0, 0.5))
    widths = [np.ptp(found.differences[0].logit_ci95) for found in (narrow, wide)]
    assert widths[1] > 2 * widths[0]
    assert wide.freedom < 20


def test_dice_of_0_and_1_are_moved_off_by_half_of_the_rope_and_counted():
    values = of(logits(2))
    values["m1"]["d a->b"]["s0"] = dict.fromkeys(range(SEEDS), 0.0)
    values["m0"]["d a->b"]["s1"][0] = 1.0
    found = mixed_model(values)
    assert mixed.CLIP == 0.005
    assert found.clipped == SEEDS + 1
    assert np.isfinite(found.differences[0].logit_ci95).all()


def test_few_subjects_or_seeds_are_a_reason():
    for subjects, seeds, said in ((19, 5, "19 subjects and 5 seeds"), (20, 4, "4 seeds")):
        found = mixed_model(of(logits(2, subjects=subjects, seeds=seeds)))
        assert found.differences == ()
        assert said in found.reason
        assert "20 and 5 are needed" in found.reason


def test_only_subjects_and_seeds_that_all_methods_have_count():
    values = of(logits(3, subjects=22))
    del values["m1"]["d a->b"]["s3"]
    values["m2"]["d a->b"]["s4"][99] = 0.5
    found = mixed_model(values)
    assert (found.subjects, found.seeds) == (21, 5)
    del values["m1"]["d a->b"]["s5"][0]
    assert "4 seeds" in mixed_model(values).reason


def test_methods_without_a_common_subject_are_a_reason():
    values = of(logits(2))
    values["m1"]["d a->b"] = {"other": dict.fromkeys(range(5), 0.5)}
    assert "0 subjects and 0 seeds" in mixed_model(values).reason
    assert "nothing to compare" in mixed_model({"m0": values["m0"]}).reason
    assert "nothing to compare" in mixed_model({}).reason


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_differences_that_do_not_vary_are_a_reason_and_no_warning(shift):
    one = logits(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mixed_model(of(np.concatenate([one, one + shift])))
    assert found.reason == "the differences between the methods do not vary"


def test_over_pairs_the_methods_effect_of_a_pair_widens_the_interval():
    shifts = np.random.default_rng(2).normal(0, 0.6, (3, 3, 1, 1))
    tables = [logits(3, seed=i, subjects=8) + shifts[i] for i in range(3)]
    found = mixed_model(joined(*tables))
    assert (found.subjects, found.seeds, found.pairs) == (24, 5, 3)
    assert found.note == ""
    assert found.deviations["method:pair"] > 0.2
    assert found.freedom < 8


def test_without_an_effect_of_the_pair_converging_it_is_left_out(monkeypatch):
    tables = [logits(2, seed=i, subjects=10) for i in range(2)]
    fit = mixed._fit
    monkeypatch.setattr(
        mixed, "_fit", lambda *given: None if "method:pair" in given[2] else fit(*given)
    )
    found = mixed_model(joined(*tables))
    assert found.differences
    assert "method:pair" not in found.deviations
    assert "left out" in found.note


def test_a_person_in_two_pairs_is_one_subject():
    table = logits(2)
    parts = [of(table, "d a->c"), of(table, "d b->c")]
    values = {label: {**parts[0][label], **parts[1][label]} for label in parts[0]}
    assert mixed_model(values).subjects == SUBJECTS


def test_several_pairs_of_different_sizes_are_fitted_as_by_statsmodels():
    # statsmodels 0.15.0: MixedLM of the contrasts by restricted likelihood, one variance component
    # per effect.
    shifts = np.random.default_rng(2).normal(0, 0.6, (3, 3, 1, 1))
    sizes = ((13, 5), (8, 7), (6, 6))
    tables = [
        logits(3, seed=i + 1, subjects=n, seeds=s) + shifts[i] for i, (n, s) in enumerate(sizes)
    ]
    found = mixed_model(joined(*tables))
    assert found.deviations == pytest.approx(
        {
            "method:subject": 0.233938,
            "method:seed": 0.206301,
            "method:pair": 0.806732,
            "rest": 0.101622,
        },
        rel=1e-3,
    )
    assert [d.logit for d in found.differences] == pytest.approx([0.899772, 0.875061], abs=1e-5)


@pytest.mark.parametrize("axis", [1, 2])
def test_without_a_rest_there_is_no_fit_and_no_warning(axis):
    y = logits(3)
    table = np.broadcast_to(y.mean(axis=axis, keepdims=True), y.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mixed_model(of(table)).reason == "the fit did not converge"


def test_effects_of_no_size_are_no_failure():
    random = np.random.default_rng(0)
    shared = random.normal(1, 0.5, (1, SUBJECTS, 1))
    for _ in range(20):
        found = mixed_model(of(shared + random.normal(0, 0.01, (2, SUBJECTS, SEEDS))))
        assert found.reason is None
    assert min(found.deviations.values()) < 0.002


def test_a_search_that_does_not_converge_is_a_reason(monkeypatch):
    failed = optimize.OptimizeResult(success=False, x=np.ones(2))
    monkeypatch.setattr(mixed.optimize, "minimize", lambda *_, **__: failed)
    assert mixed_model(of(logits(2))).reason == "the fit did not converge"
