"""``uda-study follow``: watch a study that runs on a cluster or by itself."""

from __future__ import annotations

from uda_study.cli.console import Screen
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
    from uda_study.study.find import find_study

    submitted = {record.study: record for record in Submissions(home.absolute()).all()}
    name = find_study(study, sorted(submitted))
    follow_submission(submitted[name], Screen(quiet, as_json), home)
