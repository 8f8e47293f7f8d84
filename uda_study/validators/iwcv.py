"""The risk on the source, weighted as if it were the target."""

from __future__ import annotations

import math

from uda_study.validator import Probe, Validator
from uda_study.validators._importance import weighted_risk


class ImportanceWeightedRisk(Validator):
    """Minus the mean risk of source validation images, weighted by p_target / p_source.

    Risk is 1 - soft Dice, the ratio that of a logistic regression on the segmenter's pooled
    features. NaN for a method without features. Assumes covariate shift with overlapping supports.
    Fails where domains do not overlap, as scanners and modalities do not: few images then carry all
    weight. Where the source segmenter is frozen only the weights differ between trials, so that it
    says almost nothing. Source: Sugiyama et al., Importance weighted cross validation, JMLR 2007.
    """

    def score(self, probe: Probe) -> float:
        """Return the score, at most 0."""
        found = weighted_risk(probe)
        return math.nan if found is None else -float(found[1].mean())
