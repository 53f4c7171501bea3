"""What another strategy would have earned on the requests of a log, from logged chances alone.

Of each logged decision d: reward r, chance p that its track had, chance q that the target strategy
would have given that track to the same listener at that moment; w = q / p.

    IPS    mean of w r                         (Horvitz and Thompson 1952)
    SNIPS  sum of w r / sum of w               (Swaminathan and Joachims 2015)
    DR     mean of v + w (r - m)               (Dudik, Langford and Li 2011)

m is a model's guess of the reward of the track that was played, v that of what the target would
have played. The model is a smoothed mean by track, fitted on other listeners than it guesses for.
All are of the very requests that were logged: that a strategy would also change which requests
come next, and how many, is not in them.
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
"""How many listens of average reward each track is credited with before its own count."""
FEW = 200
"""Effective decisions or listeners below which an interval is no good."""
HEAVY = 0.05
"""Share of all weight that one listener may have before we warn."""


class RewardModel:
    """Mean reward by track, drawn to the overall mean, fitted without the listener's own fold.

    Args:
        tracks: int64, (decisions,), index of the track that was played; -1 is unknown.
        rewards: float64, (decisions,).
        listeners: int64, (decisions,), which listener; decides the fold.
        size: Tracks of the catalog.
        smoothing: Listens of average reward that each track is credited with.
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

    def of(self, listener: int) -> Values:
        """float64, (tracks,): the guess for this listener, who had no part in it."""
        guesses: Values = self.by_fold[listener % FOLDS]
        return guesses

    def guesses(self, tracks: Ints, listeners: Ints) -> Values:
        """float64, (decisions,): the guess for each track that was played."""
        folds = listeners % FOLDS
        found: Values = np.where(tracks >= 0, self.by_fold[folds, tracks], self.unknown[folds])
        return found


@dataclass(frozen=True, slots=True, eq=False)
class WeightedDecisions:
    """Logged decisions, weighed by a target strategy; all (decisions,).

    Attributes:
        listeners: int64, which listener, 0..n-1.
        rewards: float64.
        logged: float64, chance that the track had, in (0, 1].
        target: float64, chance that the target would have given it, in [0, 1].
        guesses: float64, the model's guess for the track that was played.
        values: float64, the model's guess for what the target would have played.
    """

    listeners: Ints
    rewards: Values
    logged: Values
    target: Values
    guesses: Values
    values: Values


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean reward of a decision.

    Attributes:
        name: `logged`, `IPS`, `SNIPS` or `DR`.
        mean: The estimate.
        low: Lower end of its interval.
        high: Upper end.
        difference: To what was logged; nan for `logged` itself.
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
    """What came of it.

    Attributes:
        estimates: By `logged`, `IPS`, `SNIPS`, `DR`, in this order.
        decisions: How many.
        listeners: Of how many.
        effective: Effective sample size, sum(w)^2 / sum(w^2): so many decisions of the target's
            own would be as good (Kong 1992).
        overlap: Mean weight: the share of what the target plays that the log's strategies could
            have played too; 1 but for chance when they could have played all.
        overlap_low: Lower end of its interval.
        overlap_high: Upper end.
        never: Share of decisions whose track the target would never have given.
        largest: Largest weight.
        warnings: Why not to believe it, in sentences.
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


def evaluate(weighed: WeightedDecisions, alpha: float = 0.05) -> Evaluation:
    """Estimate, with intervals by listener: a listener's decisions are alike, so each counts once.

    Every estimate is a ratio of sums over listeners; its interval is the delta method's, with
    Student's t (Deng, Knoblich and Lu, KDD 2018), as in `analysis.statistics.sample_moments`.

    Raises:
        InputError: Fewer than two listeners, or a chance that is none.
    """
    _check(weighed)
    weights = weighed.target / weighed.logged
    ones = np.ones_like(weights)
    corrected = weighed.values + weights * (weighed.rewards - weighed.guesses)
    numerators = {
        "logged": (weighed.rewards, ones),
        "IPS": (weights * weighed.rewards, ones),
        "SNIPS": (weights * weighed.rewards, weights),
        "DR": (corrected, ones),
    }
    parts = {
        name: _parts(weighed.listeners, numerator, denominator)
        for name, (numerator, denominator) in numerators.items()
    }
    estimates = tuple(_estimate(name, part, parts["logged"], alpha) for name, part in parts.items())
    overlap = _parts(weighed.listeners, weights, ones)
    low, high = _interval(overlap, alpha)
    squares = float((weights**2).sum())
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    heaviest = np.bincount(weighed.listeners, weights=weights).max() / max(weights.sum(), 1e-300)
    found = Evaluation(
        estimates,
        len(weights),
        len(overlap),
        effective,
        float(overlap.mean()),
        low,
        high,
        float((weighed.target == 0).mean()),
        float(weights.max()),
        (),
    )
    return _add_warnings(found, float(heaviest))


def _check(weighed: WeightedDecisions) -> None:
    if len(np.unique(weighed.listeners)) < 2:
        raise InputError.one(
            "LOG", "has decisions with a reward of fewer than two listeners; nothing can be said"
        )
    wrong = ~((weighed.logged > 0) & (weighed.logged <= 1))
    if wrong.any():
        raise InputError.one(
            "LOG",
            f"{int(wrong.sum())} decisions have a propensity outside of (0, 1], for instance "
            f"{weighed.logged[wrong][0]}; they were not written by Segue",
        )


def _parts(listeners: Ints, numerator: Values, denominator: Values) -> Values:
    """Each listener's part in a ratio of sums, (listeners,); their mean is the ratio."""
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
    said: list[str] = []
    if not found.effective:
        said.append("No logged track could have come from the strategy: nothing can be said.")
    elif found.effective < FEW:
        said.append(
            f"The {found.decisions:,} decisions are worth {found.effective:.0f} of the strategy's "
            f"own; below {FEW} the intervals are too narrow. Log more, or with strategies nearer "
            "to it."
        )
    if found.effective and found.overlap_high < 0.98:
        said.append(
            f"About {1 - found.overlap:.0%} of what the strategy plays, the log's strategies could "
            "never play. IPS counts that as no reward, SNIPS leaves it out, DR guesses it from "
            "other listeners: log with some exploration, for instance `mixture` with `random`."
        )
    if found.overlap_low > 1.02:
        said.append(
            f"The mean weight is {found.overlap:.3f}, above 1: the logged chances cannot be right."
        )
    if found.listeners < FEW:
        said.append(f"Only {found.listeners} listeners: the intervals are too narrow.")
    if heaviest > HEAVY:
        said.append(f"One listener carries {heaviest:.0%} of all weight.")
    return replace(found, warnings=tuple(said))


def encode(names: Sequence[str]) -> Ints:
    """int64, same length: a number for each different name, by its order."""
    _, places = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
    return places.astype(np.int64)
