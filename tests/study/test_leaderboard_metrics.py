"""What a leaderboard shows of the metrics beside Dice."""

import json

import pandas as pd
import pytest

from uda_study.study.board import Leaderboard
from uda_study.study.leaderboard import leaderboard
from uda_study.study.leaderboard_json import to_csv, to_json
from uda_study.study.leaderboard_text import table_views

COLUMNS = ["key", "subject", "case", "structure", "metric", "phase", "value"]
RUN = {
    "study": "toy-1", "cell": "deep", "kind": "confirm", "number": 0, "method": "dam",
    "dataset": "phantom", "direction": "mr->ct", "fold": 0, "supervision": "images",
    "protocol": "strict", "selection": "blind/score", "seeds": 2, "status": "complete",
    "factors": "{}", "params": "{}", "cost/seconds": 1.0,
}  # fmt: skip


def board(*measured: tuple) -> Leaderboard:
    """Compute the board of two seeds, ``one`` and ``two``."""
    runs = [{**RUN, "key": key, "seed": seed} for seed, key in enumerate(("one", "two"))]
    cases = pd.DataFrame(measured, columns=COLUMNS).assign(role="target_test")
    return leaderboard(pd.DataFrame(runs), cases)


MEASURED = [
    ("one", "a", "a1", "heart", "dice", "after", 0.2),
    ("one", "a", "a2", "heart", "dice", "after", 0.4),  # a of one: 0.3
    ("two", "a", "a1", "heart", "dice", "after", 0.5),  # a: 0.4
    ("one", "b", "b1", "heart", "dice", "after", 1.0),  # b: 1.0
    ("one", "a", "a1", "spine", "dice", "after", 0.6),
    ("one", "a", "a1", "spine", "dice", "before", 0.1),
    ("one", "a", "a1", "heart", "hd95", "after", 12.0),
    ("one", "b", "b1", "heart", "hd95", "after", float("nan")),
    ("one", "a", "a1", "heart", "assd", "after", 3.0),
    ("one", "a", "a1", "heart", "nsd", "after", 0.7),
    ("one", "a", "a1", "all", "n_missed", "after", 1.0),
    ("one", "a", "a1", "image", "js", "after", 0.3),
]


def test_structures_have_the_mean_over_subjects_of_their_cases_and_seeds():
    (row,) = json.loads(to_json(board(*MEASURED)))["tables"][0]["rows"]
    assert row["structures"] == {
        "assd": {"heart": 3.0},
        "dice": {"heart": pytest.approx(0.7), "spine": 0.6},
        "dice_before": {"spine": 0.1},
        "hd95": {"heart": 12.0},
        "nsd": {"heart": 0.7},
    }
    assert row["scores"]["n_missed"]["mean"] == 1.0


def test_csv_has_a_column_per_metric_and_structure():
    frame = pd.read_csv(pd.io.common.StringIO(to_csv(board(*MEASURED))))
    assert frame["dice.heart"].tolist() == [pytest.approx(0.7)]
    assert frame["hd95.heart"].tolist() == [12.0]
    assert frame["nsd.mean"].tolist() == [0.7]


def test_tables_show_some_metrics_in_their_order_and_no_others():
    (view,) = table_views(board(*MEASURED))
    place = view.columns.index("95% CI")
    assert view.columns[place + 1 : place + 5] == ("hd95", "assd", "js", "dice_before")
    assert view.columns[place + 5] == "oracle"
    assert view.rows[0][place + 1 : place + 5] == ("12.000", "3.000", "0.300", "0.100")


def test_structures_of_which_nothing_was_found_are_noted():
    (view,) = table_views(board(*MEASURED))
    assert "deep: finds nothing of 1.00 structures per case" in view.notes
    (view,) = table_views(board(*(row for row in MEASURED if row[4] != "n_missed")))
    assert not any("finds nothing" in note for note in view.notes)
    found = [("one", "a", "a1", "all", "n_missed", "after", 0.0)]
    (view,) = table_views(board(*MEASURED[:6], *found))
    assert not any("finds nothing" in note for note in view.notes)
