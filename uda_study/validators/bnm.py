"""How certain and how varied the predictions are, by one norm."""

from __future__ import annotations

import torch

from uda_study.validator import Probe, Validator


class BatchNuclearNorm(Validator):
    """Nuclear norm of the voxels-by-classes matrix of probabilities, as a share of the largest.

    In [0, 1]; 1 needs certain predictions that are shared out evenly over the classes. Assumes, as
    `infomax` does, that classes are balanced; otherwise it rewards over-segmentation. Source: Cui
    et al., Towards discriminability and diversity, CVPR 2020.
    """

    def score(self, probe: Probe) -> float:
        """Return the score."""
        p = probe.probabilities
        rows = p.double().movedim(1, -1).reshape(-1, p.shape[1])
        # The singular values of the tall matrix are the roots of its small Gram matrix's values.
        values = torch.linalg.eigvalsh(rows.T @ rows).clamp_min(0)
        largest: float = (len(rows) * rows.shape[1]) ** 0.5
        return float(values.sqrt().sum()) / largest
