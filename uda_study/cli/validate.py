"""``uda-study validate``: every problem of study files at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import JsonOption, SetOption
from uda_study.errors import InputError, Problem


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Study files.")],
    settings: SetOption = [],  # noqa: B006 - typer reads the default, nothing writes to it
    as_json: JsonOption = False,
) -> None:
    """Check study files whole, without images and without training."""
    from uda_study.api.beginning import read
    from uda_study.study.cells import cells

    screen = Screen(as_json=as_json)
    problems: list[Problem] = []
    counts: dict[str, int] = {}
    for file in files:
        try:
            counts[str(file)] = len(cells(read(file, settings).spec))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    if as_json:
        screen.result({"valid": True, "cells": counts})
    else:
        for name, count in counts.items():
            screen.out.print(f"{name}: valid, {count} cells", markup=False)
