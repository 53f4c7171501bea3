"""Item-to-item neighbours: tracks that listeners heard in the same sessions."""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from core.progress import SILENT, Progress
from training.interactions import Interactions
from training.model import FitRun, FittedModel, ModelParams, model
from training.top_k import BLOCK, NONE, Ints, Rankings, top_k, top_k_of_entries


class NeighboursParams(ModelParams):
    """Settings of `neighbours`.

    Attributes:
        kind: `cosine` of binary listens; `time`, the cosine of shares heard; `bm25`, which damps
            long sessions and rare tracks.
        over: Tracks are heard together in one `session`, or by one `listener`.
        min_time: Share heard from which a listen counts, in [0, 1].
        neighbours: Number kept for each track; more cost time and memory.
        shrink: Listens added to the norm of every track, a count, so that two tracks that were
            heard once, and together, are no perfect match.
        k1: Saturation of BM25, without unit.
        b: How much BM25 discounts long sessions, in [0, 1].
    """

    kind: Literal["cosine", "time", "bm25"] = "cosine"
    over: Literal["session", "listener"] = "session"
    min_time: float = Field(0.3, ge=0, le=1)
    neighbours: int = Field(200, ge=1)
    shrink: float = Field(1.0, ge=0)
    k1: float = Field(1.2, gt=0)
    b: float = Field(0.75, ge=0, le=1)


@model(
    "neighbours",
    NeighboursParams,
    {"": {}, "time": {"kind": "time"}, "bm25": {"kind": "bm25"}, "listener": {"over": "listener"}},
)
class Neighbours:
    """A ranking by how often two tracks are heard together; fitted in a second, hard to beat."""

    def __init__(self, params: NeighboursParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Multiply the matrix of listens with itself, block by block."""
        heard = self._matrix(train)
        liked = liked_tracks(train, self.params.min_time)
        run.progress.start("neighbours", len(train.catalog))
        near = _nearest(self._weighted(heard), self.params.neighbours, run.progress)

        return rank_by_near(near, liked)

    def _matrix(self, train: Interactions) -> Any:
        """Sparse (sessions or listeners, tracks): the value of each track for each row."""
        from scipy import sparse

        params = self.params
        kept = train.time >= params.min_time
        value = train.time[kept] if params.kind == "time" else np.ones(int(kept.sum()))
        if params.kind == "bm25":
            value = value * train.plays[kept]
        row = train.session if params.over == "session" else train.user
        shape = (
            train.sessions if params.over == "session" else len(train.users),
            len(train.catalog),
        )
        # Sums are double precision and ranks single precision: this cuts off the last digits, which
        # differ between machines, so that the same listens give the same lists everywhere.
        values = value.astype(np.float64) * np.sqrt(train.weight[kept], dtype=np.float64)
        heard = sparse.csr_matrix((values, (row[kept], train.track[kept])), shape)
        heard.sum_duplicates()
        if params.kind == "cosine":
            # A track heard twice counts once: cap at the weight of one listen.
            heard.data = np.minimum(heard.data, np.sqrt(train.weight.max(initial=1.0)))
        return heard

    def _weighted(self, heard: Any) -> Any:
        """The matrix whose product with itself is the similarity of tracks."""
        from scipy import sparse

        params = self.params
        if params.kind == "bm25":
            length = np.asarray(heard.sum(axis=1)).ravel()
            seen = np.bincount(heard.indices, minlength=heard.shape[1])
            rarity = np.log(1 + (heard.shape[0] - seen + 0.5) / (seen + 0.5))
            damp = params.k1 * (1 - params.b + params.b * length / max(length.mean(), 1e-9))
            weighted = heard.copy()
            row = np.repeat(np.arange(heard.shape[0]), np.diff(heard.indptr))
            weighted.data = (
                heard.data * (params.k1 + 1) / (heard.data + damp[row]) * rarity[heard.indices]
            )
            return weighted
        norms = np.sqrt(np.asarray(heard.multiply(heard).sum(axis=0)).ravel() + params.shrink)
        return (heard @ sparse.diags(1 / np.maximum(norms, 1e-9))).tocsr()


def rank_by_near(near: Any, liked: Any) -> FittedModel:
    """Make the model of similarities.

    Args:
        near: Sparse (tracks, tracks): similarity of each track to its most similar tracks.
        liked: From `liked_tracks`.
    """

    def by_track(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        return _rank_rows(near[keys], k, progress)

    def by_user(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        # The sum over the listener's liked tracks of their neighbours.
        ranked = np.empty((len(keys), k), dtype=np.int32)
        for start in range(0, len(keys), BLOCK):
            block = slice(start, start + BLOCK)
            ranked[block] = _rank_rows(liked[keys[block]] @ near, k, progress)
        return ranked

    return FittedModel({"track": by_track, "user": by_user}, facts={"neighbours": int(near.nnz)})


def liked_tracks(train: Interactions, min_time: float) -> Any:
    """Sparse (listeners, tracks): the liked tracks of each listener, by share heard."""
    from scipy import sparse

    kept = train.time >= min_time
    return sparse.csr_matrix(
        (train.time[kept].astype(np.float64), (train.user[kept], train.track[kept])),
        (len(train.users), len(train.catalog)),
    )


def _nearest(weighted: Any, most: int, progress: Progress) -> Any:
    """Sparse (tracks, tracks): similarity of each track to its `most` most similar tracks."""
    from scipy import sparse

    tracks = weighted.shape[1]
    by_track = weighted.T.tocsr()
    parts = []
    for start in range(0, tracks, BLOCK):
        block = (by_track[start : start + BLOCK] @ weighted).tocsr()
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        kept_entries = (block.data > 0) & (row + start != block.indices)
        block = sparse.csr_matrix(
            (block.data[kept_entries], (row[kept_entries], block.indices[kept_entries])),
            block.shape,
        )
        ranked = _rank_rows(block, most, progress)
        kept, place = np.nonzero(ranked != NONE)
        track = ranked[kept, place]
        scores = np.asarray(block[kept, track]).ravel() if len(kept) else np.zeros(0)
        parts.append(sparse.csr_matrix((scores, (kept, track)), block.shape))
    return sparse.vstack(parts, format="csr")


def _rank_rows(similar: Any, k: int, progress: Progress) -> Rankings:
    """Rank the best tracks of each row of a sparse matrix."""
    ranked = np.empty((similar.shape[0], k), dtype=np.int32)
    for start in range(0, len(ranked), BLOCK):
        block = similar[start : start + BLOCK].tocsr()
        rows = block.shape[0]
        if block.nnz * 8 > rows * block.shape[1]:
            # Above one entry in eight, a dense block is faster: most of it is never sorted.
            dense = block.toarray().astype(np.float32)
            dense[dense <= 0] = -np.inf
            ranked[start : start + rows] = top_k(dense.__getitem__, np.arange(rows), k)
        else:
            row = np.repeat(np.arange(rows), np.diff(block.indptr))
            ranked[start : start + rows] = top_k_of_entries(
                row, block.indices, block.data.astype(np.float32), rows, k
            )
        progress.advance(rows)
    return ranked
