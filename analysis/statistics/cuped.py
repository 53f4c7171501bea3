"""CUPED: data from before the experiment explains part of the variance between listeners."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from analysis.statistics.sample_moments import SampleMoments, Values


def adjust(arms: Sequence[Values], before: Sequence[Values]) -> list[Values]:
    """Subtract from each listener's value what the listener's past predicts, for each arm.

    y' = y - theta (x - mean x), with theta = cov(x, y) / var(x) over all arms together (Deng, Xu,
    Kohavi, Walker, "Improving the Sensitivity of Online Controlled Experiments by Utilizing
    Pre-Experiment Data", WSDM 2013). The mean of no arm is biased, because the arms were drawn
    after the past. A listener without a past gets the mean past, and a second covariate marks these
    listeners, so none is dropped.

    Args:
        arms: float64, (listeners,) for each arm.
        before: Values of the same listeners before the experiment, nan without a past.
    """
    y, x = np.concatenate(list(arms)), np.concatenate(list(before))
    missing = np.isnan(x)
    if missing.all() or len(y) < 3:
        return list(arms)
    filled = np.where(missing, x[~missing].mean(), x)
    columns = [filled]
    if missing.any():
        columns.append(missing.astype(np.float64))
    covariates = np.column_stack(columns)
    covariates -= covariates.mean(axis=0)
    theta = np.linalg.lstsq(covariates, y - y.mean(), rcond=None)[0]
    adjusted: Values = y - covariates @ theta
    return np.split(adjusted, np.cumsum([len(arm) for arm in arms])[:-1])


@dataclass(frozen=True, slots=True)
class PastSums:
    """Sums of an arm's listeners: of their value y, and of their past x where they have one.

    Attributes:
        n: Listeners.
        y: Sum of y.
        yy: Sum of squares of y.
        known: Listeners with a past.
        x: Sum of x.
        xx: Sum of squares of x.
        xy: Sum of products over the listeners with a past.
        y_without: Sum of y over the listeners without a past.
    """

    n: int
    y: Fraction
    yy: Fraction
    known: int
    x: Fraction
    xx: Fraction
    xy: Fraction
    y_without: Fraction


def adjust_sums(arms: Sequence[PastSums]) -> list[SampleMoments]:
    """Moments of each arm's adjusted values: those of `adjust`, from sums.

    A listener without a past gets the mean past, so the past and the mark of these listeners do not
    covary over all arms, and each has its own theta.
    """
    n, known = sum(arm.n for arm in arms), sum(arm.known for arm in arms)
    mean = sum((arm.x for arm in arms), Fraction()) / known
    share = Fraction(n - known, n)
    y = sum((arm.y for arm in arms), Fraction())
    xx = sum((arm.xx for arm in arms), Fraction()) - known * mean**2
    xy = sum((arm.xy + mean * arm.y_without for arm in arms), Fraction()) - mean * y
    mm = n * share * (1 - share)
    my = sum((arm.y_without for arm in arms), Fraction()) - share * y
    of_past, of_mark = xy / xx if xx else Fraction(), my / mm if mm else Fraction()
    return [_adjusted(arm, mean, share, of_past, of_mark) for arm in arms]


def _adjusted(
    arm: PastSums, mean: Fraction, share: Fraction, of_past: Fraction, of_mark: Fraction
) -> SampleMoments:
    """Moments of y - of_past (x - mean) - of_mark (mark - share)."""
    n = arm.n
    if not n:
        return SampleMoments(0, float("nan"), float("nan"))
    without = n - arm.known
    x = arm.x + without * mean

    def spread(products: Fraction, one: Fraction | int, two: Fraction | int) -> Fraction:
        return products - Fraction(one) * two / n

    variance = (
        spread(arm.yy, arm.y, arm.y)
        + of_past**2 * spread(arm.xx + without * mean**2, x, x)
        + of_mark**2 * spread(Fraction(without), without, without)
        - 2 * of_past * spread(arm.xy + mean * arm.y_without, x, arm.y)
        - 2 * of_mark * spread(arm.y_without, without, arm.y)
        + 2 * of_past * of_mark * spread(without * mean, x, without)
    )
    adjusted = arm.y / n - of_past * (x / n - mean) - of_mark * (Fraction(without, n) - share)
    return SampleMoments(n, float(adjusted), float(variance / (n - 1)) if n > 1 else float("nan"))
