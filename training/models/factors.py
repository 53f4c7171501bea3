"""Matrix factorisation: listeners and tracks as vectors, by the library `implicit`."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from core.progress import SILENT, Progress
from training.interactions import Interactions
from training.model import FitRun, FittedModel, ModelParams, model
from training.top_k import Floats, Ints, Rankings, dot_products, top_k
from training.warm_start import WarmStart

WARM_PASSES = 3
"""Passes of ALS that goes on from an earlier fit: as good as 15 from random numbers."""


class FactorsParams(ModelParams):
    """Settings of `factors`.

    Attributes:
        method: `als`, alternating least squares with confidences; `bpr`, pairwise ranking.
        factors: Length of the vectors.
        iterations: Passes over the log; in ALS three if an earlier fit left where to begin.
        regularization: Weight of the penalty on long vectors. In ALS it is put on each listener's
            and each track's equations as it is, so it stands beside `alpha`: both times ten is much
            the same model. 0.01 fits a listener's few tracks as if they were all that is liked.
        alpha: ALS: confidence that a fully heard track adds to the 1 of an unheard track.
        learning_rate: BPR: size of the steps.
        min_time: Share heard from which a listen counts, in [0, 1].
    """

    method: Literal["als", "bpr"] = "als"
    factors: int = Field(64, ge=1, le=1024)
    iterations: int = Field(15, ge=1)
    regularization: float = Field(60.0, ge=0)
    alpha: float = Field(10.0, gt=0)
    learning_rate: float = Field(0.05, gt=0)
    min_time: float = Field(0.3, ge=0, le=1)


@model(
    "factors",
    FactorsParams,
    {
        "": {},
        # More steps, or larger ones, fit a listener's known tracks ever better and new ones worse.
        "bpr": {"method": "bpr", "iterations": 30, "learning_rate": 0.02, "regularization": 0.003},
    },
    needs="implicit",
)
class Factors:
    """Matrix factorisation by ALS or BPR of `implicit`; lists by listener and by track."""

    def __init__(self, params: FactorsParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Factorise; Ctrl-C ends the fit and keeps the iterations so far."""
        import implicit.cpu.als
        import implicit.cpu.bpr  # noqa: F401  (their BLAS must be loaded before its threads can be limited)
        from threadpoolctl import threadpool_limits

        params = self.params
        heard = confidences(train, params)
        if params.method == "als":
            # implicit takes whole confidences. Without the 1 of an unheard track, a short listen
            # would say less than none.
            heard.data += 1
        done = 0
        interrupted = False

        def after(iteration: int, *_: Any) -> None:
            nonlocal done
            done = iteration + 1
            run.progress.advance()

        warm = run.start if params.method == "als" else None
        passes = params.iterations if warm is None else min(params.iterations, WARM_PASSES)
        run.progress.start(f"factors ({params.method})", passes)
        # implicit has threads of its own; BLAS threads compete with them for the same cores.
        with threadpool_limits(limits=1, user_api="blas"):
            library = self._library(run, passes)
            if warm is not None:
                library.item_factors = warm.by_track["vectors"].copy()
                rows = warm.rows_of(train.users)
                library.user_factors = warm.for_listeners("vectors", rows)
            try:
                library.fit(heard, show_progress=False, callback=after)
            except KeyboardInterrupt:
                if not done:
                    raise
                interrupted = True
        users = np.asarray(library.user_factors, dtype=np.float32)
        tracks = np.asarray(library.item_factors, dtype=np.float32)
        facts: dict[str, Any] = {"iterations": done or passes}
        if warm is not None:
            facts["warm"] = True
        seen = np.bincount(heard.indices, minlength=len(train.catalog)) > 0
        fitted = rank_by_factors(users, tracks, seen, params.factors, facts, interrupted)
        if params.method != "als":
            return fitted
        state = WarmStart({"vectors": tracks}, {"vectors": users}, train.users)
        return replace(fitted, state=state)

    def _library(self, run: FitRun, passes: int) -> Any:
        logging.getLogger("implicit").setLevel(logging.ERROR)
        from implicit.cpu.als import AlternatingLeastSquares
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        params = self.params
        if params.method == "als":
            return AlternatingLeastSquares(
                factors=params.factors,
                regularization=params.regularization,
                iterations=passes,
                num_threads=run.threads,
                random_state=run.seed,
            )
        return BayesianPersonalizedRanking(
            factors=params.factors,
            learning_rate=params.learning_rate,
            regularization=params.regularization,
            iterations=passes,
            num_threads=1,  # its threads overwrite each other's steps, so two runs would differ
            random_state=run.seed,
        )


def rank_by_factors(
    users: Floats,
    tracks: Floats,
    seen: npt.NDArray[np.bool_],
    factors: int,
    facts: Mapping[str, Any],
    interrupted: bool = False,
) -> FittedModel:
    """Make the model of vectors.

    Args:
        users: float32, (listeners, d).
        tracks: float32, (tracks, d).
        seen: bool, (tracks,), tracks with a listen.
        factors: Length of the vectors without a bias.
        facts: Entries for the manifest.
        interrupted: Whether Ctrl-C ended the fit.
    """
    # In BPR the last number of a track's vector is its bias, which is no part of similarity.
    taste = tracks[:, :factors]
    units = taste / np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9)
    unheard = np.where(seen, 0, -np.inf).astype(np.float32)
    similar = dot_products(units, units, unheard)
    liked = dot_products(users, tracks, unheard)

    def by_track(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        ranked = top_k(similar, keys, k, without=keys, progress=progress)
        ranked[~seen[keys]] = -1  # a track without listens has no meaningful vector
        return ranked

    def by_user(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        return top_k(liked, keys, k, progress=progress)

    return FittedModel(
        {"track": by_track, "user": by_user},
        facts=facts,
        interrupted=interrupted,
        vectors={
            "track": (np.flatnonzero(seen), taste[seen]),
            "user": (np.arange(len(users)), users[:, :factors]),
        },
    )


def confidences(train: Interactions, params: FactorsParams) -> Any:
    """Sparse (listeners, tracks): confidence for ALS, preference for BPR."""
    from scipy import sparse

    kept = train.time >= params.min_time
    value = (train.time * train.weight * np.log2(1 + train.plays))[kept]
    heard = sparse.csr_matrix(
        (value.astype(np.float32), (train.user[kept], train.track[kept])),
        (len(train.users), len(train.catalog)),
    )
    heard.sum_duplicates()
    if params.method == "als":
        heard.data *= np.float32(params.alpha)
    return heard
