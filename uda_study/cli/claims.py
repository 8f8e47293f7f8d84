"""``uda-study claims``: what papers claim, run as experiments."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer
from rich.table import Table

from uda_study.cli import console
from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption

app = typer.Typer(name="claims", help="Run claims of papers as experiments.", no_args_is_help=True)


@app.callback()
def _claims() -> None:
    """Run claims of papers as experiments, each with a rule that was fixed beforehand."""


@app.command("list")
def list_claims(home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """List the claims, and the verdicts that are known in this home."""
    from uda_study.claims.ledger import claims
    from uda_study.claims.page import verdict_of
    from uda_study.claims.runner import read_verdicts

    screen, known, verdicts = Screen(as_json=as_json), claims(), read_verdicts(home)
    if as_json:
        found = {c.number: verdicts.get(str(c.number), {}).get("verdict") for c in known}
        screen.result([{**c.model_dump(mode="json"), "verdict": found[c.number]} for c in known])
        return
    table = Table(box=None, pad_edge=False)
    for column in ("", "claim", "gate", "cost", "verdict"):
        table.add_column(column)
    for claim in known:
        gate = "gate" if claim.gate else ""
        verdict = verdict_of(claim, verdicts)
        table.add_row(str(claim.number), claim.claim, gate, claim.cost, verdict)
    screen.out.print(table)


@app.command("run")
def run(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[N...]", help="Which claims; all without any.")
    ] = None,
    gate: Annotated[
        bool,
        typer.Option(
            "--gate",
            help="Run those that must be reproduced, and fail unless they are; in a home of its "
            "own, since what was trained before is not trained again.",
        ),
    ] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train what claims ask for and judge it; what was trained before is not trained again."""
    from uda_study.api.places import open_home
    from uda_study.claims.ledger import chosen, claims
    from uda_study.claims.runner import FILE, Halted, Runner, read_verdicts
    from uda_study.cli.progress_view import watching
    from uda_study.data.prune import in_use
    from uda_study.engine.run import Options

    wanted = [claim for claim in chosen(numbers or (), claims()) if claim.gate or not gate]
    screen, place = Screen(quiet, as_json), open_home(home)
    place.create()
    read_verdicts(place.path)
    found = []
    try:
        # Ray Tune prints a line of its own now and then; stdout is for the result.
        with in_use(place.prepared), watching(screen) as watch, redirect_stdout(sys.stderr):
            for claim, finding in Runner(place, screen.note, Options(watch=watch)).judge(wanted):
                screen.note(f"claim {claim.number} {finding.verdict}: {finding.sentence}")
                found.append((claim, finding))
    except Halted as halt:
        screen.err.print(f"uda-study: {halt}", markup=False)
        codes = {"interrupted": console.INTERRUPTED, "terminated": console.TERMINATED}
        raise SystemExit(codes.get(halt.status, console.FAILED)) from halt
    if as_json:
        verdicts = read_verdicts(place.path)
        screen.result({str(claim.number): verdicts[str(claim.number)] for claim, _ in found})
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("", "verdict", "claim"):
            table.add_column(column)
        for claim, finding in found:
            table.add_row(str(claim.number), finding.verdict, claim.claim)
        screen.out.print(table)
        screen.note(f"figures: {place.path / FILE}")
    failed = gate and any(finding.verdict != "reproduced" for _, finding in found)
    raise SystemExit(console.FAILED if failed else console.OK)


@app.command("page")
def page(home: HomeOption = HOME) -> None:
    """Print a page of all claims, with the verdicts that are known in this home, as Markdown."""
    from uda_study.claims.ledger import claims
    from uda_study.claims.page import page as made
    from uda_study.claims.runner import read_verdicts

    sys.stdout.write(made(claims(), read_verdicts(home)))
