"""Contextual: the list of the previous track."""

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts, ListParams, TrackLists, from_list
from strategies.registry import strategy


class ContextualParams(ListParams):
    """Settings of one `contextual` strategy.

    Attributes:
        list: Name of the lists, keyed by track, to play from.
    """

    list: TrackLists


@strategy("contextual", ContextualParams)
class Contextual:
    """Propose the list of the previous track.

    Reads: the last listen of the session; the lists.
    Abstains: no previous track, an unknown one, or one without a list.
    Chance: as `draw` says, uniform by default.
    Cost: O(1) without `unheard`.
    """

    def __init__(self, params: ContextualParams, artifacts: Artifacts) -> None:
        self.params = params
        self._lists = artifacts.lists[params.list]

    def propose(self, listener: Listener) -> Candidates | None:
        last = listener.last
        if last is None:
            listener.note("no previous track")
            return None
        candidates = self._lists.of_track(last.track)
        if candidates is None:
            listener.note("the previous track has no list")
            return None
        listener.note("the list of the previous track (time {})", last.time)
        return from_list(candidates, listener, self.params)
