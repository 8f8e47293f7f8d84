"""Ray's Jobs API: submit a command, see what became of it, read its log, stop it."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from uda_study.errors import ClusterError, InputError

PENDING, RUNNING, STOPPED, SUCCEEDED, FAILED = (
    "PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED",
)  # fmt: skip
ENDED = (STOPPED, SUCCEEDED, FAILED)
_REQUEST_S = 60.0
_TALKATIVE = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
# A study that is told to stop writes down what it has; Ray kills it after three seconds otherwise.
STOP_WAIT_S = 300


class Unreachable(ClusterError):
    """Nothing answers at the address, or the connection was lost; asking again may help."""


@dataclass(frozen=True)
class Job:
    """One submission as the cluster knows it; ``code`` is the command's exit status."""

    id: str
    status: str
    study: str
    message: str = ""
    code: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED


@dataclass(frozen=True)
class Member:
    """A machine that belongs to a Ray; ``resources`` as it offers them in all."""

    ip: str
    head: bool
    state: str
    resources: Mapping[str, float]


class Jobs(Protocol):
    """What submitting and following ask of a cluster. Every call may raise `Unreachable`."""

    def submit(
        self, submission: str, words: Sequence[str], package: Path, pip: Sequence[str], study: str
    ) -> None:
        """Start a command on the head, in a copy of the package's folder."""

    def job(self, submission: str) -> Job | None:
        """Return the submission; None where the cluster does not know it."""

    def jobs(self) -> list[Job]:
        """Return all submissions of studies that the cluster remembers."""

    def log(self, submission: str) -> str:
        """Return all that the command has printed so far."""

    def stop(self, submission: str) -> None:
        """Tell the command to end by SIGTERM, without waiting for it."""

    def delete(self, submission: str) -> None:
        """Forget a submission that has ended."""

    def members(self) -> list[Member]:
        """Return the machines of the cluster, the head first."""


class RayJobs:
    """The Jobs API at an address."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def submit(
        self, submission: str, words: Sequence[str], package: Path, pip: Sequence[str], study: str
    ) -> None:
        """Start a command on the head, in a copy of the package's folder."""
        environment: dict[str, Any] = {
            "working_dir": str(package),
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S)},
        }
        if pip:
            environment["pip"] = list(pip)
        with _reported():
            self._client.submit_job(
                # Signals are for the command itself, not for a shell around it.
                entrypoint=entrypoint(words),
                submission_id=submission,
                runtime_env=environment,
                metadata={"study": study},
            )

    def job(self, submission: str) -> Job | None:
        """Return the submission; None where the cluster does not know it."""
        return next((job for job in self.jobs() if job.id == submission), None)

    def jobs(self) -> list[Job]:
        """Return all submissions of studies that the cluster remembers."""
        with _reported():
            found = self._client.list_jobs()
        return [
            Job(
                one.submission_id,
                str(one.status.value),
                (one.metadata or {})["study"],
                one.message or "",
                one.driver_exit_code,
            )
            for one in found
            if one.submission_id and "study" in (one.metadata or {})
        ]

    def log(self, submission: str) -> str:
        """Return all that the command has printed so far."""
        with _reported():
            return str(self._client.get_job_logs(submission))

    def stop(self, submission: str) -> None:
        """Tell the command to end by SIGTERM, without waiting for it."""
        with _reported():
            self._client.stop_job(submission)

    def delete(self, submission: str) -> None:
        """Forget a submission that has ended."""
        with _reported():
            self._client.delete_job(submission)

    def members(self) -> list[Member]:
        """Return the machines of the cluster, the head first."""
        with _reported():
            # What `ray list nodes` asks.
            answer = self._client._do_request("GET", "/api/v0/nodes").json()
        found = [
            Member(one["node_ip"], one["is_head_node"], one["state"], one["resources_total"])
            for one in answer["data"]["result"]["result"]
        ]
        return sorted(found, key=lambda member: (not member.head, member.ip))


def entrypoint(words: Sequence[str]) -> str:
    """Return the command line by which the head runs uda-study."""
    return "exec python -m uda_study " + shlex.join(words)


def open_jobs(url: str, *, alone: bool) -> RayJobs:
    """Return the Jobs API at an address; ``alone`` if only this machine can reach it.

    Raises `InputError` where others reach it without a token, or ours is not its token, and
    `Unreachable` where nothing answers.
    """
    from ray.job_submission import JobSubmissionClient  # noqa: PLC0415

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)

    class Client(JobSubmissionClient):
        """Ray's client with an end to every wait."""

        def _do_request(self, method: str, endpoint: str, **more: Any) -> Any:
            return super()._do_request(method, endpoint, **{"timeout": _REQUEST_S, **more})

    with _reported():
        if not alone and is_open(url):
            raise InputError.of(
                "--cluster",
                "must ask for a token: whoever reaches an open cluster runs code on it",
                url,
                "start it with RAY_AUTH_MODE=token",
            )
        with _only(url):
            return RayJobs(Client(url))


def is_open(url: str) -> bool:
    """Tell whether a Jobs API answers somebody without a token, whatever was set here."""
    import requests  # noqa: PLC0415

    answer = requests.get(f"{url}/api/jobs/", timeout=_REQUEST_S, allow_redirects=False)
    return answer.status_code == requests.codes.ok


@contextmanager
def _only(url: str) -> Iterator[None]:
    """Have Ray take this address, where it would prefer one from the environment."""
    name = "RAY_API_SERVER_ADDRESS"
    before = os.environ.get(name)
    os.environ[name] = url
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@contextmanager
def _reported() -> Iterator[None]:
    """Turn what Ray's client and requests raise into errors of ours."""
    from ray.exceptions import AuthenticationError  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    try:
        yield
    except AuthenticationError as error:
        raise InputError.of(
            "--cluster",
            "does not take the token that is used here",
            None,
            "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=FILE with the cluster's own token",
        ) from error
    except (RequestException, ConnectionError) as error:
        raise Unreachable(f"the cluster's Jobs API does not answer ({error})") from error
    except RuntimeError as error:
        raise ClusterError(f"the cluster's Jobs API refuses: {error}") from error
