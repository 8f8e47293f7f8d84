import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uda_study.study import statistics
from uda_study.study.board import Leaderboard, Row
from uda_study.study.leaderboard import leaderboard
from uda_study.study.leaderboard_json import to_csv, to_json
from uda_study.study.leaderboard_text import table_views, to_markdown

SUBJECTS = tuple("abcdefgh")


class Study:
    """A hand-made study: trainings with the Dice of each subject's two structures."""

    def __init__(self, subjects: tuple[str, ...] = SUBJECTS, **common: object) -> None:
        self.subjects = subjects
        self.common = common
        self.runs: list[dict[str, object]] = []
        self.cases: list[dict[str, object]] = []

    def add(self, cell: str, kind: str, number: int, seed: int, dice: object = None, **other):
        key = f"{cell}/{kind}/{number}/{seed}/{other.get('fold', 0)}"
        method = other.pop("method", "dam")
        scores = other.pop("scores", {})
        self.runs.append(
            {
                "study": "toy-1", "key": key, "cell": cell, "kind": kind, "number": number,
                "method": method, "dataset": "phantom", "direction": "mr->ct", "fold": 0,
                "seed": seed, "supervision": "images", "protocol": "strict",
                "selection": "blind/rank_avg", "seeds": 3, "status": "complete",
                "factors": json.dumps({"depth": cell}), "params": "{}",
                "cost/seconds": 360.0, **self.common, **other, **scores,
            }
        )  # fmt: skip
        if dice is None:
            return
        levels = np.broadcast_to(np.asarray(dice, dtype=float), len(self.subjects))
        for subject, level in zip(self.subjects, levels, strict=True):
            for case in ("1", "2"):
                for structure, shift in (("heart", 0.05), ("spine", -0.05)):
                    self._case(key, subject, case, structure, "dice", "after", level + shift)
                self._case(key, subject, case, "image", "js", "before", 0.4)
                self._case(key, subject, case, "image", "js", "after", 0.1)

    def _case(self, key, subject, case, structure, *measured):
        metric, phase, value = measured
        self.cases.append(
            {
                "key": key, "case": subject + case, "subject": subject, "role": "target_test",
                "structure": structure, "metric": metric, "phase": phase, "value": float(value),
            }
        )  # fmt: skip

    def board(self, by: str = "cell", select: str | None = None) -> Leaderboard:
        runs, cases = pd.DataFrame(self.runs), pd.DataFrame(self.cases)
        return leaderboard(runs, cases, by, select)  # type: ignore[arg-type]


def blind(value: float, oracle: float = 0.0) -> dict[str, float]:
    return {
        "blind/score": value,
        "blind/entropy": value,
        "blind/entropy_fg": value,
        "blind/consistency": value,
        "oracle/dice": oracle,
    }


BASE = np.array([0.5, 0.6, 0.7, 0.8, 0.5, 0.6, 0.7, 0.8])
RISE = np.linspace(0.05, 0.09, 8)


@pytest.fixture
def study() -> Study:
    study = Study()
    for cell, lift in (("deep", 0 * RISE), ("middle", RISE)):
        study.add(cell, "search", 0, 0, BASE + lift - 0.1, scores=blind(0.9, 0.2))
        study.add(cell, "search", 1, 0, BASE + lift, scores=blind(0.3, 0.6))
        study.add(cell, "search", 2, 0, status="pruned", scores=blind(2.0, 0.9))
        study.add(cell, "search", 3, 0, status="diverged")
        for seed, shift in ((0, -0.02), (1, 0.0), (2, 0.02)):
            study.add(cell, "confirm", 0, seed, BASE + lift + shift, scores=blind(0.8))
    study.add("n", "baseline", 0, 0, 0.4, method="no_adaptation", supervision="none")
    study.add("t", "baseline", 0, 0, 0.9, method="target_supervised", supervision="labels")
    return study


def rows(board: Leaderboard) -> list[Row]:
    (table,) = board.tables
    return list(table.rows)


def test_cells_are_ranked_by_the_mean_over_subjects_of_their_confirmations(study: Study):
    first, second, *references = rows(study.board())
    assert (first.cell, second.cell) == ("middle", "deep")
    assert (first.rank, second.rank) == (1, 2)
    assert second.dice == pytest.approx(BASE.mean())
    assert first.dice == pytest.approx((BASE + RISE).mean())
    assert [row.role for row in references] == ["lower bound", "upper bound"]
    assert [row.rank for row in references] == [None, None]


def test_spread_over_seeds_and_over_subjects_are_separate(study: Study):
    second = rows(study.board())[1]
    dice = second.scores["dice"]
    assert dice.sd_seeds == pytest.approx(0.02)
    assert second.seed_means == pytest.approx(BASE.mean() + np.array([-0.02, 0, 0.02]))
    assert dice.sd_subjects == pytest.approx(np.std(BASE, ddof=1))
    margin = 2.3646242515927844 * np.std(BASE, ddof=1) / math.sqrt(8)  # t(7) at .975
    assert dice.ci95 == pytest.approx((BASE.mean() - margin, BASE.mean() + margin))
    assert second.scores["js"].mean == pytest.approx(0.1)
    assert second.scores["js_before"].mean == pytest.approx(0.4)


def test_gap_compares_the_blind_choice_with_the_oracle_choice_of_the_same_search(study: Study):
    second = rows(study.board())[1]
    assert second.oracle.dice == pytest.approx(BASE.mean())
    assert second.oracle.gap == pytest.approx(-0.1)


def test_recovered_is_the_position_between_the_bounds(study: Study):
    second = rows(study.board())[1]
    assert second.recovered == pytest.approx((BASE.mean() - 0.4) / 0.5)


def test_recovered_is_undefined_when_the_bounds_are_close(study: Study):
    close = Study()
    close.add("deep", "confirm", 0, 0, 0.5)
    close.add("n", "baseline", 0, 0, 0.5, method="no_adaptation")
    close.add("t", "baseline", 0, 0, 0.51, method="target_supervised")
    assert rows(close.board())[0].recovered is None


def test_the_second_is_compared_with_the_first_by_subject(study: Study):
    first, second, *_ = rows(study.board())
    assert first.against_first is None
    against = second.against_first
    assert against is not None
    assert against.difference == pytest.approx(-RISE.mean())
    assert against.p_holm == statistics.compare(second.by_seed, first.by_seed).p
    assert against.verdict == "worse"


def test_cost_and_trials_of_a_cell_count_everything_that_ran(study: Study):
    second = rows(study.board())[1]
    assert second.trial_counts == {"complete": 2, "pruned": 1, "diverged": 1, "failed": 0}
    assert second.hours == pytest.approx(0.7)


def test_missing_confirmations_are_shown(study: Study):
    study.runs = [run for run in study.runs if run["key"] != "deep/confirm/0/2/0"]
    second = rows(study.board())[1]
    assert (second.n_seeds, second.seeds_expected) == (2, 3)
    assert "deep: 2/3 seeds confirmed" in to_markdown(study.board())


def test_a_study_in_progress_shows_its_chosen_search_trial_as_provisional(study: Study):
    study.runs = [run for run in study.runs if run["kind"] != "confirm"]
    first, second, *_ = rows(study.board())
    assert first.provisional
    assert second.provisional
    assert (first.rank, second.rank) == (1, 2)
    assert (first.verdict, second.verdict) == ("provisional", "provisional")
    assert second.dice == pytest.approx(BASE.mean() - 0.1)
    assert "provisional" in to_markdown(study.board())


def test_a_cell_without_a_finished_trial_is_listed_unranked(study: Study):
    study.add("broken", "search", 0, 0, status="failed")
    broken = next(row for row in rows(study.board()) if row.cell == "broken")
    assert broken.rank is None
    assert broken.dice is None
    assert "broken: no finished trial" in to_markdown(study.board())


def test_methods_that_read_target_labels_stand_in_their_own_table(study: Study):
    study.add("seg", "confirm", 0, 0, 0.95, method="semgan", supervision="labels")
    images, labels = study.board().tables
    assert (images.supervision, labels.supervision) == ("images", "labels")
    assert [row.cell for row in labels.rows if row.role == "method"] == ["seg"]
    assert [row.role for row in labels.rows[1:]] == ["lower bound", "upper bound"]


def test_directions_are_never_pooled(study: Study):
    study.add("deep", "confirm", 0, 0, 0.1, direction="ct->mr")
    assert [table.direction for table in study.board().tables] == ["ct->mr", "mr->ct"]


def test_by_method_takes_the_cell_with_the_best_blind_score_and_all_hours(study: Study):
    for run in study.runs:
        if run["cell"] == "deep" and run["kind"] == "confirm":
            run["blind/score"] = 0.85
    row = rows(study.board("method"))[0]
    assert (row.method, row.cell) == ("dam", "deep")
    assert row.hours == pytest.approx(1.4)
    assert row.trial_counts["complete"] == 4


def test_by_trial_ranks_every_finished_search_trial(study: Study):
    ranked = [row for row in rows(study.board("trial")) if row.role == "method"]
    assert [(row.cell, row.trial) for row in ranked] == [
        ("middle", "search 1"), ("deep", "search 1"), ("middle", "search 0"), ("deep", "search 0"),
    ]  # fmt: skip


def test_of_several_confirmed_settings_the_blind_score_chooses():
    study = Study()
    for seed in (0, 1):
        study.add("deep", "confirm", 0, seed, 0.4, params='{"a": 1}', scores=blind(0.9))
        study.add("deep", "confirm", 1, seed, 0.8, params='{"a": 2}', scores=blind(0.5))
    row = rows(study.board())[0]
    assert row.dice == pytest.approx(0.4)
    assert row.n_seeds == 2


def test_folds_are_averaged_within_a_seed():
    study = Study()
    for seed, fold, dice in ((0, 0, 0.4), (0, 1, 0.6), (1, 0, 0.6), (1, 1, 0.8)):
        study.add("deep", "confirm", 0, seed, dice, fold=fold)
    row = rows(study.board())[0]
    assert row.n_seeds == 2
    assert row.scores["dice"].sd_seeds == pytest.approx(math.sqrt(0.02))


def test_equal_means_share_their_rank():
    study = Study()
    for cell in ("x", "y"):
        study.add(cell, "confirm", 0, 0, BASE)
    study.add("z", "confirm", 0, 0, BASE - 0.2)
    assert [row.rank for row in rows(study.board())] == [1, 1, 3]


def test_json_keeps_its_contract_and_has_null_for_what_is_unknown():
    study = Study(subjects=("only",))
    study.add("deep", "confirm", 0, 0, 0.5, scores={"blind/score": math.nan})
    document = json.loads(to_json(study.board()), parse_constant=pytest.fail)
    assert document["study"] == "toy-1"
    assert document["selected_by"] == "blind/rank_avg"
    (table,) = document["tables"]
    assert (table["dataset"], table["direction"], table["supervision"]) == (
        "phantom", "mr->ct", "images",
    )  # fmt: skip
    (row,) = table["rows"]
    assert row["n_subjects"] == 1
    assert row["scores"]["dice"] == {
        "mean": pytest.approx(0.5), "sd_subjects": None, "sd_seeds": None, "ci95": [None, None],
    }  # fmt: skip
    assert row["oracle"] == {"dice": None, "gap": None}
    assert {"cell", "method", "factors", "n_seeds", "trials", "hours", "rank", "p_holm"} <= set(row)


def test_titles_say_loudly_what_is_not_strict_or_not_blind():
    study = Study(protocol="transductive", selection="oracle/dice")
    study.add("deep", "confirm", 0, 0, 0.5)
    (view,) = table_views(study.board())
    assert "TRANSDUCTIVE" in view.title
    assert "SELECTED WITH TARGET LABELS" in view.title
    assert "8 subjects, 1 seeds" in view.title


def test_every_row_of_a_view_has_a_cell_per_column(study: Study):
    study.add("broken", "search", 0, 0, status="failed")
    for view in table_views(study.board()):
        assert {len(row) for row in view.rows} == {len(view.columns)}


def test_csv_has_a_line_per_row(study: Study):
    frame = pd.read_csv(pd.io.common.StringIO(to_csv(study.board())))
    assert list(frame["cell"]) == ["middle", "deep", "n", "t"]
    assert frame["dice.mean"].iloc[1] == pytest.approx(BASE.mean())


def test_a_study_without_any_run_gives_an_empty_board(study: Study):
    runs, cases = pd.DataFrame(study.runs), pd.DataFrame(study.cases)
    assert leaderboard(runs.iloc[:0], cases.iloc[:0]).tables == ()


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(random):
    study = Study()
    for cell, lift in (("deep", 0.0), ("middle", 0.1), ("equal", 0.1)):
        for number in range(2):
            study.add(cell, "search", number, 0, BASE - 0.1 * number, scores=blind(0.5))
        for seed in range(2):
            study.add(cell, "confirm", 0, seed, BASE + lift + 0.01 * seed, scores=blind(0.5))
    study.add("n", "baseline", 0, 0, 0.4, method="no_adaptation")
    expected = to_json(study.board())
    random.shuffle(study.runs)
    random.shuffle(study.cases)
    assert _rounded(to_json(study.board())) == _rounded(expected)


def _rounded(text: str) -> object:
    return json.loads(text, parse_float=lambda number: round(float(number), 9))
