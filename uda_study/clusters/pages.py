"""MLflow's pages of a cluster: served on the head's loopback interface, tunnelled to ours."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from uda_study.clusters.jobs import Jobs
from uda_study.clusters.launcher import Launcher
from uda_study.clusters.reach import reached
from uda_study.clusters.shipping import staged
from uda_study.clusters.target import JobsApi, Launched
from uda_study.clusters.tunnel import tunnel
from uda_study.errors import ClusterError

_NAME = "ui"
_PATIENCE_S = 120.0


def ready(port: int) -> str:
    """Return what ``uda-study ui`` says when its pages answer.

    MLflow names the address as well, before it listens there.
    """
    return f"http://127.0.0.1:{port}   stop with Ctrl-C"


@contextmanager
def served(target: JobsApi | Launched, port: int) -> Iterator[str]:
    """Have the head serve its runs at a port, and yield what to tell the user.

    Ends the server and the tunnel with the block. Raises `ClusterError` where it does not start.
    """
    submission = f"{_NAME}-{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        jobs = stack.enter_context(reached(target))
        with staged() as package:
            words = [_NAME, "--port", str(port)]
            jobs.submit(submission, words, package.folder, (), _NAME)
        stack.callback(jobs.stop, submission)
        _wait(jobs, submission, ready(port))
        if isinstance(target, JobsApi):
            yield (
                f"the head serves its runs to itself at port {port}; from another machine:\n"
                f"  ssh -N -L 127.0.0.1:{port}:127.0.0.1:{port} USER@HEAD"
            )
            return
        launcher = Launcher(target.file)
        head = launcher.head()
        if head is None:
            raise ClusterError(f"cluster {launcher.name} went down")
        stack.enter_context(tunnel(launcher.ssh(head), [port], [port]))
        yield f"http://127.0.0.1:{port}"


def _wait(jobs: Jobs, submission: str, sign: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        job = jobs.job(submission)
        log = jobs.log(submission) if job is not None and job.status != "PENDING" else ""
        if job is None or job.ended:
            last = log.strip().splitlines()[-1:] or ["nothing"]
            raise ClusterError(f"the head serves no pages; it said: {last[0]}")
        if sign in log:
            return
        if time.monotonic() > deadline:
            raise ClusterError(f"the head serves no pages after {_PATIENCE_S:.0f} s")
        time.sleep(1.0)
