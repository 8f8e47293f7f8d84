"""``uda-study leaderboard``: what the methods reached, and what can be said of their order."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, QuietOption
from uda_study.errors import InputError, Problem
from uda_study.files import unwritable, write_whole

if TYPE_CHECKING:
    from uda_study.study.leaderboard import Leaderboard
    from uda_study.study.leaderboard_text import TableView
    from uda_study.tracking.query import Store

Format = Literal["table", "csv", "md", "latex", "html", "json"]
WIDTH = 240
"""Of tables in files: none of their columns is cut."""
ENDINGS: dict[str, Format] = {
    ".txt": "table", ".csv": "csv", ".md": "md", ".tex": "latex", ".html": "html", ".json": "json",
}  # fmt: skip


def leaderboard(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Ids of studies.")],
    by: Annotated[
        Literal["method", "cell", "trial"], typer.Option("--by", help="What a row is.")
    ] = "cell",
    style: Annotated[
        Format | None, typer.Option("--format", help="How it is written.", show_default="table")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    select: Annotated[
        str | None,
        typer.Option("--select", help="Choose by another rule: a validator, rank_avg or oracle."),
    ] = None,
    price: Annotated[
        bool, typer.Option("--rules", help="Show what each rule would have chosen, and its price.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write to a file, whose ending may give the format."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the Dice of all cells as a PNG.")
    ] = None,
    quiet: QuietOption = False,
    home: HomeOption = HOME,
) -> None:
    """Rank the cells of studies, one table per dataset, direction and supervision."""
    kind = _format("json" if as_json else style, output, price)
    from uda_study.tracking.boards import read_board

    store = _store(home.absolute())
    screen = Screen(quiet=quiet, as_json=kind == "json")
    if price:
        written = _prices(store, studies, kind)
    else:
        board = read_board(store, studies, by, select)
        if picture is not None:
            from uda_study.report.board import board_figure

            board_figure(board).save(picture)
            screen.note(f"written: {picture}")
        written = _board(board, kind)
    if output is not None:
        text = written if isinstance(written, str) else _plain(written)
        write_whole(output, text)
        screen.note(f"written: {output}")
    elif isinstance(written, str):
        typer.echo(written, nl=False)
    else:
        for view in written:
            _print(screen.out, view)


def _store(home: Path) -> Store:
    """Return what the home's studies are read from, MLflow only where it takes it."""
    from uda_study.tracking.database import open_database

    database = open_database(home)
    if database is not None:
        return database
    from uda_study.tracking.store import open_store

    return open_store(home)


def show(screen: Screen, board: Leaderboard) -> None:
    """Print a leaderboard."""
    from uda_study.study.leaderboard_text import table_views

    for view in table_views(board):
        _print(screen.out, view)


def _format(style: Format | None, output: Path | None, price: bool) -> Format:
    """Return the format; `InputError` where it cannot be known or the file cannot be written."""
    problems = []
    ending = "" if output is None else output.suffix
    if style is None and output is not None and ending not in ENDINGS:
        problems.append(
            Problem(
                "--output",
                "its ending tells no format",
                repr(output.name),
                f"end it in {', '.join(ENDINGS)}, or give --format",
            )
        )
    problems += [] if output is None else unwritable("--output", output)
    kind = style or ENDINGS.get(ending, "table")
    if price and kind in ("latex", "html"):
        remedy = "choose table, csv, md or json"
        problems.append(Problem("--rules", "cannot be written in this format", kind, remedy))
    if problems:
        raise InputError(problems)
    return kind


def _board(board: Leaderboard, kind: Format) -> str | list[TableView]:
    from uda_study.study import leaderboard_text

    if kind == "table":
        return leaderboard_text.table_views(board)
    if kind == "md":
        return leaderboard_text.to_markdown(board)
    if kind == "latex":
        from uda_study.study.leaderboard_latex import to_latex

        return to_latex(board)
    if kind == "html":
        from uda_study.report.board_table import board_page

        return board_page(board)
    from uda_study.study import leaderboard_json

    return {"json": leaderboard_json.to_json, "csv": leaderboard_json.to_csv}[kind](board)


def _prices(store: Store, studies: list[str], kind: Format) -> str | list[TableView]:
    from uda_study.study.leaderboard import mean_dice
    from uda_study.study.leaderboard_rules import price_views, prices_to_csv
    from uda_study.study.leaderboard_text import views_to_markdown
    from uda_study.study.rules import prices
    from uda_study.tracking.boards import read_runs
    from uda_study.tracking.query import cases_of

    runs = read_runs(store, studies)
    search = runs[runs["kind"] == "search"]
    found = prices(runs, mean_dice(cases_of(store, search, ("dice",))))
    if kind == "json":
        document = {name: [asdict(row) for row in rows] for name, rows in found.items()}
        return json.dumps(document, indent=1, allow_nan=False) + "\n"
    if kind == "csv":
        return prices_to_csv(found)
    views = price_views(found)
    return views_to_markdown(views) if kind == "md" else views


def _plain(views: Sequence[TableView]) -> str:
    """Return the tables as they are printed where there is no terminal."""
    buffer = io.StringIO()
    console = Console(file=buffer, highlight=False, soft_wrap=True, width=WIDTH)
    for view in views:
        _print(console, view)
    return buffer.getvalue()


def _print(out: Console, view: TableView) -> None:
    shown = fitting(view, out.width)
    table = Table(box=None, pad_edge=False)
    for place in shown:
        column = view.columns[place]
        align: Literal["left", "right"] = "left" if place == 0 or column == "cell" else "right"
        table.add_column(column, justify=align, no_wrap=True)
    for row in view.rows:
        table.add_row(*(Text(row[place]) for place in shown))
    out.print(view.title, markup=False)
    out.print(table)
    for note in view.notes:
        out.print(f"  {note}", markup=False)
    hidden = [name for place, name in enumerate(view.columns) if place not in shown]
    if hidden:
        out.print(f"  hidden for width: {', '.join(hidden)}; see --format md", markup=False)
    out.print()


def fitting(view: TableView, width: int) -> list[int]:
    """Return the places of the columns that fit the width, the least important left out first.

    Columns that are in no list of importance, such as factors, which the cell's name repeats, go
    first of all; the rank, the cell and its Dice always stay.
    """
    columns = list(zip(*([view.columns, *view.rows]), strict=True))
    needed = [max(map(len, column)) + 2 for column in columns]
    order = sorted(range(len(columns)), key=lambda place: _importance(view.columns[place]))
    shown = set(range(len(columns)))
    for place in order:
        if sum(needed[other] for other in shown) <= width or view.columns[place] in _KEPT[-3:]:
            break
        shown.remove(place)
    return sorted(shown)


# From what is left out first to what always stays.
_KEPT = (
    "assd_before", "hd95_before", "js_excess_before", "js_before", "hours", "js_excess",
    "rank CI", "dice_before", "sd subjects", "seeds", "trials", "js", "assd", "p (Holm)",
    "sd seeds", "oracle", "recovered", "hd95", "gap", "", "95% CI", "mean rank", "rule", "setting",
    "mean Dice", "Dice", "#", "cell", "Dice mean",
)  # fmt: skip


def _importance(name: str) -> int:
    return _KEPT.index(name) if name in _KEPT else -1
