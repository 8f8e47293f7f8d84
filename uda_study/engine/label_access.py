"""How often labels were opened, by purpose and role: in one training, and in a study."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from uda_study.types import Role, Split

LABELS = "labels.json"

Access = dict[str, dict[str, int]]
"""Times that labels were opened: purpose, such as ``blind scores``, then role."""


def by_role(counts: Mapping[tuple[str, str], int], split: Split) -> Access:
    """Sum counts by purpose and case up to purpose and role.

    A case of several roles counts for the first of them in the order of the split.
    """
    roles: dict[str, Role] = {}
    for part, names in split.roles.items():
        for name in names:
            roles.setdefault(name, part)
    found: Access = {}
    for (purpose, name), count in sorted(counts.items()):
        mine = found.setdefault(purpose, {})
        role = str(roles.get(name, "no role"))
        mine[role] = mine.get(role, 0) + count
    return found


def write_access(folder: Path, access: Access) -> None:
    """Write what one training opened beside its result."""
    (folder / LABELS).write_text(json.dumps(access, indent=1, sort_keys=True) + "\n", "utf-8")


def opened_in(folder: Path) -> dict[str, dict[str, int]]:
    """Return how often all trainings of a study opened labels: role, then kind of purpose."""
    totals: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob(f"trials/*/{LABELS}")):
        for purpose, roles in json.loads(path.read_text("utf-8")).items():
            for role, count in roles.items():
                kind = purpose.split(" stage ")[0].split(" on ")[0]
                totals.setdefault(role, Counter())[kind] += count
    return {role: dict(sorted(counts.items())) for role, counts in sorted(totals.items())}
