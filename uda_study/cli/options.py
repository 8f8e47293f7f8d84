"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uda_study.api.places import DEFAULT_HOME

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="UDA_STUDY_HOME",
        help="The folder that holds all studies, caches and the tracking database.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print exactly one JSON document on stdout.")
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print results only.")]
SetOption = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the study file."),
]

HOME = DEFAULT_HOME
