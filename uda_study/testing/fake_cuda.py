"""A stand-in for ``torch.cuda``: one GPU that does nothing but keep the books of its memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace


@dataclass
class FakeCuda:
    """Takes the place of `uda_study.training.accelerator.cuda`; ``calls`` are in their order."""

    total: int = 80 * 2**30
    peak: int = 0
    available: bool = True
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def is_available(self) -> bool:
        """Tell whether there is a GPU."""
        return self.available

    def device_count(self) -> int:
        """Return that there is one."""
        return 1

    def get_device_properties(self, index: int) -> SimpleNamespace:
        """Return what is asked of them: the memory."""
        return SimpleNamespace(index=index, total_memory=self.total)

    def set_per_process_memory_fraction(self, fraction: float, index: int) -> None:
        """Note the call."""
        self.calls.append(("fraction", fraction, index))

    def empty_cache(self) -> None:
        """Note the call."""
        self.calls.append(("empty",))

    def reset_peak_memory_stats(self, index: int) -> None:
        """Note the call, and forget the peak."""
        self.calls.append(("reset", index))
        self.peak = 0

    def max_memory_reserved(self, index: int) -> int:
        """Return the peak of the first GPU."""
        return self.peak if index == 0 else 0
