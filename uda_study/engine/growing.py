"""What a cluster of Ray's launcher is once all of its workers have come.

A cloud's workers come when trainings wait for them, so a study that begins finds a head alone. What
fits side by side is reckoned from the file that the launcher leaves on the head.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from uda_study.engine.packing import Machine
from uda_study.errors import InputError

FILE = "UDA_STUDY_CLUSTER_FILE"
"""Set where the head is started: the launcher's file there, ``~/ray_bootstrap_config.yaml``."""


def grown_machine() -> Machine | None:
    """Return what the whole cluster will offer; None where no launcher's file is named.

    Raises `InputError` where the file cannot be read, or tells of no machines.
    """
    named = os.environ.get(FILE)
    if not named:
        return None
    try:
        # The launcher writes it as JSON, whatever its name says, with each type's resources.
        config = json.loads(Path(named).expanduser().read_text(encoding="utf-8"))
        most = int(config["max_workers"])
        kinds = config["available_node_types"]
        nodes: list[tuple[float, float]] = []
        for name, kind in kinds.items():
            head = name == config["head_node_type"]
            count = 1 if head else min(int(kind.get("max_workers", most)), most)
            most -= 0 if head else count
            has = kind["resources"]
            nodes += count * [(float(has.get("CPU", 0)), float(has.get("GPU", 0)))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError.of(
            FILE, "must name the file that Ray's launcher left on the head", named
        ) from error
    return Machine.of(nodes)
