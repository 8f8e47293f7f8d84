"""``uda-study run`` and ``resume``: train everything a study asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli import console
from uda_study.cli.console import Screen
from uda_study.cli.options import (
    HOME,
    ClusterOption,
    DetachOption,
    HomeOption,
    InstallOption,
    JsonOption,
    QuietOption,
    SetOption,
    in_home,
)

if TYPE_CHECKING:
    from uda_study.engine.edits import Change
    from uda_study.engine.job import Home
    from uda_study.engine.remaining import Missing
    from uda_study.engine.run import Outcome
    from uda_study.engine.setup import Study
    from uda_study.study.board import Leaderboard
    from uda_study.study.plan import Plan
    from uda_study.study.source import SourcedStudy

_SHOWN = 5
_EXIT = {
    "complete": console.OK,
    "failed": console.FAILED,
    "budget": console.BUDGET,
    "interrupted": console.INTERRUPTED,
    "terminated": console.TERMINATED,
}
StudyArgument = Annotated[str, typer.Argument(help="The study's id, or how it begins.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The study file.")]
SmokeOption = Annotated[
    bool, typer.Option("--smoke", help="Shrink the study to the least that exercises all of it.")
]


@dataclass(frozen=True)
class Where:
    """Where a study is to run: ``cluster`` as it was typed, None for this machine alone."""

    cluster: str | None = None
    detach: bool = False
    install: bool = False


def run(
    file: FileArgument,
    settings: SetOption = [],  # noqa: B006 - typer reads the default, nothing writes to it
    smoke: SmokeOption = False,
    cluster: ClusterOption = None,
    detach: DetachOption = False,
    install: InstallOption = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a study; one that was interrupted goes on where it stopped."""
    from uda_study.api.beginning import read

    where = Where(cluster, detach, install)
    go_on(read(file, settings, smoke=smoke), Screen(quiet, as_json), home, where)


def resume(
    study: StudyArgument,
    num_samples: Annotated[
        str | None,
        typer.Option(
            "--num-samples",
            metavar="+N|N",
            help="Search further: so many trials more in each cell, or in all.",
        ),
    ] = None,
    settings: SetOption = [],  # noqa: B006 - typer reads the default, nothing writes to it
    cluster: ClusterOption = None,
    detach: DetachOption = False,
    install: InstallOption = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Go on with a study that was interrupted, failed or ran out of its budget."""
    from uda_study.cli.elsewhere import begun_or_submitted
    from uda_study.engine.edits import extended

    sourced = begun_or_submitted(home, study, cluster, settings)
    screen = Screen(quiet, as_json)
    if num_samples is not None:
        before = sourced.spec.search.num_samples
        sourced = extended(sourced, num_samples)
        screen.note(
            f"search.num_samples: {before} -> {sourced.spec.search.num_samples} in each cell; "
            "what is chosen then is confirmed"
        )
    go_on(sourced, screen, home, Where(cluster, detach, install))


def go_on(sourced: SourcedStudy, screen: Screen, folder: Path, where: Where) -> None:
    """Run the study, from its beginning or from where it was left; does not return.

    That may be here, on a cluster of which this process becomes a part, or as a job of one.
    """
    from uda_study.api.places import open_home
    from uda_study.cli.elsewhere import leave_to
    from uda_study.data.prune import in_use

    address = leave_to(where, sourced, screen, folder)
    home = open_home(folder)
    home.create()
    with in_use(home.prepared):
        _run_at(home, sourced, screen, address)


def _run_at(home: Home, sourced: SourcedStudy, screen: Screen, address: str | None) -> None:
    from uda_study.api.beginning import checked
    from uda_study.api.running import carry_out
    from uda_study.cli.progress_view import counting, watching
    from uda_study.engine.edits import nearest_study
    from uda_study.engine.journal import JOURNAL
    from uda_study.engine.label_access import opened_in
    from uda_study.tracking.place import shown, tracking_uri

    with counting(screen, "preparing images") as count:
        study = checked(sourced, home, count)
    for line in opening(study, home):
        screen.note(line)
    if (near := nearest_study(sourced, home)) is not None:
        screen.note(differing(study.id, *near))
    if (home.study(study.id) / JOURNAL).exists():
        screen.note("goes on where it was left; what is finished is not trained again")
    with watching(screen) as watch:
        outcome, board = carry_out(study, home, watch, address)
    for failure in outcome.failures:
        folder = home.study(outcome.study) / "trials" / failure.key
        screen.err.print(
            f"failed: {failure.message}\n  details: {folder / 'error.txt'}", markup=False
        )
    if screen.as_json:
        screen.result(
            {
                "study": outcome.study,
                "status": outcome.status,
                "tracking_uri": shown(tracking_uri(home.path)),
                "trials": outcome.trials,
                "seconds": round(outcome.seconds, 2),
                "missing": [asdict(one) for one in outcome.missing],
            }
        )
    else:
        if opened := opened_in(home.study(outcome.study)):
            screen.note(f"labels opened: {_access(opened)}")
        _tell(outcome, board, screen, home.path)
    raise SystemExit(_EXIT[outcome.status])


def differing(study: str, other: str, found: Sequence[Change]) -> str:
    """Say that a study of a known name is a new one, and why."""
    shown = "; ".join(map(str, found[:_SHOWN]))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    hint = ""
    if [change.key for change in found] == ["search.num_samples"]:
        hint = f"\n  to search {other} further: uda-study resume {other} --num-samples"
    return f"{study} is a new study, it differs from {other} in {shown}{more}{hint}"


def opening(study: Study, home: Home) -> list[str]:
    """Return what is said before the first training starts: checks, plan and disk."""
    from uda_study.api.forecast import forecast

    splits = [data.split for data in study.data.values()]
    protocols = ", ".join(sorted({split.protocol for split in splits}))
    lines = [
        f"✓ study {study.id} valid   ✓ splits by subject, {protocols}, sha {splits[0].sha256[:4]}"
        f"   {_labels(study)}",
        *map(str, study.checks),
        *(made := make_plan(study)).lines(),
    ]
    if (room := forecast(study, home, made)) is not None:
        lines.append(str(room))
    lines += [f"! left out: {reason}" for reason in study.left_out]
    return lines + [f"! {warning}" for warning in study.warnings]


def _access(opened: Mapping[str, Mapping[str, int]]) -> str:
    parts = []
    for role, counts in opened.items():
        times = " and ".join(f"{count} in {purpose}" for purpose, count in counts.items())
        parts.append(f"{role} {times}")
    return ", ".join(parts)


def _labels(study: Study) -> str:
    """Say who sees target labels; the upper bound always does."""
    from uda_study.study.hyper import load_method

    if study.spec.metric.startswith("oracle/"):
        return "! settings are chosen with target labels"
    methods = dict.fromkeys(cell.method for cell in study.cells)
    readers = [name for name in methods if load_method(name).needs.target == "labels"]
    if readers:
        return f"! target labels train {', '.join(readers)}; withheld from all else"
    return "✓ target labels withheld"


def make_plan(study: Study) -> Plan:
    """Return the study's plan, with times found by a step of each method."""
    from uda_study.api.forecast import planned
    from uda_study.engine.timing import measure

    task = next(iter(study.data.values())).task
    return planned(study, measure(study.first_trials, task))


def tell_missing(screen: Screen, missing: Sequence[Missing]) -> None:
    """Say which trainings are not done, by cell."""
    for one in missing:
        screen.note(f"  {one}")


def _tell(outcome: Outcome, board: Leaderboard | None, screen: Screen, home: Path) -> None:
    from uda_study.cli.leaderboard import show
    from uda_study.study.duration import readable

    if board is not None:
        show(screen, board)
    counts = "  ".join(f"{count} {name}" for name, count in outcome.trials.items() if count)
    if outcome.superseded:
        screen.note(
            f"{outcome.superseded} confirmations of settings no longer chosen stay on record"
        )
    screen.note(f"study {outcome.study} {outcome.status} in {readable(outcome.seconds)}   {counts}")
    option = in_home(home)
    if outcome.status == "complete":
        screen.note(
            f"leaderboard: uda-study leaderboard {outcome.study}{option}\n"
            f"browse:      uda-study ui{option}\n"
            f'promote:     uda-study promote {outcome.study} --cell "CELL" --to NAME{option}'
        )
    else:
        tell_missing(screen, outcome.missing)
        screen.note(f"go on: uda-study resume {outcome.study}{option}")
        if outcome.status == "budget":
            screen.note("with more: add --set budget.time=... or --set budget.gpu_hours=...")
        if outcome.status == "failed":
            screen.note(f"or, to see what failed: uda-study retry {outcome.study}{option}")
