"""``uda-study fetch``: bring a study home from a cluster's storage or from a copied folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption, in_home


def fetch(
    study: Annotated[str, typer.Argument(help="The study's id, or how it begins.")],
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            envvar="UDA_STUDY_STORAGE",
            metavar="ADDRESS",
            help="Where the cluster kept it, such as s3://bucket/prefix.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="A copied folder of the study, or a home."),
    ] = None,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring a study here with its trainings, and write its runs into the MLflow of this home."""
    from uda_study.api.fetching import fetch as bring
    from uda_study.errors import InputError
    from uda_study.remote import check_address

    if folder is None and storage is None:
        raise InputError.of(
            "fetch", "needs a place to bring it from", None, "--storage ADDRESS or --from FOLDER"
        )
    screen = Screen(quiet, as_json)
    source: str | Path
    if folder is not None:
        source = folder.absolute()
    else:
        check_address(str(storage), "--storage")
        source = str(storage).rstrip("/")
    found = bring(study, home.absolute(), source, screen.note)
    if as_json:
        screen.result(vars(found))
        return
    counts = "  ".join(f"{count} {name}" for name, count in sorted(found.trials.items()))
    screen.note(f"study {found.study} {found.status}   {counts}")
    screen.note(f"leaderboard: uda-study leaderboard {found.study}{in_home(home)}")
