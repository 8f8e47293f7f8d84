"""``uda-study promote``: put a cell's model into the registry, if it passes the gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli.console import FAILED, OK, Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption

if TYPE_CHECKING:
    from uda_study.tracking.promote import Promotion


def promote(
    study: Annotated[str, typer.Argument(help="The study's id, or how it begins.")],
    cell: Annotated[str, typer.Option("--cell", help='As in the leaderboard, "depth=g4 …".')],
    to: Annotated[str, typer.Option("--to", help="NAME or NAME@ALIAS; @champion if left out.")],
    force: Annotated[
        str | None, typer.Option("--force", metavar="REASON", help="Pass over failed gates.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look at the gates.")] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Register the model of a cell and point the alias to it; the one before becomes @previous."""
    from uda_study.api.studies import load

    done = load(study, home).promote(cell, to, force=force, dry_run=dry_run)
    screen = Screen(as_json=as_json)
    if as_json:
        screen.result(
            {
                "model": done.name,
                "version": done.version,
                "previous": done.previous,
                "trial": done.trial,
                "digest": done.digest,
                "gates": [vars(gate) for gate in done.gates],
            }
        )
    else:
        _tell(done, screen)
    accepted = done.version is not None or (dry_run and done.passed)
    raise SystemExit(OK if accepted else FAILED)


def _tell(done: Promotion, screen: Screen) -> None:
    for gate in done.gates:
        screen.out.print(f"{'✓' if gate.passed else '✗'} {gate.name}: {gate.detail}", markup=False)
    if done.version is not None:
        before = "" if done.previous is None else f"   (version {done.previous} is now @previous)"
        screen.out.print(f"models:/{done.name}/{done.version} @{done.alias}{before}", markup=False)
    elif not done.passed:
        screen.out.print("not promoted; --force REASON passes over the gates and is recorded")
