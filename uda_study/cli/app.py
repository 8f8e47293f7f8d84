"""The command ``uda-study``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import uda_study
from uda_study.cli import (
    claims,
    clean,
    cluster,
    compare,
    data,
    doctor,
    evaluate,
    fetch,
    follow,
    init,
    leaderboard,
    plan,
    plugin_lists,
    predict,
    promote,
    report,
    retrain,
    retry,
    run,
    status,
    stop,
    ui,
    validate,
)
from uda_study.cli.console import INVALID, reported_errors

app = typer.Typer(
    name="uda-study",
    help=uda_study.__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("init")(init.init)
app.command("validate")(validate.validate)
app.command("plan")(plan.plan)
app.command("run")(run.run)
app.command("resume")(run.resume)
app.command("retry")(retry.retry)
app.command("retrain")(retrain.retrain)
app.command("evaluate")(evaluate.evaluate)
app.command("fetch")(fetch.fetch)
app.command("status")(status.status)
app.command("follow")(follow.follow)
app.command("stop")(stop.stop)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("promote")(promote.promote)
app.command("predict")(predict.predict)
app.command("clean")(clean.clean)
app.command("ui")(ui.ui)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app)
app.add_typer(claims.app)
app.add_typer(cluster.app)
for kind in plugin_lists.KINDS:
    app.command(kind)(plugin_lists.command(kind))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"uda-study {uda_study.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; exit 0 ok, 1 failed, 2 invalid, 3 budget spent, 4 interrupted.

    143 after SIGTERM, which like an interruption leaves all that `resume` needs.
    """
    with reported_errors():
        try:
            app()
        except typer.BadParameter as error:
            sys.stderr.write(f"uda-study: error: {error}\n")
            raise SystemExit(INVALID) from error
