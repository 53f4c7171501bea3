"""Explore: a second strategy's ranking, drawn softly, so that a later model can learn from it."""

import numpy as np
from pydantic import ConfigDict, Field

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts, Params, StrategyName
from strategies.registry import strategy
from strategies.wrapping import scores_of


class ExploreParams(Params):
    """Settings of one `explore` strategy.

    Attributes:
        of: Name of the strategy whose ranking to draw from. Its own `draw` does not count.
        temperature: Chances are proportional to score ** (1 / temperature), above 0: small ones
            keep to the best tracks, 1 draws by score.
        epsilon: Share of the turns that draw any of the tracks, all equally likely, in [0, 1].
        k: For strategies without scores, a track scores 1 / (k + rank); at least 0.
        depth: How many tracks count, from the first; at least 1.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"of": "contextual"}, {"of": "popular", "depth": 3}]}
    )

    of: StrategyName
    temperature: float = Field(0.5, gt=0)
    epsilon: float = Field(0.0, ge=0, le=1)
    k: float = Field(0.0, ge=0)
    depth: int = Field(100, ge=1)


@strategy("explore", ExploreParams)
class Explore:
    """Propose the first tracks of the strategy `of`, likely ones first, but none of them alone.

    An arm with `draw: first` would undo it: leave the arm's `draw` out, or set it to `score`.

    Reads: the strategy `of`.
    Abstains: `of` abstains.
    Chance: exact: (1 - epsilon) * softened score / sum + epsilon / tracks.
    Cost: O(depth).
    """

    def __init__(self, params: ExploreParams, artifacts: Artifacts) -> None:
        self.params = params
        self._of = artifacts.strategies[params.of]
        self.always_answers = self._of.always_answers
        self.prepare = self._of.prepare_rank

    def propose(self, listener: Listener) -> Candidates | None:
        candidates = self._of.rank(listener)
        if candidates is None:
            listener.note("'{}' abstains", self._of.name)
            return None
        params = self.params
        tracks, scores = scores_of(candidates, params.depth, params.k)
        # Divided first, so that a small temperature cannot let all scores vanish.
        soft = (scores / scores.max()) ** (1.0 / params.temperature)
        # A chance of 0 would say that a track never plays; the least float stands for "hardly".
        chances = np.maximum(
            (1.0 - params.epsilon) * soft / soft.sum() + params.epsilon / len(tracks), 1e-300
        )
        listener.note("explores the first {} tracks of '{}'", len(tracks), self._of.name)
        return Candidates(tracks, chances, candidates.source)
