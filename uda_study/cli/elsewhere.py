"""A study that is run somewhere else: as a job of a cluster, or by a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from uda_study.cli.console import BUDGET, INTERRUPTED, INVALID, OK, Screen
from uda_study.cli.options import in_home

if TYPE_CHECKING:
    from uda_study.cli.run import Where
    from uda_study.clusters.records import Submission
    from uda_study.clusters.target import JobsApi, Launched
    from uda_study.study.source import SourcedStudy


def begun_or_submitted(
    home: Path, text: str, cluster: str | None, settings: Sequence[str] = ()
) -> SourcedStudy:
    """Return the study that was begun in this home or submitted from it.

    ``settings`` replace values of its file that no result depends on. `InputError` where it was
    only submitted, and no cluster is named to go on at.
    """
    from uda_study.api.beginning import begun, read
    from uda_study.api.places import open_home
    from uda_study.clusters.records import Submissions
    from uda_study.engine.shared_study import known_studies
    from uda_study.errors import InputError
    from uda_study.study.find import find_study

    records = Submissions(home.absolute())
    submitted = {record.study: record for record in records.all()}
    local = set(known_studies(open_home(home)))
    if not submitted or (name := find_study(text, sorted(local | set(submitted)))) in local:
        return begun(home, text, settings)
    if cluster is None:
        raise InputError.of(
            f"study {name}",
            "was submitted to a cluster and lies there",
            submitted[name].cluster,
            f"--cluster {submitted[name].cluster}",
        )
    return read(records.study_file(name), settings)


def leave_to(
    where: Where,
    sourced: SourcedStudy,
    screen: Screen,
    home: Path,
    words: Sequence[str] = ("run", "study.yaml"),
) -> str | None:
    """Have the study run elsewhere, which does not return, or return the Ray to join here.

    ``words`` are the command that a cluster is to run. None stands for a Ray of its own.
    """
    from uda_study.clusters.target import Joined, target_of
    from uda_study.errors import InputError

    target = None if where.cluster is None else target_of(where.cluster)
    if target is not None and not isinstance(target, Joined):
        return submit_study(target, sourced, words, screen, home, where)
    if where.install:
        raise InputError.of("--install", "is for studies that are submitted", where.cluster)
    if target is not None:
        # Before the images are made ready, not after.
        from uda_study.engine.cluster import refuse_silent

        refuse_silent(target.address)
    if where.detach:
        return detach(where, sourced, screen, home)
    return None if target is None else target.address


def detach(where: Where, sourced: SourcedStudy, screen: Screen, home: Path) -> NoReturn:
    """Have a process of its own run the study on this machine."""
    from uda_study.engine import detached
    from uda_study.engine.job import Home
    from uda_study.files import write_whole
    from uda_study.study.cells import study_id
    from uda_study.study.written import study_text

    study = study_id(sourced.resolved)
    place = Home(home.absolute())
    place.create()
    folder = place.study(study)
    folder.mkdir(parents=True, exist_ok=True)
    # What was validated here is what runs, whatever becomes of the file meanwhile.
    file = folder / "run.yaml"
    write_whole(file, study_text(sourced.resolved))
    joined = [] if where.cluster is None else ["--cluster", where.cluster]
    detached.start(folder, ["run", str(file), "--home", str(place.path), *joined])
    screen.note(f"study {study} runs by itself; it writes to {folder / detached.LOG}")
    screen.note(come_back(study, home))
    if screen.as_json:
        screen.result({"study": study, "log": str(folder / detached.LOG)})
    raise SystemExit(OK)


def submit_study(
    target: JobsApi | Launched,
    sourced: SourcedStudy,
    words: Sequence[str],
    screen: Screen,
    home: Path,
    where: Where,
) -> NoReturn:
    """Submit the study and follow it, unless it is to be left alone."""
    from uda_study.clusters.reach import bring_up, reached
    from uda_study.clusters.records import Submissions
    from uda_study.clusters.seeing import refuse_twice
    from uda_study.clusters.shipping import outside, staged
    from uda_study.clusters.submitting import submit
    from uda_study.clusters.target import Launched
    from uda_study.study.cells import cells, study_id, study_methods

    study = study_id(sourced.resolved)
    screen.note(f"✓ study {study} valid, {len(cells(sourced.spec))} cells")
    if warning := refuse_twice(home.absolute(), study, str(target)):
        screen.note(warning)
    for name in outside(study_methods(sourced.spec), sourced.spec.data.dataset):
        screen.note(f"! {name} is of another package, which has to be installed on the cluster")
    with staged(sourced.resolved) as package:
        screen.note(f"ships {package}: the program, study.yaml, versions; no data")
        if isinstance(target, Launched):
            bring_up(target, screen.note)
        with reached(target) as jobs:
            command = [*words, "--cluster", "auto"]
            submission = submit(jobs, study, command, package, install=where.install)
    record = Submissions(home.absolute()).add(study, str(target), submission, sourced.resolved)
    screen.note(f"submitted {submission} to {target}")
    if where.detach:
        screen.note(come_back(study, home))
        if screen.as_json:
            screen.result(vars(record))
        raise SystemExit(OK)
    follow_submission(record, screen, home)


def follow_submission(record: Submission, screen: Screen, home: Path) -> NoReturn:
    """Show the job's log until it has ended, and exit as it did."""
    from uda_study.clusters.following import Follower, exit_code
    from uda_study.clusters.reach import reached
    from uda_study.clusters.records import Submissions
    from uda_study.clusters.target import submits_to

    target = submits_to(record.cluster)
    records = Submissions(home.absolute())

    follower = Follower(lambda: reached(target), record.submission, writer(screen), screen.note)
    try:
        job = follower.follow()
    except KeyboardInterrupt:
        screen.note(f"\nthe study goes on at {record.cluster}\n{come_back(record.study, home)}")
        raise SystemExit(INTERRUPTED) from None
    record = records.seen(record, job.status)
    code = exit_code(job)
    screen.note(f"{record.submission} {job.status.lower()} at {record.cluster}, exit {code}")
    if code in (OK, BUDGET):
        bring_home(record, screen, home)
    if code not in (OK, INVALID):
        screen.note(
            f"go on: uda-study resume {record.study} --cluster {record.cluster}{in_home(home)}"
        )
    if screen.as_json:
        screen.result({**vars(record), "exit": code})
    raise SystemExit(code)


def bring_home(record: Submission, screen: Screen, home: Path) -> None:
    """Fetch the study's results into this home, or say how; that fails without ending the command.

    They come from the cluster's ``UDA_STUDY_STORAGE``, or from the head of a launcher's cluster.
    """
    from uda_study.api.fetching import fetch
    from uda_study.clusters.results import copied
    from uda_study.clusters.target import submits_to
    from uda_study.errors import UdaStudyError

    try:
        with copied(submits_to(record.cluster), record.study) as source:
            if source is None:
                screen.note(
                    f"its results lie in the home of {record.cluster}; to have them here: "
                    f"uda-study fetch {record.study} --storage ADDRESS, or --from FOLDER"
                )
                return
            fetch(record.study, home.absolute(), source, screen.note)
    except UdaStudyError as error:
        screen.note(f"! its results were not fetched: {error}")
        return
    screen.note(f"its results are here: uda-study leaderboard {record.study}{in_home(home)}")


def come_back(study: str, home: Path) -> str:
    """Say how to see and how to end what was left running."""
    option = in_home(home)
    return f"see it:  uda-study follow {study}{option}\nend it:  uda-study stop {study}{option}"


def writer(screen: Screen) -> Callable[[str], None]:
    """Return what passes on another process's output: to stdout, unless that is for JSON."""

    def write(text: str) -> None:
        stream = sys.stderr if screen.as_json else sys.stdout
        stream.write(text)
        stream.flush()

    return write
