"""Popularity: one order of all tracks for every listener."""

from typing import Literal

import numpy as np
from pydantic import Field

from core.progress import SILENT, Progress
from training.interactions import Interactions
from training.model import FitRun, FittedModel, ModelParams, model
from training.top_k import NONE, Ints, Rankings


class PopularParams(ModelParams):
    """Settings of `popular`.

    Attributes:
        by: `heard`, mean share heard times number of listeners; `plays`, counts of listens.
        smoothing: Listens at the mean of the log that are added to every track, a count, so that
            one long listen does not make a track popular.
    """

    by: Literal["heard", "plays"] = "heard"
    smoothing: float = Field(20, ge=0)


@model("popular", PopularParams, {"": {}, "plays": {"by": "plays"}})
class Popular:
    """A ranking by smoothed mean time times listeners, or by counts; one order for all."""

    def __init__(self, params: PopularParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Count listens by their weights."""
        tracks = len(train.catalog)
        weight = train.weight.astype(np.float64) * train.plays
        plays = np.bincount(train.track, weights=weight, minlength=tracks)
        heard = np.bincount(train.track, weights=weight * train.time, minlength=tracks)
        return rank_by_counts(self.params, plays, heard, _count_listeners(train))


def rank_by_counts(
    params: PopularParams, plays: np.ndarray, heard: np.ndarray, listeners: np.ndarray
) -> FittedModel:
    """Rank tracks by their counts: float64, (tracks,) each.

    Args:
        params: Settings of the model.
        plays: Listens.
        heard: Sum of the shares heard.
        listeners: Distinct listeners.
    """
    score = plays
    if params.by == "heard":
        mean = heard.sum() / max(plays.sum(), 1e-9)
        liking = (heard + params.smoothing * mean) / np.maximum(plays + params.smoothing, 1e-9)
        score = liking * listeners
    order = np.lexsort((np.arange(len(score)), -score)).astype(np.int32)
    return FittedModel({"track": _Without(order), "user": _Same(order)}, order=order)


def _count_listeners(train: Interactions) -> np.ndarray:
    """Distinct listeners of each track, by the weight of a listen: float64, (tracks,)."""
    pairs = train.track.astype(np.int64) * len(train.users) + train.user
    _, first = np.unique(pairs, return_index=True)
    return np.bincount(
        train.track[first], weights=train.weight[first], minlength=len(train.catalog)
    )


class _Same:
    """The same list for every key."""

    def __init__(self, order: np.ndarray) -> None:
        self.order = order

    def __call__(self, keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        return np.tile(self.order[:k], (len(keys), 1))


class _Without:
    """The same list for every track, without the track itself."""

    def __init__(self, order: np.ndarray) -> None:
        self.order = order
        self.place = np.empty(len(order), dtype=np.int64)
        self.place[order] = np.arange(len(order))

    def __call__(self, keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        order = np.append(self.order, NONE).astype(np.int32)
        places = np.arange(min(k, len(self.order)))
        at: Rankings = order[places + (places >= self.place[keys][:, None])]
        return at
