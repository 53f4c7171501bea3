"""Asking many questions at once: corrected p-values, and intervals that agree with them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.statistics.inference import ALPHA


@dataclass(frozen=True, slots=True)
class Corrected:
    """One question of a family.

    Attributes:
        p: The corrected p-value: the claim holds when it is at most the family's error rate.
        alpha: Error rate of the interval that belongs to it, for `Rule.critical`: that interval
            excludes 0 exactly when the claim holds.
    """

    p: float
    alpha: float


def holm(p_values: Sequence[float], alpha: float = ALPHA) -> list[Corrected]:
    """Holm (1979): the chance of one or more false claims in the family stays below `alpha`.

    Sorted upwards, the i-th of m is compared with alpha / (m - i + 1); the first to fail ends it.
    A rejected one's interval stands at its own step, all others' at the first step that failed.
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
    """Benjamini and Hochberg (1995): the share of false ones among the claims stays below `alpha`.

    Intervals stand at alpha * R / m with R claims of m (Benjamini and Yekutieli, "False Discovery
    Rate-Adjusted Multiple Confidence Intervals", JASA 2005).
    """
    if not p_values:
        return []
    adjusted = stats.false_discovery_control(np.asarray(p_values, dtype=np.float64), method="bh")
    claims = int((adjusted <= alpha).sum())
    level = alpha * max(claims, 1) / len(p_values)
    return [Corrected(float(p), level) for p in adjusted]


def bonferroni(p_values: Sequence[float], alpha: float = ALPHA) -> list[Corrected]:
    """Bonferroni: every question at alpha / m, whatever the others say."""
    m = len(p_values)
    return [Corrected(min(1.0, m * p), alpha / m) for p in p_values]
