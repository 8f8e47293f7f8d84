"""What a cluster is made of and what it works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from uda_study.clusters.jobs import Job, Member
from uda_study.clusters.reach import reached
from uda_study.clusters.target import JobsApi, Launched

_GIB = 2**30


@dataclass(frozen=True)
class Overview:
    """The machines that belong to the Ray, and the studies that were submitted to it."""

    nodes: tuple[Member, ...]
    jobs: tuple[Job, ...]

    def lines(self) -> Iterator[str]:
        """Yield what there is to read, a line for each."""
        for node in self.nodes:
            has = node.resources
            kind = "head" if node.head else "worker"
            yield (
                f"{kind:6}  {node.ip}  {node.state.lower()}  {has.get('CPU', 0):g} CPU  "
                f"{has.get('GPU', 0):g} GPU  {has.get('memory', 0) / _GIB:.0f} GiB"
            )
        for job in self.jobs:
            yield f"study   {job.study}  {job.id}  {job.status.lower()}"
        if not self.jobs:
            yield "no study was submitted"


def overview(target: JobsApi | Launched) -> Overview:
    """Ask the cluster."""
    with reached(target) as jobs:
        return Overview(tuple(jobs.members()), tuple(sorted(jobs.jobs(), key=lambda job: job.id)))
