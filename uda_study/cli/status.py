"""``uda-study status``: what became of the trainings of a study."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption

if TYPE_CHECKING:
    from uda_study.engine.remaining import Missing
    from uda_study.engine.retry import Faulty


def status(
    study: Annotated[
        str | None, typer.Argument(help="The study's id, or how it begins; all if left out.")
    ] = None,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Count the trainings of one study, or of all, by how they ended, and show what went wrong."""
    from uda_study.tracking.query import find_study, studies, study_runs
    from uda_study.tracking.store import open_store

    client = open_store(home.absolute())
    wanted = studies(client) if study is None else [find_study(client, study)]
    counts = {}
    for name in wanted:
        column = study_runs(client, name)["status"]
        counts[name] = {str(key): int(count) for key, count in column.value_counts().items()}
    screen = Screen(as_json=as_json)
    faults = {name: _faults(home, name) for name in wanted}
    missing = {name: _missing(home, name) for name in wanted}
    if as_json:
        screen.result(
            [
                {
                    "study": name,
                    "trials": found,
                    "faults": [_plain(one) for one in faults[name]],
                    "missing": [asdict(one) for one in missing[name]],
                }
                for name, found in counts.items()
            ]
        )
        return
    for name, found in counts.items():
        shown = "  ".join(f"{count} {key}" for key, count in sorted(found.items()))
        screen.out.print(f"{name}   {shown or 'nothing yet'}", markup=False)
        for one in (*faults[name], *missing[name]):
            screen.out.print(f"  {one}", markup=False)


def _faults(home: Path, study: str) -> tuple[Faulty, ...]:
    from uda_study.engine.job import Home
    from uda_study.engine.journal import JOURNAL, Journal
    from uda_study.engine.retry import faulty

    folder = Home(home.absolute()).study(study)
    return faulty(Journal(folder / JOURNAL).events(), folder)


def _missing(home: Path, study: str) -> tuple[Missing, ...]:
    from uda_study.engine.job import Home
    from uda_study.engine.remaining import missing_in

    return missing_in(Home(home.absolute()).study(study))


def _plain(one: Faulty) -> dict[str, str | int]:
    return {
        "key": one.spec.key,
        "fault": one.fault,
        "attempts": one.attempts,
        "message": one.message,
    }
