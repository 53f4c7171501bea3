"""Contextual with memory: the list of the last liked track, and nothing twice."""

import math
from typing import Literal

from pydantic import Field

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts, ListParams, StrategyName, TrackLists, from_list, unheard_of
from strategies.registry import strategy


class ContextualWithMemoryParams(ListParams):
    """Settings of one `contextual_with_memory` strategy.

    Attributes:
        list: Name of the lists, keyed by track, to play from.
        liked: Share heard above which, and not from which, a track is liked, in [0, 1].
        memory: Where the liked track may lie: in this `session`, or in all known `history`.
        unheard: Always `history`: no track comes that the listener is known to have heard.
        popular: Name of the strategy to play from when no track was liked, the liked one has no
            list, or all of its list was heard; heard tracks are left out here too. Without
            `popular`, these cases abstain, and the `fallback` that answers may repeat.
    """

    list: TrackLists
    liked: float = Field(0.9, ge=0, le=1)
    memory: Literal["session", "history"] = "history"
    unheard: Literal["history"] = "history"
    popular: StrategyName | None = None


@strategy("contextual_with_memory", ContextualWithMemoryParams)
class ContextualWithMemory:
    """Propose the list of the last liked track, without anything the listener heard.

    Reads: all known listens; the lists; the strategy `popular`.
    Abstains: no liked track, or no unheard track on its list, and `popular` has none either.
    Chance: as `draw` says, uniform by default.
    Cost: O(listens + list).
    """

    def __init__(self, params: ContextualWithMemoryParams, artifacts: Artifacts) -> None:
        self.params = params
        self._lists = artifacts.lists[params.list]
        self._popular = artifacts.strategies[params.popular] if params.popular else None
        # A time is a multiple of 1e-9, so the next float is the least time above the threshold.
        self._at_least = math.nextafter(params.liked, 2)

    def propose(self, listener: Listener) -> Candidates | None:
        found = self._after_liked(listener)
        if found is not None or self._popular is None:
            return found
        listener.note("so '{}', without heard tracks", self.params.popular)
        popular = self._popular.propose(listener)
        return None if popular is None else unheard_of(popular, listener, "history")

    def _after_liked(self, listener: Listener) -> Candidates | None:
        liked = listener.last_listen(self._at_least, in_session=self.params.memory == "session")
        if liked is None:
            listener.note("no track was liked (time > {}) yet", self.params.liked)
            return None
        candidates = self._lists.of_track(liked.track)
        if candidates is None:
            listener.note("the last liked track (time {}) has no list", liked.time)
            return None
        listener.note(
            "the list of the last liked track (time {} > {}), unheard tracks only",
            liked.time,
            self.params.liked,
        )
        return from_list(candidates, listener, self.params)
