"""Which columns of a leaderboard a narrow terminal shows."""

from uda_study.cli.leaderboard import fitting
from uda_study.study.leaderboard_text import TableView

VIEW = TableView(
    title="phantom mr->ct",
    columns=("#", "cell", "depth", "Dice mean", "95% CI", "js", "gap", "hours"),
    rows=(("1", "depth=g7 direction=mr->ct", "g7", "0.7", "[0.6, 0.8]", "0.6", "0.0", "1.0"),),
    notes=(),
)


def shown(width: int) -> list[str]:
    return [VIEW.columns[place] for place in fitting(VIEW, width)]


def test_a_wide_terminal_shows_every_column():
    assert shown(200) == list(VIEW.columns)


def test_factors_go_first_then_what_matters_least():
    assert shown(75) == ["#", "cell", "Dice mean", "95% CI", "js", "gap", "hours"]
    assert shown(60) == ["#", "cell", "Dice mean", "95% CI", "gap"]


def test_rank_cell_and_dice_always_stay():
    assert shown(10) == ["#", "cell", "Dice mean"]
