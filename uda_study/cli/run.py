"""``uda-study run`` and ``resume``: train everything a study asks for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli import console
from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption, SetOption

if TYPE_CHECKING:
    from uda_study.engine.job import Home
    from uda_study.engine.run import Outcome
    from uda_study.engine.setup import Study
    from uda_study.study.plan import Plan
    from uda_study.study.source import SourcedStudy

_EXIT = {
    "complete": console.OK,
    "failed": console.FAILED,
    "budget": console.BUDGET,
    "interrupted": console.INTERRUPTED,
}
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The study file.")]
SmokeOption = Annotated[
    bool, typer.Option("--smoke", help="Shrink the study to the least that exercises all of it.")
]


def run(
    file: FileArgument,
    settings: SetOption = [],  # noqa: B006 - typer reads the default, nothing writes to it
    smoke: SmokeOption = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a study; one that was interrupted goes on where it stopped."""
    _run(read(file, settings, smoke), Screen(quiet, as_json), home)


def resume(
    study: Annotated[str, typer.Argument(help="The study's id, or how it begins.")],
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Go on with a study that was interrupted, failed or ran out of its budget."""
    _run(read(study_file(home, study), [], smoke=False), Screen(quiet, as_json), home)


def read(file: Path, settings: Sequence[str], smoke: bool) -> SourcedStudy:
    """Return the validated study of a file, shrunk if it is only to be tried out."""
    from uda_study.study.smoke import smoke as shrink
    from uda_study.study.validate import load_study

    sourced = load_study(file, settings)
    if not smoke:
        return sourced
    spec = shrink(sourced.spec)
    return replace(sourced, spec=spec, resolved=spec.to_json())


def study_file(home: Path, text: str) -> Path:
    """Return the resolved file of the study that ``text`` names or begins to name."""
    from uda_study.study.cells import find_study

    known = sorted(path.parent.name for path in home.glob("studies/*/study.yaml"))
    return home / "studies" / find_study(text, known) / "study.yaml"


def _run(sourced: SourcedStudy, screen: Screen, folder: Path) -> None:
    from uda_study.data.prune import in_use
    from uda_study.engine.job import Home

    home = Home(folder.absolute())
    home.create()
    with in_use(home.prepared):
        _run_at(home, sourced, screen)


def _run_at(home: Home, sourced: SourcedStudy, screen: Screen) -> None:
    from uda_study.cli.progress_view import counting, watching
    from uda_study.engine.run import JOURNAL, Options, run_study
    from uda_study.engine.setup import prepare_study
    from uda_study.tracking.log import MlflowRunLog
    from uda_study.tracking.place import tracking_uri

    with counting(screen, "preparing images") as count:
        study = prepare_study(sourced, home, count)
    for line in opening(study):
        screen.note(line)
    if (home.study(study.id) / JOURNAL).exists():
        screen.note("goes on where it was left; what is finished is not trained again")
    # Ray Tune prints a line of its own now and then; stdout is for the result.
    with watching(screen) as watch, redirect_stdout(sys.stderr):
        outcome = run_study(study, home, MlflowRunLog(home.path), Options(watch=watch))
    if outcome.failure is not None:
        folder = home.study(outcome.study) / "trials" / outcome.failure.key
        screen.err.print(
            f"failed: {outcome.failure.message}\n  details: {folder / 'error.txt'}", markup=False
        )
    if screen.as_json:
        screen.result(
            {
                "study": outcome.study,
                "status": outcome.status,
                "tracking_uri": tracking_uri(home.path),
                "trials": outcome.trials,
                "seconds": round(outcome.seconds, 2),
            }
        )
    else:
        _tell(outcome, screen, home.path)
    raise SystemExit(_EXIT[outcome.status])


def opening(study: Study) -> list[str]:
    """Return what is said before the first training starts: checks and plan."""
    splits = [data.split for data in study.data.values()]
    protocols = ", ".join(sorted({split.protocol for split in splits}))
    lines = [
        f"✓ study {study.id} valid   ✓ splits by subject, {protocols}, sha {splits[0].sha256[:4]}"
        f"   {_labels(study)}",
        *make_plan(study).lines(),
    ]
    lines += [f"! left out: {reason}" for reason in study.left_out]
    return lines + [f"! {warning}" for warning in study.warnings]


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
    from uda_study.engine.timing import measure
    from uda_study.study.plan import plan

    task = next(iter(study.data.values())).task
    costs = measure(study.first_trials, task)
    cores = os.cpu_count() or 1
    trained = {cell.method for cell in study.baseline_cells}
    kept = tuple(name for name in study.spec.baselines if name in trained)
    spec = study.spec.model_copy(update={"baselines": kept})
    return plan(spec, study.cells, costs.seconds, cores, costs.model_bytes)


def _tell(outcome: Outcome, screen: Screen, home: Path) -> None:
    from uda_study.cli.leaderboard import show
    from uda_study.study.duration import readable
    from uda_study.tracking.store import open_store

    if outcome.status == "complete":
        show(screen, open_store(home), outcome.study)
    counts = "  ".join(f"{count} {name}" for name, count in outcome.trials.items() if count)
    screen.note(f"study {outcome.study} {outcome.status} in {readable(outcome.seconds)}   {counts}")
    option = "" if home == HOME.absolute() else f" --home {home}"
    if outcome.status == "complete":
        screen.note(
            f"leaderboard: uda-study leaderboard {outcome.study}{option}\n"
            f"browse:      uda-study ui{option}\n"
            f'promote:     uda-study promote {outcome.study} --cell "CELL" --to NAME{option}'
        )
    else:
        screen.note(f"go on: uda-study resume {outcome.study}{option}")
