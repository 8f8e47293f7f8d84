"""How well lesions are told from what is none."""

from __future__ import annotations

from uda_study.metric import Comparison
from uda_study.metrics._lesions import lesions
from uda_study.metrics._per_structure import PerStructure


class LesionF1(PerStructure):
    """Harmonic mean of each structure's lesion recall and lesion precision, in [0, 1].

    Precision is the share of predicted lesions that overlap a true one; without a predicted lesion
    it is 1, as in the evaluation code of the WMH Segmentation Challenge (Kuijf et al., IEEE TMI 38,
    2019). A structure that is empty in both prediction and truth counts as 1, empty in one as 0.
    """

    higher_is_better = True
    unit = ""
    default = False

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the mean of a structure."""
        found = comparison.shared(lesions, structure)
        both = found.precision + found.recall
        return 2 * found.precision * found.recall / both if both else 0.0
