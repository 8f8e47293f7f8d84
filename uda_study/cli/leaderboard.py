"""``uda-study leaderboard``: what the methods reached, and what can be said of their order."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption

if TYPE_CHECKING:
    import pandas as pd

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
    select: Annotated[
        str | None,
        typer.Option("--select", help="Choose by another rule: a validator, rank_avg or oracle."),
    ] = None,
    price: Annotated[
        bool, typer.Option("--rules", help="Show what each rule would have chosen, and its price.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the Dice of all cells as a PNG.")
    ] = None,
    home: HomeOption = HOME,
) -> None:
    """Rank the cells of studies, one table per dataset, direction and supervision."""
    from uda_study.study import leaderboard_text
    from uda_study.tracking.store import open_store

    client = open_store(home.absolute())
    screen = Screen(as_json=as_json or style == "json")
    if price:
        _show_prices(screen, client, studies)
        return
    board = read_board(client, studies, by, select)
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


def read_board(
    client: MlflowClient, studies: list[str], by: By, select: str | None = None
) -> Leaderboard:
    """Compute the leaderboard of the studies from what MLflow holds, and nothing else."""
    from uda_study.study.leaderboard import leaderboard as compute
    from uda_study.tracking.query import cases_of

    runs = _runs(client, studies)
    return compute(runs, cases_of(client, runs), by, select)


def _runs(client: MlflowClient, studies: list[str]) -> pd.DataFrame:
    import pandas as pd

    from uda_study.tracking.query import find_study, study_runs

    return pd.concat([study_runs(client, find_study(client, name)) for name in studies])


def _show_prices(screen: Screen, client: MlflowClient, studies: list[str]) -> None:
    from uda_study.study.leaderboard import mean_dice
    from uda_study.study.rules import prices
    from uda_study.tracking.query import cases_of

    runs = _runs(client, studies)
    found = prices(runs, mean_dice(cases_of(client, runs)))
    if screen.as_json:
        screen.result({name: [asdict(row) for row in rows] for name, rows in found.items()})
        return
    for direction, rows in found.items():
        table = Table(box=None, pad_edge=False)
        for place, column in enumerate(("rule", "cells", "Dice", "regret", "Spearman")):
            table.add_column(column, justify="left" if place == 0 else "right")
        for row in rows:
            rank = "-" if row.spearman is None else f"{row.spearman:.2f}"
            dice, regret = f"{row.dice:.3f}", f"{row.regret:.3f}"
            table.add_row(row.rule, str(row.cells), dice, regret, rank)
        screen.out.print(f"{direction}: test Dice of the search trials that each rule chooses")
        screen.out.print(table)
        screen.out.print(
            "  regret: Dice of what target labels would have chosen, minus it", end="\n\n"
        )


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
