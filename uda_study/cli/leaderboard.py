"""``uda-study leaderboard``: what the methods reached, and what can be said of their order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption

if TYPE_CHECKING:
    from uda_study.study.leaderboard import By, Leaderboard
    from uda_study.study.leaderboard_text import TableView
    from uda_study.tracking._mlflow import MlflowClient

Format = Literal["table", "csv", "md", "json"]


def leaderboard(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Ids of studies.")],
    by: Annotated[
        Literal["method", "cell", "trial"], typer.Option("--by", help="What a row is.")
    ] = "cell",
    style: Annotated[Format, typer.Option("--format", help="How it is written.")] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the Dice of all cells as a PNG.")
    ] = None,
    home: HomeOption = HOME,
) -> None:
    """Rank the cells of studies, one table per dataset, direction and supervision."""
    from uda_study.study import leaderboard_text
    from uda_study.tracking.store import open_store

    client = open_store(home.absolute())
    board = read_board(client, studies, by)
    screen = Screen(as_json=as_json or style == "json")
    if picture is not None:
        from uda_study.report.board import board_figure

        board_figure(board).save(picture)
        screen.note(f"written: {picture}")
    written = {
        "json": leaderboard_text.to_json,
        "csv": leaderboard_text.to_csv,
        "md": leaderboard_text.to_markdown,
    }
    kind = "json" if as_json else style
    if kind == "table":
        for view in leaderboard_text.table_views(board):
            _print(screen, view)
    else:
        typer.echo(written[kind](board), nl=False)


def show(screen: Screen, client: MlflowClient, study: str) -> None:
    """Print the leaderboard of one study."""
    from uda_study.study.leaderboard_text import table_views

    for view in table_views(read_board(client, [study], "cell")):
        _print(screen, view)


def read_board(client: MlflowClient, studies: list[str], by: By) -> Leaderboard:
    """Compute the leaderboard of the studies from what MLflow holds, and nothing else."""
    import pandas as pd

    from uda_study.study.leaderboard import leaderboard as compute
    from uda_study.tracking.query import cases_of, find_study, study_runs

    runs = pd.concat([study_runs(client, find_study(client, name)) for name in studies])
    return compute(runs, cases_of(client, runs), by)


def _print(screen: Screen, view: TableView) -> None:
    shown = fitting(view, screen.out.width)
    table = Table(box=None, pad_edge=False)
    for place in shown:
        table.add_column(
            view.columns[place], justify="left" if place < 2 else "right", no_wrap=True
        )
    for row in view.rows:
        table.add_row(*(row[place] for place in shown))
    screen.out.print(view.title, markup=False)
    screen.out.print(table)
    for note in view.notes:
        screen.out.print(f"  {note}", markup=False)
    hidden = [name for place, name in enumerate(view.columns) if place not in shown]
    if hidden:
        screen.out.print(f"  hidden for width: {', '.join(hidden)}; see --format md", markup=False)
    screen.out.print()


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
    "sd seeds", "oracle", "recovered", "hd95", "gap", "", "95% CI", "#", "cell", "Dice mean",
)  # fmt: skip


def _importance(name: str) -> int:
    return _KEPT.index(name) if name in _KEPT else -1
