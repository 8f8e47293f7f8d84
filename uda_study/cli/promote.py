"""``uda-study promote``: put a cell's model into the registry, if it passes the gates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli.console import FAILED, OK, Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption

if TYPE_CHECKING:
    from uda_study.tracking.promote import Promotion

_DEFAULT_ALIAS = "champion"


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
    from uda_study.tracking.promote import Request
    from uda_study.tracking.promote import promote as register
    from uda_study.tracking.query import find_study
    from uda_study.tracking.store import open_store
    from uda_study.training.package import read_config
    from uda_study.training.round_trip import predicts_the_same

    folder = home.absolute()
    client = open_store(folder)
    name, _, alias = to.partition("@")
    known = find_study(client, study)
    request = Request(known, cell, name, alias or _DEFAULT_ALIAS, force, dry_run)
    trials = folder / "studies" / known / "trials"

    def round_trip(package: Path) -> bool:
        return predicts_the_same(package, trials / read_config(package).trial)

    done = register(client, request, round_trip)
    screen = Screen(as_json=as_json)
    if as_json:
        screen.result(
            {
                "model": name,
                "version": done.version,
                "previous": done.previous,
                "trial": done.trial,
                "digest": done.digest,
                "gates": [vars(gate) for gate in done.gates],
            }
        )
    else:
        _tell(done, request.name, request.alias, screen)
    accepted = done.version is not None or (dry_run and done.passed)
    raise SystemExit(OK if accepted else FAILED)


def _tell(done: Promotion, name: str, alias: str, screen: Screen) -> None:
    for gate in done.gates:
        screen.out.print(f"{'✓' if gate.passed else '✗'} {gate.name}: {gate.detail}", markup=False)
    if done.version is not None:
        before = "" if done.previous is None else f"   (version {done.previous} is now @previous)"
        screen.out.print(f"models:/{name}/{done.version} @{alias}{before}", markup=False)
    elif not done.passed:
        screen.out.print("not promoted; --force REASON passes over the gates and is recorded")
