"""Do segments differ in their effect, or only by chance?"""

import math
from collections.abc import Sequence

from scipy import special

from analysis.statistics.contrast import Contrast


def interaction_p(segments: Sequence[Contrast]) -> float | None:
    """Chance of effects at least this unlike between segments, when they all have the same.

    Cochran's Q (Cochran, "The Combination of Estimates from Different Experiments", Biometrics
    1954): sum of (d_s - d)^2 / error_s^2 around the precision-weighted mean d, a chi-square of one
    degree less than there are segments. The segments must not share a listener.

    Returns:
        None below two segments of which anything is known.
    """
    known = [contrast for contrast in segments if contrast.known]
    if len(known) < 2:
        return None
    weights = [contrast.standard_error**-2 for contrast in known]
    mean = sum(w * c.difference for w, c in zip(weights, known, strict=True)) / math.fsum(weights)
    q = sum(w * (c.difference - mean) ** 2 for w, c in zip(weights, known, strict=True))
    return float(special.chdtrc(len(known) - 1, q))
