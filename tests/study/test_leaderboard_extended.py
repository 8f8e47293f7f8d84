"""What an extended search changes, and how the cost of shared stages is shared out."""

import pytest
from test_leaderboard import BASE, Study, blind, rows


def extended(top_k: int) -> Study:
    """A cell that confirmed setting 1; five more trials later, setting 2 is chosen."""
    study = Study(top_k=top_k)
    for number, score in ((0, 0.1), (1, 0.5), (2, 0.9)):
        study.add(
            "deep", "search", number, 0, BASE, params=f'{{"a": {number}}}', scores=blind(score)
        )
    for number, seed, dice in ((1, 1, 0.3), (1, 2, 0.3), (2, 1, 0.7), (2, 2, 0.7)):
        # The blind score of the old confirmations is the higher one: it must not decide.
        scores = blind(2.0 - number / 10)
        study.add("deep", "confirm", number, seed, dice, params=f'{{"a": {number}}}', scores=scores)
    return study


def test_after_an_extension_what_is_chosen_now_stands_for_the_cell():
    (row,) = rows(extended(top_k=1).board())
    assert row.dice == pytest.approx(0.7)
    assert row.n_seeds == 2


def test_with_several_settings_to_confirm_the_blind_score_still_decides_among_them():
    (row,) = rows(extended(top_k=2).board())
    assert row.dice == pytest.approx(0.3)


def test_where_it_is_unknown_how_many_were_chosen_nothing_is_left_out():
    (row,) = rows(extended(top_k=0).board())
    assert row.dice == pytest.approx(0.3)


def test_another_rule_keeps_the_confirmations_of_a_cell_without_a_search():
    study = Study()
    for seed in (1, 2, 3):
        study.add("deep", "confirm", 0, seed, BASE, scores=blind(0.3))
    (row,) = rows(study.board(select="entropy"))
    assert (row.n_seeds, row.provisional) == (3, False)


def test_a_shared_stage_costs_all_that_could_read_it_alike():
    study = Study()
    study.add("deep", "confirm", 0, 1, BASE, **cost(1000, shared=600))
    study.add("flat", "confirm", 0, 1, BASE, **cost(400))
    study.add("n", "baseline", 0, 1, 0.4, method="no_adaptation", supervision="none", **cost(100))
    study.add("deep", "confirm", 0, 2, BASE, **cost(400))
    study.add(
        "t", "baseline", 0, 1, 0.9, method="target_supervised", supervision="labels",
        **cost(900, shared=800),
    )  # fmt: skip
    seconds = {row.cell: round(row.hours * 3600) for row in rows(study.board())}
    # The 600 seconds of seed 1 are those of three trainings; the bound's stage is its own.
    assert seconds == {"deep": 400 + 200 + 400, "flat": 400 + 200, "n": 100 + 200, "t": 900}


def test_sharing_out_keeps_the_sum():
    study = Study()
    for seed in (1, 2):
        for number, cell in enumerate(("deep", "flat", "middle")):
            shared = 500 if number == seed else 0
            study.add(cell, "confirm", 0, seed, BASE, **cost(700 + shared, shared=shared))
    study.add("deep", "search", 1, 1, status="diverged")
    study.runs[-1]["cost/seconds"] = float("nan")
    total = sum(row.hours for row in rows(study.board())) * 3600
    assert total == pytest.approx(6 * 700 + 2 * 500)


def cost(seconds: float, shared: float = 0.0) -> dict[str, dict[str, float]]:
    return {"scores": {"cost/seconds": seconds, "cost/shared_seconds": shared}}
