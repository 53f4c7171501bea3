"""The ids of this process's lines, which have no gap though turns end in any order."""

import heapq

from engine.shared_turns.tickets import Ticket


class LineIds:
    """A count of lines, and the numbers below it that are free again.

    Args:
        stem: First part of each id.

    Attributes:
        gaps: The numbers that are free again, as a heap.
    """

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self._next = 1
        self.gaps: list[int] = []

    def take_number(self) -> int:
        """Take the number of the next line: one that is free again, or a new one."""
        if self.gaps:
            return heapq.heappop(self.gaps)
        self._next += 1
        return self._next - 1

    def take(self, ticket: Ticket) -> None:
        """Give a turn the next id."""
        number = ticket.number = self.take_number()
        ticket.id = f"{self._stem}-{number:x}"

    def take_id(self) -> str:
        """Take the next id, for a line that is no turn's."""
        return f"{self._stem}-{self.take_number():x}"

    def give_id_back(self, line_id: str) -> None:
        """Let the next line use an id whose line is not on file."""
        heapq.heappush(self.gaps, int(line_id.rpartition("-")[2], 16))

    def free(self, ticket: Ticket) -> None:
        """Let a later turn use the id of a turn without a line."""
        if ticket.number == self._next - 1:
            self._next -= 1
        elif ticket.number:
            heapq.heappush(self.gaps, ticket.number)
        ticket.number = 0

    def close_gap(self, ticket: Ticket) -> None:
        """Give a turn the lowest free id, if its own is higher; Redis must not know its own.

        Call it only where there are gaps.
        """
        if self.gaps[0] < ticket.number:
            number = heapq.heappop(self.gaps)
            self.free(ticket)
            ticket.number, ticket.id = number, f"{self._stem}-{number:x}"
