"""``uda-study cluster``: bring a launcher's cluster up, look at it, take it down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli.console import FAILED, Screen
from uda_study.cli.options import JsonOption, QuietOption

if TYPE_CHECKING:
    from uda_study.clusters.launcher import Launcher

app = typer.Typer(
    name="cluster",
    help="Bring a cluster of a launcher's file up, look at it, and take it down.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
FileArgument = Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The launcher's file.")]
PlaceArgument = Annotated[
    str, typer.Argument(metavar="URL|FILE.yaml", help="A Jobs API, or a launcher's file.")
]


@app.command("up")
def up(file: FileArgument, quiet: QuietOption = False) -> None:
    """Bring the cluster up, or up to date with its file; refused where it would be open."""
    screen = Screen(quiet)
    launcher = _launcher(file)
    launcher.up(screen.note)
    for node in launcher.nodes():
        screen.note(str(node))
    screen.note(
        f"✓ cluster {launcher.name} is up\nrun:  uda-study run FILE --cluster {file}\n"
        f"end:  uda-study cluster down {file}"
    )


@app.command("down")
def down(file: FileArgument, quiet: QuietOption = False) -> None:
    """Take the cluster down, and ask the provider whether any machine is left; exit 1 if so."""
    screen = Screen(quiet)
    launcher = _launcher(file)
    left = launcher.down()
    for node in left:
        screen.err.print(f"✗ still there, and may cost money: {node}", markup=False)
    if left:
        screen.err.print(
            f"try again: uda-study cluster down {file}; or end them where the provider lists them",
            markup=False,
        )
        raise SystemExit(FAILED)
    screen.note(f"✓ cluster {launcher.name} is down, its provider has no machine of it")


@app.command("status")
def status(cluster: PlaceArgument, as_json: JsonOption = False) -> None:
    """Show machines by kind and state, what they offer, and the studies that were submitted."""
    from uda_study.clusters.launcher import Launcher
    from uda_study.clusters.overview import overview
    from uda_study.clusters.target import Launched, submits_to

    target = submits_to(cluster)
    machines = Launcher(target.file).nodes() if isinstance(target, Launched) else []
    up = not isinstance(target, Launched) or any(n.kind == "head" and n.ready for n in machines)
    found = overview(target) if up else None
    screen = Screen(as_json=as_json)
    if as_json:
        screen.result(
            {
                "machines": [vars(node) for node in machines],
                "nodes": [vars(node) for node in found.nodes] if found else [],
                "jobs": [vars(job) for job in found.jobs] if found else [],
            }
        )
        return
    for node in machines:
        screen.out.print(str(node), markup=False)
    if found is None:
        screen.out.print("not up", markup=False)
        return
    for line in found.lines():
        screen.out.print(line, markup=False)


def _launcher(file: Path) -> Launcher:
    from uda_study.clusters.launcher import Launcher
    from uda_study.clusters.target import Launched, submits_to
    from uda_study.errors import InputError

    target = submits_to(str(file))
    if not isinstance(target, Launched):
        raise InputError.of("cluster", "must be a launcher's YAML file", file)
    return Launcher(target.file)
