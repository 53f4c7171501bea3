"""EASE: a linear model of who heard what, in closed form (Steck 2019)."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from core.progress import SILENT, Progress
from training.interactions import Interactions
from training.model import FitRun, FittedModel, ModelParams, model
from training.top_k import BLOCK, Floats, Ints, Rankings, top_k


class EaseParams(ModelParams):
    """Settings of `ease`.

    Attributes:
        over: Tracks are heard together by one `listener`, or in one `session`.
        l2: Weight of the penalty on the squared weights; more for short logs.
        min_time: Share heard from which a listen counts, in [0, 1].
        tracks: Number of tracks that the model learns, those with the most listens. Memory grows
            with its square (16 bytes a pair: 1.6 GB at 10,000), time with its cube.
    """

    over: Literal["listener", "session"] = "listener"
    l2: float = Field(100.0, gt=0)
    min_time: float = Field(0.3, ge=0, le=1)
    tracks: int = Field(10_000, ge=2, le=50_000)


@model("ease", EaseParams, {"": {}, "session": {"over": "session"}})
class Ease:
    """A ranking by weights between tracks that explain each track by all others, in closed form."""

    def __init__(self, params: EaseParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Invert the matrix of common listens; tracks beyond `tracks` get no list."""
        heard, kept = _matrix(train, self.params)
        run.progress.start("ease", 2)
        weights = _weights_of(heard, self.params.l2, run.progress)
        place = np.full(len(train.catalog), -1)
        place[kept] = np.arange(len(kept))
        listeners = _profiles(train, self.params.min_time, place, len(kept))

        def by_track(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
            known = place[keys] >= 0
            ranked = np.full((len(keys), k), -1, dtype=np.int32)
            own = place[keys[known]]
            ranked[known] = _ids(top_k(lambda rows: _speaking_for(weights[rows]), own, k), kept)
            progress.advance(len(keys))
            return ranked

        def by_user(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
            def scores(users: Ints) -> Floats:
                found: Floats = np.asarray(listeners[users] @ weights, dtype=np.float32)
                return _speaking_for(found)

            return _ids(top_k(scores, keys, k, progress=progress), kept)

        return FittedModel({"track": by_track, "user": by_user}, facts={"tracks": len(kept)})


def _weights_of(heard: Any, l2: float, progress: Progress) -> Floats:
    """Compute the weights: float32, (tracks, tracks); row i says what track i speaks for.

    With P the inverse of X'X + l2 * I, the weight from i to j is -P[i, j] / P[j, j], and 0 from a
    track to itself (Steck 2019, equation 8).
    """
    from scipy.linalg import lapack

    gram = np.asfortranarray((heard.T @ heard).toarray(), dtype=np.float64)
    gram[np.diag_indices_from(gram)] += l2
    factor, fault = lapack.dpotrf(gram, lower=1, overwrite_a=1)
    progress.advance()
    inverse, fault_of_inverse = lapack.dpotri(factor, lower=1, overwrite_c=1)
    assert {fault, fault_of_inverse} == {0}, "X'X + l2 * I is positive definite"
    progress.advance()
    scale = -1.0 / np.diagonal(inverse)
    weights = np.empty(inverse.shape, dtype=np.float32)
    for start in range(0, len(weights), BLOCK):  # only the lower triangle is filled
        rows = slice(start, start + BLOCK)
        lower = np.tril(inverse[rows], start)
        upper = np.triu(inverse[:, rows].T, start + 1)
        weights[rows] = (lower + upper) * scale
    np.fill_diagonal(weights, 0.0)
    return weights


def _matrix(train: Interactions, params: EaseParams) -> tuple[Any, npt.NDArray[np.int64]]:
    """Sparse (listeners or sessions, tracks) of what was heard, and the tracks of its columns."""
    from scipy import sparse

    rows = train.time >= params.min_time
    plays = np.bincount(train.track[rows], minlength=len(train.catalog))
    kept = np.argsort(-plays, kind="stable")[: params.tracks]
    kept = np.sort(kept[plays[kept] > 0]).astype(np.int64)
    place = np.full(len(train.catalog), -1)
    place[kept] = np.arange(len(kept))
    rows &= place[train.track] >= 0
    owner = train.user if params.over == "listener" else train.session
    owners = len(train.users) if params.over == "listener" else train.sessions
    values = np.sqrt(train.weight[rows].astype(np.float64))
    heard = sparse.csr_matrix(
        (values, (owner[rows], place[train.track[rows]])), (owners, len(kept))
    )
    heard.sum_duplicates()
    # A track heard twice counts once: cap at the weight of one listen.
    heard.data = np.minimum(heard.data, np.sqrt(train.weight.max(initial=1.0)))
    return heard, kept


def _profiles(
    train: Interactions, min_time: float, place: npt.NDArray[np.int64], tracks: int
) -> Any:
    """Sparse (listeners, tracks): what each listener heard, by the share."""
    from scipy import sparse

    rows = (train.time >= min_time) & (place[train.track] >= 0)
    entries = train.user[rows], place[train.track[rows]]
    shape = len(train.users), tracks
    return sparse.csr_matrix((train.time[rows].astype(np.float32), entries), shape)


def _speaking_for(scores: Floats) -> Floats:
    """Keep only scores above 0: all others speak against a track, or say nothing of it."""
    found: Floats = np.where(scores > 0, scores, -np.inf).astype(np.float32)
    return found


def _ids(ranked: Rankings, kept: npt.NDArray[np.int64]) -> Rankings:
    """Translate columns into catalog indices."""
    found: Rankings = np.where(ranked >= 0, kept[ranked], -1).astype(np.int32)
    return found
