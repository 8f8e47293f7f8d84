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
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="auto|HOST:PORT|URL|FILE.yaml",
        help="Where to run: the Ray of this machine or address, a Jobs API, a launcher's file.",
    ),
]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Return once it runs; uda-study follow shows how it goes.")
]
InstallOption = Annotated[
    bool,
    typer.Option("--install", help="Have pip install the pinned packages on the cluster first."),
]

HOME = DEFAULT_HOME


def in_home(home: Path) -> str:
    """Return the option that a suggested command needs to find this home; nothing for the usual."""
    return "" if home.absolute() == HOME.absolute() else f" --home {home}"
