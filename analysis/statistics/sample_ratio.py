"""Sample ratio: tests of whether arms have their planned shares of the listeners."""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy import special, stats

ALARM = 0.001
"""A p-value below this is an alarm; GrowthBook's limit, near Microsoft's 0.0005."""


def sample_ratio_p(observed: Sequence[int], weights: Sequence[float]) -> float:
    """p-value of counts at least this far from their shares, if the allocation is right.

    Pearson's chi-square over all arms at once (Fabijan et al., "Diagnosing Sample Ratio Mismatch
    in Online Controlled Experiments", KDD 2019). 1.0 if fewer than two arms have a share, or
    without listeners.

    Args:
        observed: Listeners by arm.
        weights: Share of each arm, in units of their sum; no listener can be in
            an arm of weight 0: the p-value is then 0.0.
    """
    total, shares = sum(observed), sum(weights)
    if any(count and not weight for count, weight in zip(observed, weights, strict=True)):
        return 0.0
    cells = [(c, total * w / shares) for c, w in zip(observed, weights, strict=True) if w]
    if len(cells) < 2 or not total:
        return 1.0
    statistic = sum((count - expected) ** 2 / expected for count, expected in cells)
    return float(special.chdtrc(len(cells) - 1, statistic))


def sequential_sample_ratio_p(
    batches: Iterable[Sequence[int]], weights: Sequence[float], concentration: float = 10_000
) -> float:
    """Sequential p-value of the sample ratio: valid at every look.

    Running minimum of the inverse Bayes factor of a Dirichlet-multinomial against the planned
    shares (Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022).

    Args:
        batches: New listeners by arm, one entry for each look, in order of time.
        weights: Share of each arm, all above 0.
        concentration: How close to the planned shares the alternative expects the true ones.
    """
    shares = np.asarray(weights, dtype=np.float64) / sum(weights)
    prior = concentration * shares
    seen = np.zeros(len(shares))
    smallest = 1.0
    for batch in batches:
        seen = seen + np.asarray(batch, dtype=np.float64)
        log_bayes_factor = (
            special.gammaln(concentration)
            - special.gammaln(concentration + seen.sum())
            + (special.gammaln(prior + seen) - special.gammaln(prior)).sum()
            - special.xlogy(seen, shares).sum()
        )
        smallest = min(smallest, float(np.exp(-max(log_bayes_factor, 0.0))))
    return smallest


def detectable_loss(listeners: int, weights: Sequence[float], power: float = 0.8) -> float | None:
    """Smallest share of its listeners whose loss the test detects in the smallest arm.

    From the power of the chi-square test at `ALARM`: a noncentral chi-square with the loss as its
    alternative (Cohen 1988, chapter 7). None if the test misses even the loss of the whole arm.

    Args:
        listeners: Number of listeners of the experiment.
        weights: Share of each arm.
        power: Probability of an alarm at that loss.
    """
    shares = np.asarray([w for w in weights if w], dtype=np.float64)
    if len(shares) < 2 or listeners < 1:
        return None
    shares /= shares.sum()
    degrees_of_freedom = len(shares) - 1
    limit = special.chdtri(degrees_of_freedom, ALARM)
    low, high = 0.0, 1.0
    for _ in range(40):
        loss = (low + high) / 2
        kept = shares.copy()
        kept[kept.argmin()] *= 1 - loss
        kept /= kept.sum()
        noncentrality = listeners * float(((kept - shares) ** 2 / shares).sum())
        if stats.ncx2.sf(limit, degrees_of_freedom, noncentrality) < power:
            low = loss
        else:
            high = loss
    return high if high < 1 - 1e-6 else None
