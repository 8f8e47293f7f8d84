"""``uda-study status``: what became of the trainings of a study."""

from __future__ import annotations

from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption


def status(
    study: Annotated[
        str | None, typer.Argument(help="The study's id, or how it begins; all if left out.")
    ] = None,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Count the trainings of one study, or of all, by how they ended."""
    from uda_study.tracking.query import find_study, studies, study_runs
    from uda_study.tracking.store import open_store

    client = open_store(home.absolute())
    wanted = studies(client) if study is None else [find_study(client, study)]
    counts = {}
    for name in wanted:
        column = study_runs(client, name)["status"]
        counts[name] = {str(key): int(count) for key, count in column.value_counts().items()}
    screen = Screen(as_json=as_json)
    if as_json:
        screen.result([{"study": name, "trials": found} for name, found in counts.items()])
        return
    for name, found in counts.items():
        shown = "  ".join(f"{count} {key}" for key, count in sorted(found.items()))
        screen.out.print(f"{name}   {shown or 'nothing yet'}", markup=False)
