"""What could leak from the test or the target's labels into a training, tried before any begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uda_study.engine.journal import Event, Started
from uda_study.engine.leak_checks.once import check_once
from uda_study.engine.leak_checks.subjects import check_subjects
from uda_study.engine.leak_checks.tripwire import trip
from uda_study.engine.setup import Study
from uda_study.errors import InputError, Problem
from uda_study.study.checks import Check


def check_leaks(study: Study, events: Sequence[Event] = ()) -> Study:
    """Return the study with its leak checks; writes nothing.

    ``events`` are those of its journal, where it has begun. What could not be checked is among the
    warnings. Raises `InputError` naming every check that failed.
    """
    known = [event.spec for event in events if isinstance(event, Started)]
    once = check_once([*study.baselines, *known])
    tried, left_out = trip(study.first_trials, study.data)
    found = (check_subjects(study.data), _images(study), once, *tried)
    checks = [check for check in found if check is not None]
    failed = [check for check in checks if not check.passed]
    if failed:
        remedy = "nothing was trained; mend what the check names"
        raise InputError(
            Problem(f"leak check: {check.name}", check.detail, None, remedy) for check in failed
        )
    return replace(
        study,
        checks=tuple(checks),
        tags={**study.tags, "checks": f"{len(checks)} passed"},
        warnings=(*study.warnings, *(f"not checked for leaks: {what}" for what in left_out)),
    )


def _images(study: Study) -> Check:
    """Say what `prepare_study` has refused no image for."""
    used = {
        name for data in study.data.values() for ids in data.split.roles.values() for name in ids
    }
    return Check(
        "images", True, f"{len(used)} compared, none twice, no near-copy in training and test"
    )
