"""Corrections for multiple comparisons: p-values, and intervals that agree with them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.statistics.inference import ALPHA


@dataclass(frozen=True, slots=True)
class Corrected:
    """One comparison of a family.

    Attributes:
        p: The corrected p-value: the claim holds if it is at most the family's error rate.
        alpha: Error rate of the matching interval, for `InferenceMethod.critical`. That interval
            excludes 0 exactly if the claim holds.
    """

    p: float
    alpha: float


def holm(p_values: Sequence[float], alpha: float = ALPHA) -> list[Corrected]:
    """Holm (1979): the probability of any false claim in the family stays below `alpha`.

    The i-th smallest of m p-values is compared with alpha / (m - i + 1), until the first fails. The
    interval of a claim has the level of its own step; all other intervals have the level of the
    first step that failed.
    """
    m = len(p_values)
    result: list[Corrected | None] = [None] * m
    highest, failed = 0.0, None
    for step, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (m - step) * p_values[index]))
        if failed is None and highest > alpha:
            failed = alpha / (m - step)
        result[index] = Corrected(highest, failed or alpha / (m - step))
    return [corrected for corrected in result if corrected is not None]


def benjamini_hochberg(p_values: Sequence[float], alpha: float = ALPHA) -> list[Corrected]:
    """Benjamini and Hochberg (1995): the expected share of false claims stays below `alpha`.

    Intervals have the level alpha * R / m with R claims of m (Benjamini and Yekutieli, "False
    Discovery Rate-Adjusted Multiple Confidence Intervals", JASA 2005).
    """
    if not p_values:
        return []
    adjusted = stats.false_discovery_control(np.asarray(p_values, dtype=np.float64), method="bh")
    claims = int((adjusted <= alpha).sum())
    level = alpha * max(claims, 1) / len(p_values)
    return [Corrected(float(p), level) for p in adjusted]


def bonferroni(p_values: Sequence[float], alpha: float = ALPHA) -> list[Corrected]:
    """Bonferroni: every comparison has the level alpha / m."""
    m = len(p_values)
    return [Corrected(min(1.0, m * p), alpha / m) for p in p_values]
