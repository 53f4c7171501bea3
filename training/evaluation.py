"""Judging offline: would a model have put near the top what was liked next?

A question is a listen of the later sessions that was liked (heard for `liked` or more), after
another that was: given the one liked last before it, and the listener, where in the order of the
whole catalog does this one stand? No sampled negatives. Figures are means over a listener's
questions, then over listeners; intervals resample listeners.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.catalog import Catalog
from core.lists import Key
from core.progress import SILENT, Progress
from training.interactions import Interactions
from training.model import FittedModel
from training.top_k import NONE, Ints, Rankings

K = 100
RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class HeldOutPairs:
    """What is asked of every model; all arrays (questions,).

    Attributes:
        user: Listener index.
        before: Catalog index of the track liked last before, in the same session.
        track: Catalog index of the track that was liked.
        weight: What the answer counts for: 1, or the inverse of the chance of the track.
    """

    user: npt.NDArray[np.int32]
    before: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.track)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over listeners, with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def as_json(self) -> list[float]:
        """[value, low, high], rounded to what can be told apart."""
        return [round(number, 6) for number in (self.value, self.low, self.high)]


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """What an arm that plays a model's lists would have earned, estimated from logged chances.

    Attributes:
        time: Mean share heard of a recommendation, with its interval.
        effective_sample_size: So many decisions of the arm's own would be as good.
        warnings: Why not to believe it, in sentences.
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
    """Estimates what the lists of a model would have earned."""

    @property
    def about(self) -> str:
        """A sentence for below a table: what was estimated, of what."""

    def __call__(self, fitted: FittedModel, key: Key) -> OffPolicyEstimate:
        """Estimate the lists by track or by listener."""


@dataclass(frozen=True, slots=True)
class OfflineMetrics:
    """What a model's lists are worth offline.

    Attributes:
        key: What the lists are keyed by.
        accuracy: NDCG@10 and @100, recall@10 and @100, MRR@100.
        beyond_accuracy: Coverage, Gini, novelty, artist diversity, share of questions with a list.
        mse: Mean squared error of the time, where the model predicts it.
        off_policy: Off-policy estimate, where the log has chances.
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
    """The questions that later sessions ask."""
    rows = np.flatnonzero(test.time >= np.float32(liked))
    before, asked = rows[:-1], rows[1:]
    kept = (test.session[before] == test.session[asked]) & (test.track[before] != test.track[asked])
    before, asked = before[kept], asked[kept]
    return HeldOutPairs(test.user[asked], test.track[before], test.track[asked], test.weight[asked])


def evaluate(
    fitted: FittedModel,
    key: Key,
    train: Interactions,
    test: Interactions,
    held_out: HeldOutPairs,
    *,
    estimate: OffPolicyEstimator | None = None,
    progress: Progress = SILENT,
) -> OfflineMetrics:
    """Judge the lists that a model gives by track or by listener."""
    asked = held_out.before if key == "track" else held_out.user
    keys, row = np.unique(asked, return_inverse=True)
    ranked = fitted.rankers[key](keys, K, progress)
    return OfflineMetrics(
        key,
        _accuracy(ranked, row, held_out),
        {**beyond_accuracy(ranked, train), "answered": float(np.mean(ranked[row, 0] != NONE))},
        _mse(fitted, test),
        None if estimate is None else estimate(fitted, key),
    )


def beyond_accuracy(ranked: Rankings, train: Interactions) -> dict[str, float]:
    """Figures of lists that need no answers.

    coverage: share of the catalog that stands in some list. gini: of how often tracks stand in
    lists, 0 all alike, 1 always the same. novelty: mean -log2 of a track's share of all listens.
    artists: different artists in the first ten, per track of them.
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
    worth = np.bincount(listener, weights=held_out.weight)
    means = {
        name: np.bincount(listener, weights=values * held_out.weight) / worth
        for name, values in figures.items()
    }
    draws = np.random.default_rng(0)
    count = len(worth)
    resampled = {name: np.empty(RESAMPLES) for name in means}
    # A listener stands in for as many questions as they are worth only where weights are inverse
    # chances; otherwise each listener counts once.
    inverse = worth if np.ptp(held_out.weight) > 0 else np.ones(count)
    for sample in range(RESAMPLES):
        taken = np.bincount(draws.integers(0, count, count), minlength=count) * inverse
        for name, values in means.items():
            resampled[name][sample] = taken @ values / taken.sum()
    tail = 100 * (1 - LEVEL) / 2
    return {
        name: Interval(
            float(inverse @ values / inverse.sum()),
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
