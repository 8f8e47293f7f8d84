"""``uda-study stop``: end a study so that it can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, QuietOption, in_home
from uda_study.cli.run import StudyArgument

if TYPE_CHECKING:
    from uda_study.clusters.records import Submission

_PATIENCE_S = 360.0


def stop(study: StudyArgument, home: HomeOption = HOME, quiet: QuietOption = False) -> None:
    """End a study that runs on this machine or on a cluster; what is finished is kept."""
    from uda_study.clusters.records import Submissions
    from uda_study.engine import holder
    from uda_study.engine.lock import LOCK
    from uda_study.study.find import find_study

    screen = Screen(quiet)
    place = home.absolute()
    submitted = {record.study: record for record in Submissions(place).all()}
    local = {path.parent.name for path in place.glob(f"studies/*/{LOCK}")}
    name = find_study(study, sorted(local | set(submitted)))
    folder = place / "studies" / name
    if name in submitted and holder.holder(folder) is None:
        _stop_submission(submitted[name], screen, place)
        return
    screen.note(f"study {name} is told to end")
    holder.stop(folder, _PATIENCE_S)
    screen.note(f"study {name} has ended\ngo on: uda-study resume {name}{in_home(home)}")


def _stop_submission(record: Submission, screen: Screen, home: Path) -> None:
    import time

    from uda_study.clusters.reach import reached
    from uda_study.clusters.records import Submissions
    from uda_study.clusters.submitting import wait_until_ended
    from uda_study.clusters.target import submits_to

    with reached(submits_to(record.cluster)) as jobs:
        screen.note(f"{record.submission} at {record.cluster} is told to end")
        jobs.stop(record.submission)
        job = wait_until_ended(jobs, record.submission, _PATIENCE_S, time.sleep)
    Submissions(home).seen(record, job.status)
    screen.note(f"{record.submission} {job.status.lower()}")
    screen.note(f"go on: uda-study resume {record.study} --cluster {record.cluster}{in_home(home)}")
