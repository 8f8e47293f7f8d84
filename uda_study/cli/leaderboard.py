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
    table = Table(title=view.title, title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(view.columns):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=True)
    for row in view.rows:
        table.add_row(*row)
    screen.out.print(table)
    for note in view.notes:
        screen.out.print(f"  {note}", markup=False)
    screen.out.print()
