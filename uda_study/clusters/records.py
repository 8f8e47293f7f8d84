"""What this home remembers of studies that were submitted to a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from uda_study.clusters.jobs import ENDED, PENDING
from uda_study.errors import StoreError
from uda_study.files import write_whole
from uda_study.study.written import study_text
from uda_study.types import JSON

FOLDER = "submissions"
# Of a cluster that was made anew and knows nothing of what ran on the one before.
UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Submission:
    """A study on a cluster: which one, by which submission, and how it was seen last.

    Times are ISO 8601 in UTC; ``unreachable`` says why the cluster does not answer now.
    """

    study: str
    cluster: str
    submission: str
    when: str
    status: str
    seen: str
    unreachable: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.status in ENDED or self.status == UNKNOWN


class Submissions:
    """The records of one home, a file per study; a later submission replaces the earlier."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def add(
        self, study: str, cluster: str, submission: str, resolved: Mapping[str, JSON]
    ) -> Submission:
        """Write down that the study was submitted, and as what."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.study_file(study), study_text(resolved))
        now = _now()
        record = Submission(study, cluster, submission, now, PENDING, now)
        self._write(record)
        return record

    def seen(self, record: Submission, status: str) -> Submission:
        """Write down how the submission was found just now."""
        record = replace(record, status=status, seen=_now(), unreachable="")
        self._write(record)
        return record

    def all(self) -> list[Submission]:
        """Return the records by study."""
        return [self._read(path) for path in sorted(self.folder.glob("*.json"))]

    def study_file(self, study: str) -> Path:
        """Return where the study lies as it was submitted."""
        return self.folder / f"{study}.yaml"

    def _write(self, record: Submission) -> None:
        path = self.folder / f"{record.study}.json"
        write_whole(path, json.dumps(asdict(record), indent=1) + "\n")

    @staticmethod
    def _read(path: Path) -> Submission:
        try:
            return Submission(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"{FOLDER}/{path.name}: is damaged ({error}); remove it, the study on the cluster "
                "is not touched by that"
            ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
