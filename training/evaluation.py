"""Offline evaluation: does a model rank the tracks at the top that listeners liked next?

A held-out pair is a liked listen of the test split (heard for `liked` or more) with the liked
listen before it in the session. Given the earlier track, or the listener, the model ranks the
whole catalog, without sampled negatives; the rank of the later track counts. A metric is a mean
over a listener's pairs, then over listeners; intervals resample listeners.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.archive import Key
from core.catalog import Catalog
from core.progress import SILENT, Progress
from training.heard import HeardTracks
from training.interactions import Interactions
from training.model import FittedModel
from training.top_k import NONE, Ints, Rankings

K = 100
RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class HeldOutPairs:
    """Pairs that every model has to predict; all arrays (pairs,).

    Attributes:
        user: Listener index.
        before: Catalog index of the earlier liked track.
        track: Catalog index of the later liked track, which the model has to predict.
        weight: Weight of the pair: 1, or the inverse propensity of the later track.
    """

    user: npt.NDArray[np.int32]
    before: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.track)

    def where(self, keep: npt.NDArray[np.bool_]) -> "HeldOutPairs":
        """Keep some pairs."""
        return HeldOutPairs(self.user[keep], self.before[keep], self.track[keep], self.weight[keep])


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over listeners, with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def as_json(self) -> list[float]:
        """[value, low, high], rounded to six digits."""
        return [round(number, 6) for number in (self.value, self.low, self.high)]


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """Off-policy estimate of an arm that plays a model's lists, from logged propensities.

    Attributes:
        time: Mean share heard of a recommendation, with its interval.
        effective_sample_size: Decisions by the arm itself that would be as informative.
        warnings: Reasons not to trust the estimate, in sentences.
    """

    time: Interval
    effective_sample_size: float
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a manifest."""
        return {
            "time": self.time.as_json(),
            "effective": round(self.effective_sample_size, 1),
            "doubts": list(self.warnings),
        }


class OffPolicyEstimator(Protocol):
    """An estimator of the value of a model's lists without serving them."""

    @property
    def about(self) -> str:
        """Caption for tables: the estimate and its log."""

    def __call__(self, fitted: FittedModel, key: Key) -> OffPolicyEstimate:
        """Estimate the lists by track or by listener."""


@dataclass(frozen=True, slots=True)
class OfflineMetrics:
    """Offline metrics of a model's lists.

    Attributes:
        key: Whether the lists are keyed by track or by listener.
        accuracy: NDCG@10 and @100, recall@10 and @100, MRR@100.
        beyond_accuracy: Coverage, Gini, novelty, artist diversity, share of held-out
            pairs with a list.
        mse: Mean squared error of the predicted time; None if the model predicts none.
        off_policy: Off-policy estimate; None if the log has no propensities.
    """

    key: Key
    accuracy: Mapping[str, Interval]
    beyond_accuracy: Mapping[str, float]
    mse: float | None
    off_policy: OffPolicyEstimate | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a manifest."""
        return {
            "by": self.key,
            **{name: interval.as_json() for name, interval in self.accuracy.items()},
            **{name: round(value, 6) for name, value in self.beyond_accuracy.items()},
            "mse": None if self.mse is None else round(self.mse, 6),
            "off_policy": None if self.off_policy is None else self.off_policy.as_json(),
        }


def held_out_pairs(test: Interactions, liked: float) -> HeldOutPairs:
    """Find the held-out pairs of a test split."""
    rows = np.flatnonzero(test.time >= np.float32(liked))
    before, after = rows[:-1], rows[1:]
    kept = (test.session[before] == test.session[after]) & (test.track[before] != test.track[after])
    before, after = before[kept], after[kept]
    return HeldOutPairs(test.user[after], test.track[before], test.track[after], test.weight[after])


def evaluate(
    fitted: FittedModel,
    key: Key,
    train: Interactions,
    test: Interactions,
    held_out: HeldOutPairs,
    *,
    heard: HeardTracks | None = None,
    estimate: OffPolicyEstimator | None = None,
    progress: Progress = SILENT,
) -> OfflineMetrics:
    """Evaluate the lists of a model by track or by listener.

    Args:
        fitted: The model.
        key: Which of its lists.
        train: Listens of the fit.
        test: Listens of the test split.
        held_out: The pairs to predict.
        heard: What listeners heard before, to be left out of each listener's ranking; None to leave
            nothing out. Lists by listener come without it already.
        estimate: The off-policy estimator, if the log allows one.
        progress: Shows the work.
    """
    given = held_out.before if key == "track" else held_out.user
    keys, row = np.unique(given, return_inverse=True)
    ranked = fitted.rankers[key](keys, K, progress)
    lists, list_of = ranked, row
    if heard is not None and key == "track":
        lists = heard.fresh(fitted.rankers[key], held_out.before, held_out.user, K)
        list_of = np.arange(len(held_out))
    return OfflineMetrics(
        key,
        _accuracy(lists, list_of, held_out),
        {**beyond_accuracy(ranked, train), "answered": float(np.mean(ranked[row, 0] != NONE))},
        _mse(fitted, test),
        None if estimate is None else estimate(fitted, key),
    )


def beyond_accuracy(ranked: Rankings, train: Interactions) -> dict[str, float]:
    """Beyond-accuracy metrics, which need no held-out pairs.

    coverage: share of the catalog that is in some list. gini: inequality of how often tracks are
    in lists, 0 for equal, 1 for always the same. novelty: mean -log2 of a track's share of all
    listens. artists: distinct artists among the first ten tracks, per track.
    """
    tracks = len(train.catalog)
    listed = ranked[ranked != NONE]
    if not len(listed):
        return {"coverage": 0.0, "gini": 1.0, "novelty": 0.0, "artists": 0.0}
    counts = np.sort(np.bincount(listed, minlength=tracks)).astype(np.float64)
    place = np.arange(1, tracks + 1)
    gini = float((2 * place - tracks - 1) @ counts / (tracks * counts.sum()))
    plays = np.bincount(train.track, weights=train.plays, minlength=tracks) + 1.0
    surprise = -np.log2(plays / plays.sum())
    return {
        "coverage": float(np.mean(counts > 0)),
        "gini": gini,
        "novelty": float(surprise[listed].mean()),
        "artists": _artist_diversity(ranked[:, :10], train.catalog),
    }


def _artist_diversity(ranked: Rankings, catalog: Catalog) -> float:
    artist = np.where(ranked == NONE, -1, catalog.artist_of[ranked])
    artist = np.sort(artist, axis=1)
    fresh = (artist != NONE).astype(np.int64)
    fresh[:, 1:] &= artist[:, 1:] != artist[:, :-1]
    length = (ranked != NONE).sum(axis=1)
    full = length > 0
    return float(np.mean(fresh.sum(axis=1)[full] / length[full])) if full.any() else 0.0


def _accuracy(ranked: Rankings, row: Ints, held_out: HeldOutPairs) -> dict[str, Interval]:
    place = np.full(len(held_out), K, dtype=np.int64)
    for start in range(0, len(held_out), 1 << 14):
        part = slice(start, start + (1 << 14))
        hit = ranked[row[part]] == held_out.track[part, None]
        place[part] = np.where(hit.any(axis=1), hit.argmax(axis=1), K)
    gain = np.where(place < K, 1 / np.log2(place + 2), 0.0)
    figures = {
        "ndcg10": gain * (place < 10),
        "ndcg100": gain,
        "recall10": (place < 10).astype(float),
        "recall100": (place < K).astype(float),
        "mrr": np.where(place < K, 1 / (place + 1), 0.0),
    }
    _, listener = np.unique(held_out.user, return_inverse=True)
    total = np.bincount(listener, weights=held_out.weight)
    means = {
        name: np.bincount(listener, weights=values * held_out.weight) / total
        for name, values in figures.items()
    }
    draws = np.random.default_rng(0)
    count = len(total)
    resampled = {name: np.empty(RESAMPLES) for name in means}
    # With inverse propensities, a listener counts for the total weight of their pairs: only so is
    # the mean unbiased. Without them, each listener counts once.
    listener_weight = total if np.ptp(held_out.weight) > 0 else np.ones(count)
    for sample in range(RESAMPLES):
        drawn = np.bincount(draws.integers(0, count, count), minlength=count) * listener_weight
        for name, values in means.items():
            resampled[name][sample] = drawn @ values / drawn.sum()
    tail = 100 * (1 - LEVEL) / 2
    return {
        name: Interval(
            float(listener_weight @ values / listener_weight.sum()),
            *map(float, np.percentile(resampled[name], [tail, 100 - tail])),
        )
        for name, values in means.items()
    }


def _mse(fitted: FittedModel, test: Interactions) -> float | None:
    if fitted.predict is None:
        return None
    follows = np.flatnonzero(test.session[1:] == test.session[:-1]) + 1
    expected = fitted.predict(test.user[follows], test.track[follows - 1], test.track[follows])
    return float(np.mean((expected - test.time[follows]) ** 2))
