"""A cluster that has lost so much that no training fits it any more."""

from __future__ import annotations

import time
from collections.abc import Callable

from ray.tune.stopper import Stopper

from uda_study.engine.packing import Machine
from uda_study.engine.tuning import Foreman
from uda_study.errors import ClusterError

PATIENCE_S = 600.0
_EVERY_S = 10.0


class ShrunkenStopper(Stopper):
    """Halts a study that no machine is left for; Ray itself would wait for ever, without a word.

    ``offered`` returns what the cluster offers now. A machine that comes back, or another in its
    place, within ``PATIENCE_S`` seconds is waited for.
    """

    def __init__(
        self,
        foreman: Foreman,
        offered: Callable[[], Machine],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.foreman = foreman
        self._offered = offered
        self._clock = clock
        self._looked = self._enough = clock()

    def __call__(self, trial_id: str, result: dict[str, object]) -> bool:
        """Stop no single trial."""
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        """Return whether too little was left for too long; an error halts the study then."""
        now = self._clock()
        if now - self._looked < _EVERY_S:
            return False
        self._looked = now
        left = self._offered()
        if self.foreman.room.fits(left):
            self._enough = now
        if now - self._enough < PATIENCE_S:
            return False
        with self.foreman.at_work():
            raise ClusterError(
                f"the cluster has lost machines: what is left, {left.cpus:g} CPU and {left.gpus:g} "
                f"GPU on {len(left.nodes)} machine(s), has held none of the study's trainings for "
                f"{PATIENCE_S / 60:.0f} min; bring machines back, then resume"
            )
        return True
