"""Deal the subjects of one side of a split to train, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np

Part = Literal["train", "val", "test"]
Parts = Mapping[Part, tuple[str, ...]]


def shuffled(subjects: Collection[str], seed: int, purpose: str) -> list[str]:
    """Return the subjects in an order that depends on the seed, the purpose and themselves."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:16]))
    return [str(subject) for subject in rng.permutation(sorted(subjects))]


def deal(
    order: Sequence[str],
    pinned: Mapping[str, Part],
    *,
    val: float,
    test: float,
    fold: int,
    folds: int,
) -> Parts:
    """Deal subjects in the given order; parts are disjoint and may come out empty.

    ``val`` and ``test`` are shares of all subjects, at least one subject each and leaving one to
    train on where there are three. With several folds, every fold tests on every ``folds``-th
    subject, so that all are tested once. A part that subjects are pinned to gets no others.
    """
    free = [subject for subject in order if subject not in pinned]
    parts: dict[Part, list[str]] = {"train": [], "val": [], "test": []}
    for subject in order:
        if subject in pinned:
            parts[pinned[subject]].append(subject)
    count_test = 0 if parts["test"] else _at_least_one(test, len(order))
    count_val = 0 if parts["val"] else _at_least_one(val, len(order))
    reserved = 0 if parts["train"] else 1
    if folds > 1:
        tested = free[fold::folds]
        # Validation rotates as well: it begins where the next fold's test does.
        turns = (number % folds for number in range(fold + 1, fold + folds))
        rest = [subject for turn in turns for subject in free[turn::folds]]
    else:
        count_test = _leaving(count_test, len(free) - count_val - reserved)
        tested, rest = free[:count_test], free[count_test:]
    count_val = _leaving(count_val, len(rest) - reserved)
    parts["test"] += tested
    parts["val"] += rest[:count_val]
    parts["train"] += rest[count_val:]
    return {part: tuple(subjects) for part, subjects in parts.items()}


def _at_least_one(share: float, count: int) -> int:
    return max(1, round(share * count)) if share > 0 else 0


def _leaving(wanted: int, available: int) -> int:
    """Return how many are taken: what is there for it, but one rather than none."""
    return max(min(wanted, available), min(wanted, 1))
