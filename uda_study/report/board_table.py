"""A leaderboard as HTML tables: what leads, what cannot be told from it, and what is too few."""

from __future__ import annotations

from html import escape

from uda_study.report import style
from uda_study.report.page_style import document
from uda_study.study.board import Leaderboard
from uda_study.study.leaderboard_text import Standing, TableView, brief_views

_FIRST, _ALIKE = "#cfe4f3", "#e9f2f8"
_LOOKS: dict[Standing, str] = {
    "first": f"background:{_FIRST};font-weight:600",
    "alike": f"background:{_ALIKE}",
    "too few": f"color:{style.QUIET}",
    "waiting": f"color:{style.QUIET};font-style:italic",
    "reference": f"border-left:3px solid {style.FAINT}",
}
_WORDS: dict[Standing, str] = {
    "first": "first",
    "alike": "cannot be told from the first, or is practically equivalent",
    "too few": "too few subjects for any test: descriptive only",
    "waiting": "not confirmed, or no finished training: compared with nothing",
}
_LEFT = ("cell", "setting")


def board_html(board: Leaderboard) -> str:
    """Return the tables with their titles, notes and key, for the inside of a page.

    It brings its own looks, so it may stand in any page; the classes ``wide`` and ``note`` are
    those of `page_style`.
    """
    return "\n".join(map(_block, brief_views(board, ("js_excess",))))


def board_page(board: Leaderboard) -> str:
    """Return the leaderboard as a whole page that loads nothing."""
    title = f"Leaderboard of {board.study}"
    return document(title, f"<h1>{escape(title)}</h1>\n{board_html(board)}")


def _block(view: TableView) -> str:
    head = "".join(f'<th scope="col"{_align(c)}>{escape(c)}</th>' for c in view.columns)
    plain: Standing = "other"
    standings = view.standings or (plain,) * len(view.rows)
    body = "\n".join(
        _row(view.columns, row, standing)
        for row, standing in zip(view.rows, standings, strict=True)
    )
    notes = "".join(f"<br>\n{escape(note)}" for note in view.notes)
    key = "".join(
        f'<span style="{_LOOKS[kind]};padding:0 .4rem;margin-right:.8rem">{words}</span>'
        for kind, words in _WORDS.items()
        if kind in standings
    )
    return (
        f"<h3>{escape(view.title)}</h3>\n"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>'
        f'</table></div>\n<p class="note">{key}{notes}</p>'
    )


def _row(columns: tuple[str, ...], row: tuple[str, ...], standing: Standing) -> str:
    cells = "".join(
        f"<td{_align(column)}>{escape(cell)}</td>"
        for column, cell in zip(columns, row, strict=True)
    )
    looks = f' style="{_LOOKS[standing]}"' if standing in _LOOKS else ""
    return f"<tr{looks}>{cells}</tr>"


def _align(column: str) -> str:
    return "" if column in _LEFT else ' style="text-align:right"'
