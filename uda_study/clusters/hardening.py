"""Whether a launcher file makes a cluster that strangers cannot use and that ends in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uda_study.clusters import rules_aws, rules_clouds, rules_gcp, rules_ray
from uda_study.clusters.launcher_file import LauncherFile
from uda_study.clusters.rules import Fault

RULES = (*rules_ray.RULES, *rules_clouds.RULES, *rules_aws.RULES, *rules_gcp.RULES)


def faults_of(config: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with a file of Ray's cluster launcher, as read and before any defaults.

    A fault that is ``refused`` leaves the cluster open or the file unfinished: it is not brought
    up. The others are for the user to weigh. `docs/cluster-files.md` says why of each rule.
    """
    file = LauncherFile(config)
    return [fault for rule in RULES for fault in rule.faults(file)]
