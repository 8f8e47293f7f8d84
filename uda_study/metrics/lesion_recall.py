"""How many of the lesions are found."""

from __future__ import annotations

from uda_study.metric import Comparison
from uda_study.metrics._lesions import lesions
from uda_study.metrics._per_structure import PerStructure


class LesionRecall(PerStructure):
    """Share of each structure's true lesions of which a voxel is predicted, in [0, 1].

    Lesions are components of 26 neighbours, as in the evaluation code of the WMH Segmentation
    Challenge (Kuijf et al., IEEE TMI 38, 2019). Without a true lesion: 1.
    """

    higher_is_better = True
    unit = ""
    default = False

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the share of a structure's lesions."""
        return comparison.shared(lesions, structure).recall
