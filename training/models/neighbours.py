"""Item-to-item neighbours: tracks that were heard in the same sessions."""

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
        kind: `cosine` of who heard which; `time`, the same with shares heard in place of ones;
            `bm25`, which damps long sessions and rare tracks.
        over: What counts as heard together: in one `session`, or by one `listener`.
        min_time: Share from which a listen counts, in [0, 1].
        neighbours: How many of each track are kept, a count: more cost time and memory.
        shrink: Listens that every track is given in advance when its norm is taken, so that two
            tracks heard once, together, are no perfect match; a count.
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
    """Ranks by how often two tracks are heard together; fitted in a second, hard to beat."""

    def __init__(self, params: NeighboursParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Multiply the matrix of who heard what with itself, block by block."""
        heard = self._matrix(train)
        liked = _profile(train, self.params.min_time)
        run.progress.start("neighbours", len(train.catalog))
        near = _nearest(self._weighted(heard), self.params.neighbours, run.progress)

        def by_track(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
            return _ranked(near[keys], k, progress)

        def by_user(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
            # What goes with everything that the listener liked.
            ranked = np.empty((len(keys), k), dtype=np.int32)
            for start in range(0, len(keys), BLOCK):
                block = slice(start, start + BLOCK)
                ranked[block] = _ranked(liked[keys[block]] @ near, k, progress)
            return ranked

        return FittedModel(
            {"track": by_track, "user": by_user}, facts={"neighbours": int(near.nnz)}
        )

    def _matrix(self, train: Interactions) -> Any:
        """Sparse (sessions or listeners, tracks): how much each heard of each."""
        from scipy import sparse

        params = self.params
        kept = train.time >= params.min_time
        worth = train.time[kept] if params.kind == "time" else np.ones(int(kept.sum()))
        if params.kind == "bm25":
            worth = worth * train.plays[kept]
        row = train.session if params.over == "session" else train.user
        shape = (
            train.sessions if params.over == "session" else len(train.users),
            len(train.catalog),
        )
        # Summed in doubles and ranked in singles: the last digits, which differ from machine to
        # machine, are cut off, so that the same listening gives the same lists everywhere.
        values = worth.astype(np.float64) * np.sqrt(train.weight[kept], dtype=np.float64)
        heard = sparse.csr_matrix((values, (row[kept], train.track[kept])), shape)
        heard.sum_duplicates()
        if params.kind == "cosine":
            # Heard twice is heard: cap at the weight of one listen.
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


def _profile(train: Interactions, min_time: float) -> Any:
    """Sparse (listeners, tracks): what each liked, by share heard."""
    from scipy import sparse

    kept = train.time >= min_time
    return sparse.csr_matrix(
        (train.time[kept].astype(np.float64), (train.user[kept], train.track[kept])),
        (len(train.users), len(train.catalog)),
    )


def _nearest(weighted: Any, most: int, progress: Progress) -> Any:
    """Sparse (tracks, tracks): similarity of each track to the `most` most similar others."""
    from scipy import sparse

    tracks = weighted.shape[1]
    by_track = weighted.T.tocsr()
    parts = []
    for start in range(0, tracks, BLOCK):
        block = (by_track[start : start + BLOCK] @ weighted).tocsr()
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        others = (block.data > 0) & (row + start != block.indices)
        block = sparse.csr_matrix(
            (block.data[others], (row[others], block.indices[others])), block.shape
        )
        ranked = _ranked(block, most, progress)
        kept, place = np.nonzero(ranked != NONE)
        track = ranked[kept, place]
        scores = np.asarray(block[kept, track]).ravel() if len(kept) else np.zeros(0)
        parts.append(sparse.csr_matrix((scores, (kept, track)), block.shape))
    return sparse.vstack(parts, format="csr")


def _ranked(similar: Any, k: int, progress: Progress) -> Rankings:
    """The best of each row of a sparse matrix."""
    ranked = np.empty((similar.shape[0], k), dtype=np.int32)
    for start in range(0, len(ranked), BLOCK):
        block = similar[start : start + BLOCK].tocsr()
        rows = block.shape[0]
        if block.nnz * 8 > rows * block.shape[1]:
            # Too full to sort every entry: as a dense block, most of which is never sorted.
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
