"""Best heard: stay near the track that the listener heard longest in this session."""

from pydantic import Field

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts, ListParams, TrackLists, Unheard, from_list
from strategies.registry import strategy


class BestHeardParams(ListParams):
    """Settings of one `best_heard` strategy.

    Attributes:
        list: Name of the lists, keyed by track, to play from.
        at_least: Share heard from which a track counts, in [0, 1].
        unheard: As for every list, but `session` by default: nothing twice in a session.
    """

    list: TrackLists
    at_least: float = Field(0.0, ge=0, le=1)
    unheard: Unheard = "session"


@strategy("best_heard", BestHeardParams)
class BestHeard:
    """Propose the list of the session's best-heard track, the latest of equals.

    Reads: the session's listens; the lists.
    Abstains: nothing heard yet in this session, no list for the best-heard track, or no unheard
        track left on it.
    Chance: as `draw` says, uniform by default.
    Cost: O(listens + list).
    """

    def __init__(self, params: BestHeardParams, artifacts: Artifacts) -> None:
        self.params = params
        self._lists = artifacts.lists[params.list]

    def propose(self, listener: Listener) -> Candidates | None:
        best = listener.best_listen(self.params.at_least, in_session=True)
        if best is None:
            listener.note("no known track heard in this session (time >= {})", self.params.at_least)
            return None
        candidates = self._lists.of_track(best.track)
        if candidates is None:
            listener.note("the session's best-heard track (time {}) has no list", best.time)
            return None
        listener.note("the list of the session's best-heard track (time {})", best.time)
        return from_list(candidates, listener, self.params)
