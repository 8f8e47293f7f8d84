"""Rows of a leaderboard are named by their cell or by words of it."""

import pytest
from made_studies import Made, depths, rising

from uda_study.errors import InputError
from uda_study.study.row_names import find_pair


@pytest.fixture(scope="module")
def made() -> Made:
    return depths()


def test_a_row_is_named_by_its_cell_or_by_words_that_only_it_has(made):
    for a, b in (
        ("depth=g5 direction=mr->ct", "depth=g3 direction=mr->ct"),
        ("g5 mr->ct", "depth=g3"),
        ("mr->ct g5", "g3"),
    ):
        first, second = find_pair(made.sides, made.sides, a, b)
        assert first.name == "depth=g5 direction=mr->ct"
        assert second.name == "depth=g3 direction=mr->ct"


def test_what_one_name_leaves_open_the_others_direction_settles(made):
    first, second = find_pair(made.sides, made.sides, "no_adaptation (lower bound)", "8")
    assert first.name == "no_adaptation direction=mr->ct"
    assert second.name == "depth=g7 width=8 direction=mr->ct"


def test_an_exact_cell_wins_over_a_longer_one_with_the_same_words():
    made = Made().add("depth=g3").add("depth=g3 width=8", lift=rising).add("depth=g5")
    first, _ = find_pair(made.sides, made.sides, "depth=g3 direction=mr->ct", "g5")
    assert first.name == "depth=g3 direction=mr->ct"
    with pytest.raises(InputError, match="A: names more than one row, got 'depth=g3'"):
        find_pair(made.sides, made.sides, "depth=g3", "g5")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("g5", "g3", ["A: names more than one row, got 'g5'", "B: names more than one row"]),
        ("depth=g6", "", ["got 'depth=g6'; did you mean 'depth=g", "B: no row has these words"]),
        ("zzz", "g3", ["choose from 'depth=g5 direction=ct->mr', 'depth=g3 direction=ct->mr'"]),
        ("g5 mr->ct", "g5 mr->ct", ["must be two rows, got 'depth=g5 direction=mr->ct' twice"]),
        ("g5 mr->ct", "g3 ct->mr", ["must be rows of one dataset and one direction"]),
        ("dam mr->ct", "g5 mr->ct", ["A: names more than one row"]),
    ],
)
def test_names_that_fit_no_pair_are_refused_with_the_candidates(made, a, b, expected):
    with pytest.raises(InputError) as caught:
        find_pair(made.sides, made.sides, a, b)
    for text in expected:
        assert text in str(caught.value)


def test_a_row_without_a_finished_training_is_refused():
    made = Made().add("depth=g3").add("depth=g5", kind="search", status="diverged", subjects=())
    with pytest.raises(InputError, match="B: has no finished training"):
        find_pair(made.sides, made.sides, "g3", "g5")
