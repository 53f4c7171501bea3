"""The turns of one write to a shard, and the time by which its replies must be there."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from engine.shared_state.shard import Shard
from engine.shared_turns.tickets import Ticket


class Settler(Protocol):
    """The taker of turns that come back from Redis, or that do not."""

    def settle(self, tickets: Sequence[Ticket], replies: Sequence[Any], shard: Shard) -> None:
        """Decide the turns that Redis has taken, append their lines, and answer them."""

    def decide_without_state(self, tickets: Sequence[Ticket]) -> None:
        """Decide turns from what the requests carry, append their lines, and answer them."""

    def take_back_late(
        self, tickets: Sequence[Ticket], replies: Sequence[Any], shard: Shard
    ) -> None:
        """Take back turns that Redis took after they had been decided without state."""


class TurnGroup:
    """The turns of one write to a shard.

    Args:
        settler: Takes the turns.
        shard: The shard.
        tickets: The turns, in their order.
        timeout_s: Time after which they are decided without state.
        asking: Whether each turn follows an ASKING.
    """

    def __init__(
        self,
        settler: Settler,
        shard: Shard,
        tickets: list[Ticket],
        timeout_s: float,
        asking: bool = False,
    ) -> None:
        self.size = 2 * len(tickets) if asking else len(tickets)
        self._settler = settler
        self._shard = shard
        self._tickets = tickets
        self._expired = False
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._expire)

    def arrived(self, replies: Sequence[Any]) -> None:
        """Decide the turns; if they were decided without state already, take them back."""
        if self.size > len(self._tickets):  # each turn follows an ASKING
            replies = replies[1::2]
        if self._expired:
            self._settler.take_back_late(self._tickets, replies, self._shard)
            return
        self._timer.cancel()
        self._shard.in_time()
        self._settler.settle(self._tickets, replies, self._shard)

    def lost(self) -> None:
        """Decide the turns without state."""
        if not self._expired:
            self._expired = True
            self._timer.cancel()
            self._settler.decide_without_state(self._tickets)

    def _expire(self) -> None:
        self._expired = True
        self._shard.late()
        self._settler.decide_without_state(self._tickets)
