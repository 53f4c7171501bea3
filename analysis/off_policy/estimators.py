"""Off-policy estimates: the mean reward of a target strategy, from another strategy's decisions.

Each logged decision has a reward r and the propensity p of its track. The target strategy gives the
same track to the same listener at the same moment with propensity q. The weight is w = q / p.

    IPS    mean of w r                         (Horvitz and Thompson 1952)
    SNIPS  sum of w r / sum of w               (Swaminathan and Joachims 2015)
    DR     mean of v_hat + w (r - q_hat)       (Dudik, Langford and Li 2011)

q_hat is the reward that a model predicts for the logged track, v_hat the one for what the target
strategy plays. The model is a smoothed mean by track. It predicts for listeners on whom it was not
fitted. All estimates hold for the logged requests: a strategy also changes which requests come
next, and how many. That effect is not in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics.sample_moments import Values
from core.errors import InputError

Ints = npt.NDArray[np.int64]

FOLDS = 5
SMOOTHING = 10.0
"""Listens of average reward that each track gets before its own are counted."""
FEW = 200
"""Below so many effective decisions or listeners, an interval is too narrow to be trusted."""
OVERLAP = 0.98
"""A mean weight surely below this fails. IPS is then off by the missing part and SNIPS is about
another strategy: for `random` on a log of `contextual`, 0.333 +- 0.000 where 0.142 is true."""
HEAVY = 0.05
"""Share of all weight from which we warn of a single listener."""


class RewardModel:
    """Mean reward by track, shrunk to the overall mean, fitted without the listener's own fold.

    Args:
        tracks: int64, (decisions,), index of the logged track; -1 is unknown.
        rewards: float64, (decisions,).
        listeners: int64, (decisions,), the listener's number; it decides the fold.
        size: Tracks of the catalog.
        smoothing: Listens of average reward that each track gets.
    """

    def __init__(
        self,
        tracks: Ints,
        rewards: Values,
        listeners: Ints,
        size: int,
        smoothing: float = SMOOTHING,
    ) -> None:
        self.by_fold = np.empty((FOLDS, size))
        self.unknown = np.empty(FOLDS)
        folds = listeners % FOLDS
        for fold in range(FOLDS):
            others = folds != fold
            known = others & (tracks >= 0)
            mean = float(rewards[others].mean()) if others.any() else 0.0
            sums = np.bincount(tracks[known], weights=rewards[known], minlength=size)
            counts = np.bincount(tracks[known], minlength=size)
            self.by_fold[fold] = (sums + smoothing * mean) / (counts + smoothing)
            self.unknown[fold] = mean

    def predict_all(self, listener: int) -> Values:
        """float64, (tracks,): the rewards for this listener, on whom the model was not fitted."""
        q_hat: Values = self.by_fold[listener % FOLDS]
        return q_hat

    def predict(self, tracks: Ints, listeners: Ints) -> Values:
        """float64, (decisions,): q_hat, the reward of each logged track."""
        folds = listeners % FOLDS
        found: Values = np.where(tracks >= 0, self.by_fold[folds, tracks], self.unknown[folds])
        return found


@dataclass(frozen=True, slots=True, eq=False)
class WeightedDecisions:
    """Logged decisions with a target strategy's propensities; all (decisions,).

    Attributes:
        listeners: int64, the listener's number, 0..n-1.
        rewards: float64.
        logged_propensity: float64, propensity of the logged track, in (0, 1].
        target_propensity: float64, propensity of the same track under the target, in [0, 1].
        q_hat: float64, predicted reward of the logged track.
        v_hat: float64, predicted reward of what the target plays.
    """

    listeners: Ints
    rewards: Values
    logged_propensity: Values
    target_propensity: Values
    q_hat: Values
    v_hat: Values


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean reward of a decision.

    Attributes:
        name: `logged`, `IPS`, `SNIPS` or `DR`.
        mean: The estimate.
        low: Lower end of its interval.
        high: Upper end.
        difference: To the logged mean; nan for `logged` itself.
        difference_low: Lower end of its interval.
        difference_high: Upper end.
    """

    name: str
    mean: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Estimates for one target strategy, and how far to trust them.

    Attributes:
        estimates: By `logged`, `IPS`, `SNIPS`, `DR`, in this order.
        decisions: Number of decisions.
        listeners: Number of listeners.
        effective: Effective sample size, sum(w)^2 / sum(w^2): as many decisions of the target's
            own would be as precise (Kong 1992).
        overlap: Mean weight. It is the share of the target's plays that the log's strategies could
            have made too: near 1 if they could have made all.
        overlap_low: Lower end of its interval.
        overlap_high: Upper end.
        never: Share of decisions whose track the target never plays.
        largest: Largest weight.
        warnings: Reasons to doubt the estimates, one sentence each.
        withheld: Whether the estimates must not be shown: the log's strategies could not have made
            the target's plays, the effective sample is too small, or propensities are wrong.
    """

    estimates: tuple[Estimate, ...]
    decisions: int
    listeners: int
    effective: float
    overlap: float
    overlap_low: float
    overlap_high: float
    never: float
    largest: float
    warnings: tuple[str, ...]
    withheld: bool = False

    def without_estimates(self) -> "Evaluation":
        """Return the same with the logged mean as the only estimate."""
        logged = tuple(each for each in self.estimates if each.name == "logged")
        return replace(self, estimates=logged)


def evaluate(decisions: WeightedDecisions, alpha: float = 0.05) -> Evaluation:
    """Estimate the target's mean reward, with intervals over listeners.

    A listener's decisions are alike, so the sample is the listeners. Every estimate is a ratio of
    sums over listeners; its interval is the delta method's, with Student's t (Deng, Knoblich and
    Lu, KDD 2018), as in `analysis.statistics.sample_moments`.

    Raises:
        InputError: There are fewer than two listeners, or a propensity is outside of (0, 1].
    """
    _check(decisions)
    weights = decisions.target_propensity / decisions.logged_propensity
    ones = np.ones_like(weights)
    corrected = decisions.v_hat + weights * (decisions.rewards - decisions.q_hat)
    ratios = {
        "logged": (decisions.rewards, ones),
        "IPS": (weights * decisions.rewards, ones),
        "SNIPS": (weights * decisions.rewards, weights),
        "DR": (corrected, ones),
    }
    parts = {
        name: _parts(decisions.listeners, numerator, denominator)
        for name, (numerator, denominator) in ratios.items()
    }
    estimates = tuple(_estimate(name, part, parts["logged"], alpha) for name, part in parts.items())
    overlap = _parts(decisions.listeners, weights, ones)
    low, high = _interval(overlap, alpha)
    squares = float((weights**2).sum())
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    heaviest = np.bincount(decisions.listeners, weights=weights).max() / max(weights.sum(), 1e-300)
    found = Evaluation(
        estimates,
        len(weights),
        len(overlap),
        effective,
        float(overlap.mean()),
        low,
        high,
        float((decisions.target_propensity == 0).mean()),
        float(weights.max()),
        (),
    )
    return _add_warnings(found, float(heaviest))


def paired_difference(
    control: WeightedDecisions, treatment: WeightedDecisions, alpha: float = 0.05
) -> Estimate:
    """Estimate how much more a second target earns on the same decisions, doubly robust.

    Both targets meet the same rewards, so their difference has a narrower interval than either.

    Args:
        control: The decisions, weighted by the first target.
        treatment: The same decisions, weighted by the second.
        alpha: Error rate of the interval.

    Returns:
        `mean` is the second target's value; `difference` is to the first.
    """
    ones = np.ones_like(control.rewards)
    parts = [
        _parts(
            each.listeners,
            each.v_hat
            + each.target_propensity / each.logged_propensity * (each.rewards - each.q_hat),
            ones,
        )
        for each in (control, treatment)
    ]
    return _estimate("DR", parts[1], parts[0], alpha)


def _check(decisions: WeightedDecisions) -> None:
    if len(np.unique(decisions.listeners)) < 2:
        raise InputError.one(
            "LOG",
            "must have rewarded decisions of two listeners or more, has fewer. Use a longer log",
        )
    wrong = ~((decisions.logged_propensity > 0) & (decisions.logged_propensity <= 1))
    if wrong.any():
        raise InputError.one(
            "LOG",
            f"propensities must be in (0, 1], {int(wrong.sum())} are not, for instance "
            f"{decisions.logged_propensity[wrong][0]}. Use a log that Segue wrote",
        )


def _parts(listeners: Ints, numerator: Values, denominator: Values) -> Values:
    """Each listener's term in a ratio of sums, (listeners,); the mean of the terms is the ratio."""
    names, places = np.unique(listeners, return_inverse=True)
    numerators = np.bincount(places, weights=numerator, minlength=len(names))
    denominators = np.bincount(places, weights=denominator, minlength=len(names))
    total = denominators.sum()
    if not total:
        return np.full(len(names), np.nan)
    ratio = numerators.sum() / total
    part: Values = ratio + (numerators - ratio * denominators) / denominators.mean()
    return part


def _interval(parts: Values, alpha: float) -> tuple[float, float]:
    n = len(parts)
    half = float(stats.t.isf(alpha / 2, n - 1)) * float(parts.std(ddof=1)) / n**0.5
    mean = float(parts.mean())
    return mean - half, mean + half


def _estimate(name: str, parts: Values, logged: Values, alpha: float) -> Estimate:
    if name == "logged":
        nan = float("nan")
        return Estimate(name, float(parts.mean()), *_interval(parts, alpha), nan, nan, nan)
    apart = parts - logged
    return Estimate(
        name,
        float(parts.mean()),
        *_interval(parts, alpha),
        float(apart.mean()),
        *_interval(apart, alpha),
    )


def _add_warnings(found: Evaluation, heaviest: float) -> Evaluation:
    # The order is that of the reader's questions: is there any data, is it enough, does it overlap,
    # is the log right, and does a single listener decide? The limits leave 2 % for chance, because
    # the mean weight of a log without any fault is 1 only on average.
    warnings: list[str] = []
    overlaps = found.overlap_high >= OVERLAP and found.overlap_low <= 2 - OVERLAP
    if not found.effective:
        warnings.append(
            "The strategy plays none of the logged tracks: the log cannot tell what it would earn."
        )
    elif found.effective < FEW:
        warnings.append(
            f"The {found.decisions:,} decisions are as precise as {found.effective:.0f} of the "
            f"strategy's own; below {FEW} the intervals are too narrow. Log more decisions, or use "
            "a log of strategies that play similar tracks."
        )
    if found.effective and found.overlap_high < OVERLAP:
        warnings.append(
            f"The log's strategies could never play about {1 - found.overlap:.0%} of what this "
            "strategy plays. IPS counts that part as no reward, SNIPS leaves it out, DR predicts "
            "it from other listeners. Log with exploration, for instance `mixture` with `random`."
        )
    if found.overlap_low > 2 - OVERLAP:
        warnings.append(
            f"The mean weight is {found.overlap:.3f}, above 1: the logged propensities are wrong."
        )
    if found.listeners < FEW:
        warnings.append(f"Only {found.listeners} listeners: the intervals are too narrow.")
    if heaviest > HEAVY:
        warnings.append(f"One listener carries {heaviest:.0%} of all weight.")
    withheld = found.effective < FEW or not overlaps
    return replace(found, warnings=tuple(warnings), withheld=withheld)


def encode(names: Sequence[str]) -> Ints:
    """Number the different names by their order: int64, same length."""
    _, places = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
    return places.astype(np.int64)
