"""Base of the strategies that wrap a second one: they change its ranking, and draw after that."""

from typing import Literal, cast, get_args

import numpy as np

from core.candidates import Candidates, Weights
from core.draw import FinalDraw, as_drawn
from core.listener import Listener
from strategies.base import Artifacts, Named, Params, StrategyName

WrapperDraw = Literal["same", "score", "first", "rank", "uniform"]


class WrapperParams(Params):
    """The strategy that is wrapped, and the draw after it.

    Attributes:
        of: Name of the strategy whose tracks to take. It is asked for all that it has, in order;
            its own `draw` acts after this strategy.
        draw: `same` as the wrapped strategy draws; by `score`; the `first` only; or by `rank` or
            `uniform` over what is left.
    """

    of: StrategyName
    draw: WrapperDraw = "same"


class Wrapper:
    """Base of a strategy that changes what a second strategy proposes."""

    def __init__(self, params: WrapperParams, artifacts: Artifacts) -> None:
        self._of = artifacts.strategies[params.of]
        self._mode = _mode_of(params.draw, self._of)
        self.prepare = self._of.prepare_rank

    def propose(self, listener: Listener) -> Candidates | None:
        candidates = self._of.rank(listener)
        if candidates is None:
            listener.note("'{}' abstains", self._of.name)
            return None
        changed = self.change(candidates, listener)
        if changed is None or self._mode is None:
            return changed
        return as_drawn(self._mode, changed)

    def change(self, candidates: Candidates, listener: Listener) -> Candidates | None:
        """Give what is left of the candidates, in order; None if nothing is."""
        raise NotImplementedError


def _mode_of(draw: WrapperDraw, wrapped: Named) -> FinalDraw | None:
    """Find how to draw; None if the candidates' own chances say it."""
    wanted = wrapped.draw if draw == "same" else draw
    return cast(FinalDraw, wanted) if wanted in get_args(FinalDraw) else None


def scores_of(candidates: Candidates, depth: int, k: float) -> tuple[list[int], Weights]:
    """Give the first `depth` tracks with their scores; without scores, 1 / (k + rank).

    Tracks of a mixture are ranked, and a bound is needed: it may hold the whole catalog.
    """
    tracks = candidates.first(depth)
    weights = candidates.weights if type(candidates) is Candidates else None
    if weights is not None:
        return tracks, weights[: len(tracks)].copy()
    scores: Weights = 1.0 / (k + np.arange(1, len(tracks) + 1, dtype=np.float64))
    return tracks, scores


def in_order_of(scores: Weights, tracks: list[int], source: str | None) -> Candidates:
    """Order tracks by score, the best first, equal ones as they stand."""
    order = np.argsort(-scores, kind="stable")
    return Candidates([tracks[place] for place in order.tolist()], scores[order], source)
