"""Intersection: the tracks that two strategies both propose."""

from typing import Self

from pydantic import Field, model_validator

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts, Params, StrategyName
from strategies.registry import strategy


class IntersectionParams(Params):
    """Settings of one `intersection` strategy.

    Attributes:
        first: Name of the strategy whose tracks, order and chances are kept.
        second: Name of the strategy that must propose them too; must differ from `first`.
        at_least: How many tracks both must propose, a count, at least 1.
    """

    first: StrategyName
    second: StrategyName
    at_least: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _different(self) -> Self:
        if self.first == self.second:
            raise ValueError(f"first and second must differ, both are '{self.first}'")
        return self


@strategy("intersection", IntersectionParams)
class Intersection:
    """Propose the tracks of `first` that `second` proposes too.

    Reads: what its two strategies read.
    Abstains: one of the two abstains, or they share fewer than `at_least` tracks.
    Chance: as `first` has them, among the tracks left; the chances of `second` do not count.
    Cost: that of the two, and O(tracks they propose).
    """

    def __init__(self, params: IntersectionParams, artifacts: Artifacts) -> None:
        self.params = params
        self._first = artifacts.strategies[params.first]
        self._second = artifacts.strategies[params.second]

    def propose(self, listener: Listener) -> Candidates | None:
        first = self._first.propose_unmarked(listener)
        second = None if first is None else self._second.propose_unmarked(listener)
        if first is None or second is None:
            listener.note(
                "'{}' abstains", self.params.first if first is None else self.params.second
            )
            return None
        # Neither of the two answers alone, so neither is named as the source.
        both = first.intersection(second)
        found = 0 if both is None else len(both)
        if both is None or found < self.params.at_least:
            listener.note("both propose {} tracks < {}", found, self.params.at_least)
            return None
        listener.note("both propose {} tracks >= {}", found, self.params.at_least)
        return both.without_source()
