"""The weighted risk on the source with less variance."""

from __future__ import annotations

import math

from uda_study.validator import Probe, Validator
from uda_study.validators._importance import weighted_risk

_SMALLEST_VARIANCE = 1e-12


class DeepEmbeddedValidation(Validator):
    """Minus the importance-weighted risk of `iwcv` with a control variate.

    risk + eta (mean weight - 1) with eta = - cov(weighted risk, weight) / var(weight). NaN for a
    method without features. Assumes and fails as `iwcv` does; its variance is smaller, and it can
    leave [-1, 0] when a few images carry most weight. Source: You et al., Towards accurate model
    selection in deep unsupervised domain adaptation, ICML 2019.
    """

    def score(self, probe: Probe) -> float:
        """Return the score."""
        found = weighted_risk(probe)
        if found is None:
            return math.nan
        weights, risks = found
        variance = weights.var(correction=0)
        if variance < _SMALLEST_VARIANCE:
            return -float(risks.mean())
        together = ((weights - weights.mean()) * (risks - risks.mean())).mean()
        return -float(risks.mean() - together / variance * (weights.mean() - 1))
