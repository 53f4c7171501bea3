"""Contextual and popular: away from a skipped track, near one that was heard."""

from typing import Self

from pydantic import Field, model_validator

from core.candidates import Candidates
from core.catalog import UNKNOWN
from core.listener import Listener
from strategies.base import Artifacts, ListParams, StrategyName, TrackLists, from_list, unheard_of
from strategies.registry import strategy


class ContextualAndPopularParams(ListParams):
    """Settings of one `contextual_and_popular` strategy; `draw` applies to the list alone.

    Attributes:
        list: Name of the lists, keyed by track: what is near the previous track.
        popular: Name of the strategy to play from when the previous track was not liked.
        skipped: Share heard below which the previous track was skipped, in [0, 1]: `popular`
            without the previous track's list.
        disliked: Share heard below which it was disliked, in [0, 1], not below `skipped`:
            `popular` as it is.
    """

    list: TrackLists
    popular: StrategyName
    skipped: float = Field(0.1, ge=0, le=1)
    disliked: float = Field(0.3, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.skipped > self.disliked:
            raise ValueError(
                "skipped must not be above disliked, "
                f"got skipped {self.skipped} and disliked {self.disliked}"
            )
        return self


@strategy("contextual_and_popular", ContextualAndPopularParams)
class ContextualAndPopular:
    """Propose popular tracks after one that was not liked, else the previous track's list.

    A list of neighbours also says what to avoid: after a skip, it proposes `popular` without the
    previous track's list ("anti-recommendations").

    Reads: the last listen of the session; the lists; the strategy `popular`.
    Abstains: no previous track, an unknown one, none with a list after a track that was heard, or
        nothing left.
    Chance: as `draw` says for the list, and as `popular` has it for its tracks.
    Cost: O(1) for the list, O(list + popular) after a skip.
    """

    def __init__(self, params: ContextualAndPopularParams, artifacts: Artifacts) -> None:
        self.params = params
        self._lists = artifacts.lists[params.list]
        self._popular = artifacts.strategies[params.popular]

    def propose(self, listener: Listener) -> Candidates | None:
        last, params = listener.last, self.params
        if last is None or last.track == UNKNOWN:
            listener.note("no previous track" if last is None else "the previous track is unknown")
            return None
        near = self._lists.of_track(last.track)
        if last.time < params.skipped:
            listener.note("previous track skipped (time {} < {})", last.time, params.skipped)
            return self._from_popular(listener, near)
        if last.time < params.disliked:
            listener.note("previous track disliked (time {} < {})", last.time, params.disliked)
            return self._from_popular(listener, None)
        listener.note("previous track heard (time {} >= {})", last.time, params.disliked)
        if near is None:
            listener.note("the previous track has no list")
        return from_list(near, listener, params)

    def _from_popular(self, listener: Listener, near: Candidates | None) -> Candidates | None:
        popular = self._popular.propose(listener)
        if popular is not None and near is not None:
            listener.note("without the previous track's list")
            popular = popular.without(set(near.listed()))
        if popular is None:
            listener.note("which leaves nothing to propose")
            return None
        return unheard_of(popular, listener, self.params.unheard)
