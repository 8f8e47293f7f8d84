"""``uda-study follow``: watch a study that runs on a cluster or by itself."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from uda_study.cli.console import INTERRUPTED, Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption
from uda_study.cli.run import StudyArgument


def follow(
    study: StudyArgument,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what a study prints until it has ended, and exit as it does; Ctrl-C leaves it be."""
    from uda_study.cli.elsewhere import follow_submission
    from uda_study.clusters.records import Submissions
    from uda_study.engine.detached import LOG
    from uda_study.study.find import find_study

    screen = Screen(quiet, as_json)
    submitted = {record.study: record for record in Submissions(home.absolute()).all()}
    alone = {path.parent.name for path in home.glob(f"studies/*/{LOG}")}
    name = find_study(study, sorted(alone | set(submitted)))
    if name in submitted:
        follow_submission(submitted[name], screen, home)
    _follow_detached(home.absolute(), name, screen)


def _follow_detached(home: Path, study: str, screen: Screen) -> NoReturn:
    from uda_study.cli.elsewhere import come_back, writer
    from uda_study.engine import detached

    try:
        code = detached.follow(home / "studies" / study, writer(screen))
    except KeyboardInterrupt:
        screen.note(f"\nthe study goes on\n{come_back(study, home)}")
        raise SystemExit(INTERRUPTED) from None
    if screen.as_json:
        screen.result({"study": study, "exit": code})
    raise SystemExit(code)
