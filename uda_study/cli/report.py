"""``uda-study report``: everything about a finished study on one page that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption


def report(
    study: Annotated[str, typer.Argument(help="The study's id, or how it begins.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path(
        "report.html"
    ),
    volumes: Annotated[
        bool, typer.Option("--volumes/--no-volumes", help="Show volumes of test cases as well.")
    ] = True,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write tables, figures, pictures, volumes, protocol and provenance of a study as one page."""
    from uda_study.api.reports import write_report
    from uda_study.api.studies import load

    screen = Screen(quiet, as_json)
    found = load(study, home)
    done = write_report(found.id, found.home, output, volumes, screen.note)
    size = done.page.stat().st_size
    if as_json:
        screen.result(
            {"study": found.id, "page": str(output), "bytes": size, "volumes": done.volumes}
        )
    else:
        screen.note(f"page: {output}   {size / 1e6:.1f} MB")
