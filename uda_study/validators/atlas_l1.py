"""Whether structures lie where they lie in the source."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from uda_study.validator import Probe, Validator


class Atlas(Validator):
    """Minus the mean difference between the predictions' mean map and the source labels' mean map.

    Maps are means over the images of the probe and of the source's training sample; the absolute
    differences of the structures' maps are summed over voxels and divided by the sum of both maps,
    so 0 is best and -1 without any overlap. Assumes that images of both domains are laid out alike
    (same field of view, orientation and centring); fails with anatomy or cropping that differs.
    """

    def score(self, probe: Probe) -> float:
        """Return the score, in [-1, 0]."""
        classes = probe.probabilities.shape[1]
        mine = _mean_map(probe.probabilities.argmax(dim=1), classes)
        theirs = _mean_map(probe.training.labels, classes)
        total = (mine + theirs).sum()
        return -float((mine - theirs).abs().sum() / total) if total > 0 else -1.0


def _mean_map(labels: Tensor, classes: int) -> Tensor:
    """Return how often each structure lies at each voxel, ``(*S, K - 1)``."""
    mean: Tensor = F.one_hot(labels, classes)[..., 1:].double().mean(dim=0)
    return mean
