"""Merge: several ranked lists as one, by reciprocal rank (Cormack, Clarke, Buettcher 2009)."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, field_validator

from core.candidates import Candidates, Weights, by_rank
from core.listener import Listener
from core.mixture import Mixture
from strategies.base import Artifacts, StrategyName, UnheardParams, unheard_of
from strategies.registry import strategy


class MergeParams(UnheardParams):
    """Settings of one `merge` strategy.

    Attributes:
        strategies: Names of at least two strategies, or the weight of each by its name, above 0.
        k: Added to every rank, at least 0: the greater it is, the less the first ranks stand out.
        depth: How many tracks of each strategy count, from its first; at least 1.
        draw: `score`, chance proportional to the merged score; or `uniform`, `first` or `rank`
            over the merged list, as for every list.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"strategies": ["contextual", "popular"]},
                {"strategies": {"contextual": 2, "popular": 1}, "k": 10, "depth": 5},
            ]
        }
    )

    strategies: dict[StrategyName, Annotated[float, Field(gt=0)]] = Field(min_length=2)
    k: float = Field(60, ge=0)
    depth: int = Field(100, ge=1)
    draw: Literal["score", "uniform", "first", "rank"] = "score"

    @field_validator(
        "strategies",
        mode="before",
        json_schema_input_type=Annotated[list[str], Field(min_length=2)]
        | Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=2)],
    )
    @classmethod
    def _alike(cls, names: Any) -> Any:
        """Give names without weights equal weights."""
        if not isinstance(names, list):
            return names
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"must be names of strategies, or each with its weight, got {names}")
        twice = [name for position, name in enumerate(names) if name in names[:position]]
        if twice:
            raise ValueError(f"each strategy may stand once, '{twice[0]}' stands twice")
        return dict.fromkeys(names, 1.0)


@strategy("merge", MergeParams)
class Merge:
    """Propose the tracks of all its strategies, ranked by the sum of weight / (k + rank).

    Ranks run from 1 in the order in which a strategy proposes, so its strategies should have an
    order. Equal scores stand in the order of appearance.

    Reads: what its strategies read; what was heard, if `unheard` asks for it.
    Abstains: all of them abstain, so never if one always answers; or, with `unheard`, all was
        heard. When some abstain, it merges the rest.
    Chance: as `draw` says, proportional to the score by default.
    Cost: O(tracks proposed); the default draw needs no ranking, which costs several times more.
    """

    def __init__(self, params: MergeParams, artifacts: Artifacts) -> None:
        self.params = params
        self._strategies = [
            (artifacts.strategies[name], weight) for name, weight in params.strategies.items()
        ]
        self.always_answers = params.unheard == "none" and any(
            member.always_answers for member, _ in self._strategies
        )
        ranks = np.arange(1, params.depth + 1, dtype=np.float64)
        scores: Weights = 1.0 / (params.k + ranks)
        self._scores = scores
        self._totals: list[float] = np.cumsum(scores).tolist()

    def propose(self, listener: Listener) -> Candidates | None:
        parts = []
        for member, weight in self._strategies:
            candidates = member.propose_unmarked(listener)
            if candidates is None:
                listener.note("'{}' abstains, the others are merged", member.name)
                continue
            listener.note("merges '{}' with weight {}", member.name, weight)
            ranked = candidates.first(self.params.depth)
            # The sum of scores is a mixture of lists, each drawn by its own scores.
            scores, running = self._scores, self._totals
            if len(ranked) < self.params.depth:
                scores, running = scores[: len(ranked)], running[: len(ranked)]
            part = Candidates(ranked, scores, running=running)
            parts.append((part, weight * running[-1]))
        if not parts:
            return None
        merged = unheard_of(Mixture(parts), listener, self.params.unheard)
        if merged is None or self.params.draw == "score":
            return merged
        if self.params.draw == "first":
            return Candidates([merged.at(0)])
        return by_rank(merged.tracks) if self.params.draw == "rank" else Candidates(merged.tracks)
