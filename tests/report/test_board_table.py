"""The leaderboard as HTML."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from uda_study.report.board_table import board_html, board_page
from uda_study.study.board import Leaderboard
from uda_study.study.leaderboard import leaderboard

VOID = {"meta", "br", "img"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, _):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def board(cells: dict[str, list[float]], **other: str) -> Leaderboard:
    runs, cases = [], []
    for cell, values in cells.items():
        kind = "baseline" if cell == "no_adaptation" else "confirm"
        runs.append(
            {
                "study": "toy-1", "key": cell, "cell": cell, "kind": kind, "number": 0,
                "method": cell, "dataset": "phantom", "direction": "mr->ct", "fold": 0, "seed": 0,
                "supervision": "images", "protocol": "strict", "selection": "blind/score",
                "seeds": 1, "status": "complete", "factors": "{}", "params": "{}", **other,
            }
        )  # fmt: skip
        cases += [
            {
                "key": cell, "case": f"c{n}", "subject": f"s{n}", "role": "target_test",
                "structure": "heart", "metric": "dice", "phase": "after", "value": value,
            }
            for n, value in enumerate(values)
        ]  # fmt: skip
    return leaderboard(pd.DataFrame(runs), pd.DataFrame(cases))


LEVELS = [0.5, 0.6, 0.7, 0.8, 0.55, 0.65, 0.75, 0.85]
EIGHT = {
    "best": LEVELS,
    "alike": [v + d for v, d in zip(LEVELS, [0.02, -0.03] * 4, strict=True)],
    "worse": [v - 0.2 for v in LEVELS],
    "no_adaptation": [0.1] * 8,
}


def looks(text: str, name: str) -> str:
    (found,) = re.findall(rf"<tr([^>]*)>(?:(?!</tr>).)*<td>{name}", text, re.DOTALL)
    return found


def test_the_first_and_those_like_it_are_marked_and_others_are_not():
    text = board_html(board(EIGHT))
    assert "font-weight:600" in looks(text, "best")
    assert "background" in looks(text, "alike")
    assert "font-weight" not in looks(text, "alike")
    assert looks(text, "worse") == ""
    assert "border-left" in looks(text, "no_adaptation")
    assert "cannot be told from the first" in text
    assert "too few" not in text


def test_rows_of_too_few_subjects_are_grey_the_first_too():
    text = board_html(board({cell: values[:5] for cell, values in EIGHT.items()}))
    for name in ("best", "alike", "worse"):
        assert looks(text, name) == ' style="color:#6B737C"'
    assert "too few subjects for any test" in text


def test_text_from_files_is_escaped():
    text = board_html(board({"<script>x</script>": LEVELS, "a&b": LEVELS}, dataset="<b>"))
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("write", [board_html, board_page])
def test_tags_are_balanced(write):
    Balanced(write(board(EIGHT)).removeprefix("<!doctype html>"))


def test_the_fragment_stands_in_any_page_and_the_page_loads_nothing():
    fragment, page = board_html(board(EIGHT)), board_page(board(EIGHT))
    assert "<html" not in fragment
    assert fragment in page
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<title>Leaderboard of toy-1</title>" in page


def test_the_choice_with_target_labels_is_in_the_title():
    text = board_html(board(EIGHT, selection="oracle/dice"))
    assert "SELECTED WITH TARGET LABELS" in re.findall("<h3>(.*?)</h3>", text)[0]
