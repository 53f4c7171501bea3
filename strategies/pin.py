"""Pin: an editor's track at one place of the session, else what a second strategy proposes."""

from pydantic import ConfigDict, Field

from core.candidates import Candidates
from core.catalog import UNKNOWN
from core.errors import SegueError
from core.listener import Listener
from strategies.base import Artifacts, CatalogTrack, Params, StrategyName
from strategies.registry import strategy


class PinParams(Params):
    """Settings of one `pin` strategy.

    Attributes:
        of: Name of the strategy that proposes at all other places.
        tracks: Ids of the pinned tracks, at least one; they are equally likely.
        at: Place in the session, from 1: the pinned tracks come after `at` - 1 listens.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"of": "popular", "tracks": [1000]},
                {"of": "contextual", "tracks": [1000, 1040], "at": 3},
            ]
        }
    )

    of: StrategyName
    tracks: tuple[CatalogTrack, ...] = Field(min_length=1)
    at: int = Field(1, ge=1)


@strategy("pin", PinParams)
class Pin:
    """Propose the pinned tracks at their place in the session, and else what `of` does.

    Pinned tracks that this session has heard are left out. Places are counted in the listens that
    the server keeps (`state.history`).

    Reads: the session's listens; the strategy `of`.
    Abstains: `of` abstains at a place without a pinned track.
    Chance: uniform over the pinned tracks; else as `of` has it.
    Cost: that of `of`.
    """

    def __init__(self, params: PinParams, artifacts: Artifacts) -> None:
        found = [artifacts.catalog.index_of(track) for track in params.tracks]
        if UNKNOWN in found:
            missing = params.tracks[found.index(UNKNOWN)]
            raise SegueError(f"tracks: {missing!r} is not in the catalog. Name one that is")
        self.params = params
        self._of = artifacts.strategies[params.of]
        self._pinned = Candidates(list(dict.fromkeys(found)))
        self.always_answers = self._of.always_answers

    def propose(self, listener: Listener) -> Candidates | None:
        place = len(listener.packed) - listener.session_start + 1
        if place == self.params.at:
            left = self._pinned.without(listener.heard_in_session)
            if left is not None:
                listener.note("place {} of the session is pinned", place)
                return left
        listener.note("place {} of the session: '{}'", place, self._of.name)
        return self._of.propose(listener)
