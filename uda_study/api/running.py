"""Run a study file, or go on with it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from uda_study.api.beginning import checked, read
from uda_study.api.forecast import refuse_full
from uda_study.api.places import PathLike, open_home, to_stderr
from uda_study.api.studies import Study
from uda_study.data.prune import in_use
from uda_study.engine.job import Home
from uda_study.engine.progress import Progress
from uda_study.engine.run import Options, Outcome, run_study
from uda_study.engine.setup import Study as Prepared
from uda_study.study.board import Leaderboard
from uda_study.tracking.board_view import publish
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.store import open_store


def run(
    file: PathLike,
    *,
    home: PathLike | None = None,
    settings: Sequence[str] = (),
    smoke: bool = False,
    tell: Callable[[str], None] = to_stderr,
) -> Study:
    """Run a study file and return the study; one that was interrupted goes on where it stopped.

    ``settings`` replace values of the file (``search.num_samples=12``); ``smoke`` shrinks the study
    to the least that exercises all of it. ``tell`` gets a line whenever a training has ended.
    """
    place = open_home(home)
    shown = -1

    def watch(progress: Progress) -> None:
        nonlocal shown
        if progress.done != shown:
            shown = progress.done
            tell(f"{progress.done}/{progress.total} trainings done")

    sourced = read(Path(file), settings, smoke=smoke)
    place.create()
    with in_use(place.prepared):
        prepared = checked(sourced, place)
        for check in prepared.checks:
            tell(str(check))
        outcome, _ = carry_out(prepared, place, watch)
    tell(f"study {outcome.study} {outcome.status}")
    return Study(outcome.study, place.path)


def carry_out(
    prepared: Prepared,
    home: Home,
    watch: Callable[[Progress], None],
    address: str | None = None,
) -> tuple[Outcome, Leaderboard | None]:
    """Train what the study has not yet; a finished one's leaderboard is written into MLflow.

    ``address`` is that of a Ray to join. Returns how it ended and that leaderboard. Raises
    `InputError` for a study that does not fit the disk.
    """
    refuse_full(prepared, home)
    # Ray Tune prints a line of its own now and then; stdout is for results.
    with redirect_stdout(sys.stderr):
        outcome = run_study(prepared, home, MlflowRunLog(home.path), Options(address, watch=watch))
    if outcome.status != "complete":
        return outcome, None
    board = Study(outcome.study, home.path).board()
    publish(open_store(home.path), board, time.time_ns() // 1_000_000)
    return outcome, board
