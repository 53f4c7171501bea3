"""The order of a listener's turns: at most one is under way in this process."""

from collections.abc import Sequence

from engine.arrivals import Arrival
from engine.shared_turns.tickets import Give, Ticket


class TurnOrder:
    """The listeners with a turn under way, and the turns that wait for them."""

    def __init__(self) -> None:
        self._under_way: dict[str, list[Ticket] | None] = {}
        self._ready: list[Ticket] = []

    def admit(self, arrivals: Sequence[Arrival], give: Give) -> list[Ticket]:
        """Give the tickets of the turns that may begin now; the rest wait for their listener."""
        begin = []
        for place, arrival in enumerate(arrivals):
            user = str(arrival.sent.user)
            ticket = Ticket(arrival, place, give, user)
            if user not in self._under_way:
                self._under_way[user] = None
                begin.append(ticket)
                continue
            waiting = self._under_way[user]
            if waiting is None:
                waiting = self._under_way[user] = []
            waiting.append(ticket)
        return begin

    def end(self, ticket: Ticket) -> None:
        """End a turn; the listener's next one is ready."""
        waiting = self._under_way.pop(ticket.user)
        if waiting:
            self._ready.append(waiting.pop(0))
            self._under_way[ticket.user] = waiting or None

    def take_ready(self) -> list[Ticket]:
        """Take the turns that waited and may begin now."""
        if not self._ready:
            return []
        ready, self._ready = self._ready, []
        return ready
