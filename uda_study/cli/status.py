"""``uda-study status``: what became of the trainings of a study."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption

if TYPE_CHECKING:
    from uda_study.clusters.records import Submission
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
    from uda_study.clusters.records import Submissions
    from uda_study.clusters.seeing import seen_now
    from uda_study.engine.holder import holder
    from uda_study.engine.job import Home
    from uda_study.study.find import find_study
    from uda_study.tracking.place import sqlite_path, tracking_uri
    from uda_study.tracking.query import studies, study_runs
    from uda_study.tracking.store import open_store

    place = Home(home.absolute())
    if place.path.exists():
        place.create()
    # Where studies are only submitted from, there is no database, and none is made.
    database = sqlite_path(tracking_uri(home.absolute()))
    is_new = database is not None and not database.exists()
    client = None if is_new else open_store(home.absolute())
    here = [] if client is None else studies(client)
    records = Submissions(home.absolute()).all()
    known = [*here, *(record.study for record in records if record.study not in here)]
    chosen = known if study is None else [find_study(study, known)]
    wanted = [name for name in chosen if name in here]
    counts: dict[str, dict[str, int]] = {}
    if client is not None:
        for name in wanted:
            column = study_runs(client, name)["status"]
            counts[name] = {str(key): int(count) for key, count in column.value_counts().items()}
    screen = Screen(as_json=as_json)
    submitted = {
        record.study: seen_now(home.absolute(), record)
        for record in records
        if record.study in chosen
    }
    faults = {name: _faults(home, name) for name in wanted}
    missing = {name: _missing(home, name) for name in wanted}
    if as_json:
        screen.result(
            [
                {
                    "study": name,
                    "trials": counts.get(name, {}),
                    "faults": [_plain(one) for one in faults.get(name, ())],
                    "missing": [asdict(one) for one in missing.get(name, ())],
                    **({"submitted": vars(submitted[name])} if name in submitted else {}),
                }
                for name in chosen
            ]
        )
        return
    for name in chosen:
        shown = "  ".join(f"{count} {key}" for key, count in sorted(counts.get(name, {}).items()))
        if name in wanted:
            runs = holder(home.absolute() / "studies" / name)
            by = f"   run by {runs}" if runs else ""
            screen.out.print(f"{name}   {shown or 'nothing yet'}{by}", markup=False)
        if name in submitted:
            screen.out.print(f"{name}   {_said(submitted[name])}", markup=False)
        for one in (*faults.get(name, ()), *missing.get(name, ())):
            screen.out.print(f"  {one}", markup=False)


def _said(record: Submission) -> str:
    text = f"{record.submission} {record.status.lower()} at {record.cluster}"
    if record.unreachable:
        text += f"   not reachable since {record.seen}: {record.unreachable}"
    return text


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
