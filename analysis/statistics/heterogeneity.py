"""Heterogeneity: a test of whether segments differ in their effect."""

import math
from collections.abc import Sequence

from scipy import special

from analysis.statistics.contrast import Contrast


def interaction_p(segments: Sequence[Contrast]) -> float | None:
    """p-value of effects at least this different between segments, if all have the same effect.

    Cochran's Q (Cochran, "The Combination of Estimates from Different Experiments", Biometrics
    1954): sum of (d_s - d)^2 / error_s^2 around the precision-weighted mean d, a chi-square with
    one degree of freedom less than there are segments. The segments must not share a listener.

    Returns:
        None with fewer than two segments that have an estimate.
    """
    known = [contrast for contrast in segments if contrast.known]
    if len(known) < 2:
        return None
    weights = [contrast.standard_error**-2 for contrast in known]
    mean = sum(w * c.difference for w, c in zip(weights, known, strict=True)) / math.fsum(weights)
    q = sum(w * (c.difference - mean) ** 2 for w, c in zip(weights, known, strict=True))
    return float(special.chdtrc(len(known) - 1, q))
