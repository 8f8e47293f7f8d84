"""The label firewall: labels are opened here and nowhere else, by those who may, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from uda_study.data.prepare import PreparedCase
from uda_study.data.store import open_array
from uda_study.errors import InputError, LabelsWithheld, Problem

_audits: list[Counter[tuple[str, str]]] = []


@contextmanager
def counted_labels() -> Iterator[Counter[tuple[str, str]]]:
    """Yield a count of labels opened meanwhile in this process, by purpose and case id."""
    found: Counter[tuple[str, str]] = Counter()
    _audits.append(found)
    try:
        yield found
    finally:
        _audits[:] = [audit for audit in _audits if audit is not found]


class LabelReader:
    """Opens the labels of the allowed cases, for one purpose that every refusal names.

    ``counts`` tells how often the labels of each case were opened.
    """

    def __init__(self, allowed: Iterable[str], purpose: str) -> None:
        self.allowed = frozenset(allowed)
        self.purpose = purpose
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> dict[str, int]:
        """How often each case's labels were opened; cases never opened are absent."""
        return dict(self._counts)

    def read(self, prepared: PreparedCase) -> NDArray[np.uint8]:
        """Return the classes (X, Y, Z) on the study's grid, mapped read-only.

        Raises `LabelsWithheld` for a case that is not allowed and `InputError` where the case has
        no label.
        """
        return self._open(prepared, "label.npy")

    def read_native(self, prepared: PreparedCase) -> NDArray[np.uint8]:
        """Return the classes on the image's own grid, mapped read-only; raises as `read` does.

        Voxels that count in no metric are `uda_study.data.arrays.IGNORED`.
        """
        return self._open(prepared, "native.npy")

    def _open(self, prepared: PreparedCase, name: str) -> NDArray[np.uint8]:
        case = prepared.case
        if case.id not in self.allowed:
            raise LabelsWithheld(
                [
                    Problem(
                        f"{case.id} label",
                        f"labels of this case are withheld from {self.purpose}",
                        remedy="use the cases that the split gives to this purpose",
                    )
                ]
            )
        folder: Path | None = prepared.label_folder
        if folder is None:
            raise InputError.of(
                f"{case.id} label", f"{self.purpose} needs a label", "none", "name a label file"
            )
        self._counts[case.id] += 1
        for audit in _audits:
            audit[self.purpose, case.id] += 1
        return cast(NDArray[np.uint8], open_array(folder / name))
