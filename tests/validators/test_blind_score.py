import math

import pytest

from uda_study.validators._blind import TERMS, blind_score, usable_terms


def scores(entropy: float, entropy_fg: float, consistency: float) -> dict[str, float]:
    return dict(zip(TERMS, (entropy, entropy_fg, consistency), strict=True))


LOWER = scores(-0.5, -1.0, 0.2)
UPPER = scores(-0.1, -0.2, 0.8)


def test_the_bounds_score_zero_and_one() -> None:
    assert blind_score(LOWER, LOWER, UPPER) == 0.0
    assert blind_score(UPPER, LOWER, UPPER) == 1.0


def test_terms_count_alike_after_scaling() -> None:
    assert blind_score(scores(-0.3, -1.0, 0.2), LOWER, UPPER) == pytest.approx(0.5 / 3)
    assert blind_score(scores(-0.5, -0.6, 0.2), LOWER, UPPER) == pytest.approx(0.5 / 3)


def test_each_term_is_clipped_before_the_mean() -> None:
    lower, upper = scores(-0.02, -1.0, 0.2), scores(-0.01, -0.2, 0.8)
    assert blind_score(scores(-1.0, -1.0, 0.2), lower, upper) == pytest.approx(-1 / 3)
    assert blind_score(scores(0.0, -0.2, 0.8), lower, upper) == pytest.approx((1.5 + 1 + 1) / 3)


def test_a_term_that_is_higher_on_the_target_is_left_out() -> None:
    # The source model is sure of the background everywhere on the target.
    lower = scores(-0.01, -1.0, 0.0)
    assert usable_terms(lower, UPPER) == ("entropy_fg", "consistency")
    uncertain = blind_score(scores(-0.9, -0.2, 0.8), lower, UPPER)
    certain = blind_score(scores(-0.1, -0.2, 0.8), lower, UPPER)
    assert uncertain == certain == 1.0


def test_a_term_with_hardly_any_range_is_left_out() -> None:
    lower = UPPER | {"consistency": 0.2}
    nearly = {term: value + 5e-4 for term, value in lower.items()} | {"consistency": 0.8}
    assert usable_terms(lower, nearly) == ("consistency",)


def test_every_model_scores_zero_without_a_usable_term() -> None:
    assert usable_terms(UPPER, LOWER) == ()
    assert blind_score(scores(0, 0, 1), UPPER, LOWER) == 0.0


@pytest.mark.parametrize("broken", [math.nan, -math.inf])
def test_a_score_that_is_not_finite_counts_as_the_worst(broken: float) -> None:
    assert blind_score(UPPER | {"entropy": broken}, LOWER, UPPER) == pytest.approx((-1 + 1 + 1) / 3)


def test_a_bound_that_is_not_a_number_leaves_its_term_out() -> None:
    assert usable_terms(LOWER | {"entropy": math.nan}, UPPER) == ("entropy_fg", "consistency")
