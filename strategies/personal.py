"""Personal: the listener's own list, made in advance by any model."""

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts, ListParams, UserLists, from_list
from strategies.registry import strategy


class PersonalParams(ListParams):
    """Settings of one `personal` strategy.

    Attributes:
        list: Name of the lists, keyed by user, to play from.
    """

    list: UserLists


@strategy("personal", PersonalParams)
class Personal:
    """Propose the listener's own list.

    Reads: the lists; what was heard, if `unheard` asks for it. It needs no previous track.
    Abstains: the listener has no list, or all of it was heard and `unheard` leaves that out.
    Chance: as `draw` says, uniform by default.
    Cost: O(1) without `unheard`.
    """

    def __init__(self, params: PersonalParams, artifacts: Artifacts) -> None:
        self.params = params
        self._lists = artifacts.lists[params.list]

    def propose(self, listener: Listener) -> Candidates | None:
        candidates = self._lists.of_user(listener.id)
        if candidates is None:
            listener.note("the listener has no list in '{}'", self.params.list)
            return None
        listener.note("the listener's own list in '{}'", self.params.list)
        return from_list(candidates, listener, self.params)
