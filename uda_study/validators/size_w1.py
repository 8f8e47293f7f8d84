"""Whether the structures found are as large as those of the source."""

from __future__ import annotations

import torch
from scipy.stats import wasserstein_distance
from torch import Tensor
from torch.nn import functional as F

from uda_study.validator import Probe, Validator


class Sizes(Validator):
    """Minus the Wasserstein distance between the structures' voxel counts and the source labels'.

    Per structure over the images of the probe and of the source's training sample, in units of the
    source's mean count, then meaned; 0 is best. Assumes that both domains show the structures alike
    large; fails where prevalence, age or field of view shift. Source: class-ratio priors, e.g.
    Bateson et al., Source-relaxed domain adaptation, MICCAI 2020.
    """

    def score(self, probe: Probe) -> float:
        """Return the score, at most 0."""
        classes = probe.probabilities.shape[1]
        found = _counts(probe.probabilities.argmax(dim=1), classes)
        known = _counts(probe.training.labels, classes)
        distances = [
            wasserstein_distance(mine.cpu().numpy(), theirs.cpu().numpy())
            / max(float(theirs.mean()), 1.0)
            for mine, theirs in zip(found.T, known.T, strict=True)
        ]
        return -float(sum(distances) / len(distances))


def _counts(labels: Tensor, classes: int) -> Tensor:
    """Return the voxels of each structure in each image, ``(N, K - 1)``."""
    return torch.stack(
        [F.one_hot(each.flatten(), classes)[:, 1:].sum(dim=0) for each in labels]
    ).double()
