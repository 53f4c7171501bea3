"""CUPED: data from before the experiment explains part of the variance between listeners."""

from collections.abc import Sequence

import numpy as np

from analysis.statistics.sample_moments import Values


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
