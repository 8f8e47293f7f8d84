"""What was checked about a study before it began, one line each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Check:
    """One check of the protocol: what was looked at, whether it held, and what was found."""

    name: str
    passed: bool
    detail: str

    def __str__(self) -> str:
        return f"{'✓' if self.passed else '✗'} {self.name}: {self.detail}"


def checks_to_json(checks: Sequence[Check]) -> str:
    """Return the checks as JSON text; `checks_from_json` reads it back."""
    return json.dumps([asdict(check) for check in checks], indent=1, ensure_ascii=False) + "\n"


def checks_from_json(text: str) -> tuple[Check, ...]:
    """Return the checks that `checks_to_json` wrote."""
    return tuple(Check(**values) for values in json.loads(text))
