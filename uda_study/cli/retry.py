"""``uda-study retry``: do again what failed or diverged, and go on with the study."""

from __future__ import annotations

from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import (
    HOME,
    ClusterOption,
    DetachOption,
    HomeOption,
    InstallOption,
    JsonOption,
    QuietOption,
)
from uda_study.cli.run import StudyArgument, Where, go_on


def retry(
    study: StudyArgument,
    failed: Annotated[
        bool, typer.Option("--failed", help="Do failed trainings again; this is the default.")
    ] = False,
    diverged: Annotated[
        bool,
        typer.Option("--diverged", help="Do diverged trainings again, once code has changed."),
    ] = False,
    cluster: ClusterOption = None,
    detach: DetachOption = False,
    install: InstallOption = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Do trainings that failed or diverged again, first of all, and go on with the study."""
    from uda_study.api.places import open_home
    from uda_study.cli.elsewhere import begun_or_submitted, leave_to
    from uda_study.engine.journal import JOURNAL, Journal
    from uda_study.engine.lock import alone
    from uda_study.engine.retry import faulty, reopen_diverged
    from uda_study.errors import InputError
    from uda_study.study.cells import study_id

    screen = Screen(quiet, as_json)
    where = Where(cluster, detach, install)
    sourced = begun_or_submitted(home, study, cluster)
    wanted = {name for name, given in (("failed", failed), ("diverged", diverged)) if given}
    # What there is to retry is known where the study lies.
    words = ("retry", study_id(sourced.resolved), *(f"--{name}" for name in sorted(wanted)))
    leave_to(where, sourced, screen, home, words)
    place = open_home(home)
    folder = place.study(study_id(sourced.resolved))
    with alone(folder):
        journal = Journal(folder / JOURNAL)
        found = faulty(journal.events(), folder)
        again = [one for one in found if one.fault in (wanted or {"failed"})]
        if not again:
            others = f"{len(found)} {found[0].fault}" if found else "all went well"
            remedy = f"--{found[0].fault} does them again" if found else None
            raise InputError.of(f"study {folder.name}", "has nothing to retry", others, remedy)
        for one in again:
            screen.note(str(one))
        reopen_diverged(journal, folder, again)
        for one in again:
            if one.fault == "diverged":
                place.mirror.drop(folder / "trials" / one.spec.key)
    go_on(sourced, screen, home, where)
