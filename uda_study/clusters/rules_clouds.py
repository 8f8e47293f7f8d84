"""Rules for clouds: what costs money, what can be lost, what the network sees."""

from __future__ import annotations

from collections.abc import Mapping

from uda_study.clusters.launcher_file import LauncherFile, NodeType, at, listed
from uda_study.clusters.rules import Breaches, Rule

CLOUDS = ("aws", "gcp")
_MAX_IDLE_MINUTES = 60


def _external_addresses(file: LauncherFile) -> Breaches:
    if at(file.config, "provider", "use_internal_ips") is not True:
        yield "provider.use_internal_ips", at(file.config, "provider", "use_internal_ips")


def _kept_machines(file: LauncherFile) -> Breaches:
    # Left out, it is true on AWS and false on GCP.
    kept = at(file.config, "provider", "cache_stopped_nodes")
    if kept is not False and (kept is not None or file.provider == "aws"):
        yield "provider.cache_stopped_nodes", kept


def _idle_machines(file: LauncherFile) -> Breaches:
    minutes = file.config.get("idle_timeout_minutes", 5)
    if not isinstance(minutes, int | float) or minutes > _MAX_IDLE_MINUTES:
        yield "idle_timeout_minutes", minutes


def _standing_machines(file: LauncherFile) -> Breaches:
    for kind in file.workers():
        if kind.entry.get("min_workers", 0) != 0:
            yield f"{kind.where}.min_workers", kind.entry["min_workers"]


def _training_heads(file: LauncherFile) -> Breaches:
    for kind in file.head():
        cpus = at(kind.entry, "resources", "CPU")
        if cpus != 0:
            yield f"{kind.where}.resources.CPU", cpus


def _spot_heads(file: LauncherFile) -> Breaches:
    for kind in file.head():
        if _may_be_taken(kind):
            yield f"{kind.where}.node_config", "one that may be taken away"


def _paid_in_full(file: LauncherFile) -> Breaches:
    for kind in file.workers():
        if not _may_be_taken(kind):
            yield f"{kind.where}.node_config", "one at full price"


def _may_be_taken(kind: NodeType) -> bool:
    """Tell spot from on demand; Ray's examples for GCP give ``scheduling`` as a list."""
    scheduling = [part for part in listed(kind.machine("scheduling")) if isinstance(part, Mapping)]
    return kind.machine("InstanceMarketOptions", "MarketType") == "spot" or any(
        part.get("preemptible") is True or part.get("provisioningModel") == "SPOT"
        for part in scheduling
    )


RULES = (
    Rule(
        "internal-addresses",
        "machines must not be reached from outside",
        "use_internal_ips: true; ssh through SSM, IAP, VPN or a bastion",
        _external_addresses,
        providers=CLOUDS,
    ),
    Rule(
        "ended-is-terminated",
        "machines that are taken down must be terminated, or their disks go on costing",
        "cache_stopped_nodes: false",
        _kept_machines,
        providers=CLOUDS,
    ),
    Rule(
        "idle-ends",
        f"idle workers must end within {_MAX_IDLE_MINUTES} minutes",
        "idle_timeout_minutes: 10",
        _idle_machines,
        providers=CLOUDS,
    ),
    Rule(
        "workers-from-zero",
        "workers must come when trainings wait, not stand by",
        "min_workers: 0",
        _standing_machines,
        providers=CLOUDS,
    ),
    Rule(
        "head-trains-nothing",
        "the head must not train: a training that takes its memory takes the study",
        "resources: {CPU: 0} for the head's type",
        _training_heads,
        providers=CLOUDS,
    ),
    Rule(
        "head-on-demand",
        "the head must be a machine that stays: the cluster's state dies with it",
        "take the spot or preemptible option out of its node_config",
        _spot_heads,
        providers=CLOUDS,
    ),
    Rule(
        "workers-on-spot",
        "workers may be taken away at any time, since their trainings resume",
        "aws: InstanceMarketOptions: {MarketType: spot}; gcp: scheduling.provisioningModel: SPOT",
        _paid_in_full,
        providers=CLOUDS,
    ),
)
