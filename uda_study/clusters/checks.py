"""What of a cluster would stand in the way of a study: asked of every machine by a task there."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from uda_study.clusters import node_facts
from uda_study.clusters.findings import DRIVER, Finding, software
from uda_study.clusters.node_facts import Facts
from uda_study.clusters.shipping import is_needed, pins
from uda_study.engine.cluster import connect
from uda_study.engine.job import Home

_PATIENCE_S = 120.0
_SKEW_S = 2.0
_SHOWN = 3


@dataclass(frozen=True)
class Asked:
    """A machine's answer, and between which two readings of our clock it came; None for none."""

    ip: str
    gpus: float
    facts: Facts | None
    error: str
    before: float
    after: float


def check_cluster(address: str, home: Home) -> list[Finding]:
    """Join the Ray at an address and look at all of its machines; ``home`` is as studies have it.

    Raises `InputError` where no Ray answers.
    """
    wanted = {pin.partition("==")[0]: pin.partition("==")[2] for pin in pins() if is_needed(pin)}
    with connect(address):
        nodes = [node for node in ray.nodes() if node["Alive"]]
        folder = f"doctor-{uuid.uuid4().hex[:8]}"
        try:
            asked = [_ask(node, [*wanted], home.path, folder) for node in nodes]
            return [
                Finding(DRIVER, True, software()),
                Finding("nodes", True, f"{len(nodes)} in all"),
                *(finding for one in asked for finding in findings_of(one, wanted)),
                _shared(nodes, asked, home, folder),
            ]
        finally:
            shutil.rmtree(home.path / folder, ignore_errors=True)


def findings_of(asked: Asked, wanted: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what one machine's answer means."""
    facts = asked.facts
    if facts is None:
        yield Finding(
            asked.ip, False, asked.error, "install uda-study there, as on the head, or --install"
        )
        return
    where = f"{facts.host} {asked.ip}"
    runs = software(facts.python, facts.ray)
    yield Finding(
        where,
        runs == software(),
        f"{runs}, {asked.gpus:g} GPU",
        f"install what the driver has: {software()}",
    )
    other = [
        f"{name} {found or 'missing'} for {wanted[name]}"
        for name, found in facts.packages.items()
        if found != wanted[name].partition("+")[0]
    ]
    shown = ", ".join(other[:_SHOWN]) + (f" and {len(other) - _SHOWN} more" * (len(other) > _SHOWN))
    yield Finding(
        f"{where} packages",
        not other,
        shown or f"{len(wanted)} as pinned",
        "pip install --constraint constraints.txt uda-study there, or run --install",
    )
    yield Finding(
        f"{where} home",
        not facts.trouble,
        facts.trouble or "can be written to",
        "set UDA_STUDY_HOME where Ray is started, to a folder that can be written to",
    )
    skew = max(asked.before - facts.clock, facts.clock - asked.after, 0.0)
    yield Finding(
        f"{where} clock", skew <= _SKEW_S, f"{skew:.1f} s off", "have it set by NTP (chrony)"
    )


def _ask(node: Mapping[str, Any], packages: Sequence[str], home: Path, folder: str) -> Asked:
    gpus = float(node["Resources"].get("GPU", 0.0))
    before = time.time()
    found, error = _on(node, node_facts.facts, packages, home, f"{folder}/{node['NodeID']}")
    return Asked(node["NodeManagerAddress"], gpus, found, error, before, time.time())


def _on(node: Mapping[str, Any], function: Any, *arguments: object) -> tuple[Any, str]:
    """Call a function on a machine; return its value and what went wrong."""
    place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    remote = ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=place)
    try:
        return ray.get(remote.remote(*arguments), timeout=_PATIENCE_S), ""
    except Exception as error:  # whatever a machine can raise is a finding
        return None, f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"


def _shared(
    nodes: Sequence[Mapping[str, Any]], asked: Sequence[Asked], home: Home, folder: str
) -> Finding:
    """Tell whether what one machine writes reaches the others: by the home, or by the address."""
    written = [
        node["NodeID"]
        for node, one in zip(nodes, asked, strict=True)
        if one.facts is not None and not one.facts.trouble
    ]
    if home.shared is not None:
        return _by_address([node for node in nodes if node["NodeID"] in written], home, folder)
    blind = []
    for node in nodes:
        seen, _ = _on(node, node_facts.marks, home.path, folder)
        if not set(written) <= set(seen or ()):
            blind.append(node["NodeManagerAddress"])
    return Finding(
        "shared home",
        not blind,
        f"{home.path} is not the same folder on {', '.join(blind)}" if blind else str(home.path),
        "share it under this path (NFS), or set UDA_STUDY_STORAGE to an address such as s3://...",
    )


def _by_address(nodes: Sequence[Mapping[str, Any]], home: Home, folder: str) -> Finding:
    troubles = []
    for node in nodes:
        path = home.path / folder / node["NodeID"]
        trouble, error = _on(
            node, node_facts.push, home.path, home.shared, f"{folder}/{node['NodeID']}"
        )
        if not (trouble or error):
            path.unlink(missing_ok=True)
            home.mirror.pull(path)
            trouble = "" if path.exists() else "what it wrote there cannot be read here"
            home.mirror.drop(path)
        if trouble or error:
            troubles.append(f"{node['NodeManagerAddress']}: {trouble or error}")
    return Finding(
        "storage",
        not troubles,
        "; ".join(troubles[:_SHOWN]) or f"{home.shared} from {len(nodes)} machines",
        "give every machine access to UDA_STUDY_STORAGE",
    )
