"""Turns on their way to Redis: one write to each shard, and a second try where that helps."""

import asyncio
import logging
import zlib
from collections.abc import Sequence
from time import monotonic

from core.catalog import UNKNOWN
from core.errors import StateUnavailable
from core.listener import pack
from core.request import ListenReport
from engine.shared_state.groups import Unheeded
from engine.shared_state.record_format import make_record, moved_listens, read_head, read_tag
from engine.shared_state.shard import Shard
from engine.shared_state.store import FINAL, HEARD, KNOWN, SharedStore
from engine.shared_turns.tickets import Ticket
from engine.shared_turns.turn_group import Settler, TurnGroup

LOG = logging.getLogger("segue")
TRIES = 3
"""Most times that a turn is sent: the script may be unknown, the record elsewhere or older."""
_NOT_MASTER = ("READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "NOPERM", "WRONGPASS", "CLUSTERDOWN")
"""Errors of a Redis that takes no turn at all."""


class TurnSender:
    """The sender of turns.

    Args:
        store: The listeners' records.
        settler: Takes the turns when they come back, or when they cannot be sent.
    """

    def __init__(self, store: SharedStore, settler: Settler) -> None:
        self._store = store
        self._settler = settler
        self._said_s = 0.0
        self._translating: set[asyncio.Task[None]] = set()

    def send(
        self,
        tickets: Sequence[Ticket],
        to: Shard | None = None,
        whole: bool = False,
        asking: bool = False,
    ) -> None:
        """Send turns to their shards, one write each; decide without state where none is there.

        Args:
            tickets: The turns.
            to: The shard; None to find it by the record's key.
            whole: Whether Redis does not know the script.
            asking: Whether the key is on its way to that shard.
        """
        without: list[Ticket] = []
        by_shard: dict[Shard, list[Ticket]] = {}
        for ticket in tickets:
            shard = to or self._store.shard_of(ticket.keys[0])
            if shard is None or shard.problem is not None:
                without.append(ticket)
            else:
                by_shard.setdefault(shard, []).append(ticket)
        for shard, group in by_shard.items():
            assert shard.link is not None
            deadline_ms = self._store.deadline_ms(shard.link)
            commands = [self._command(ticket, deadline_ms, whole) for ticket in group]
            if asking:
                commands = [b"*1\r\n$6\r\nASKING\r\n" + command for command in commands]
            sent = TurnGroup(self._settler, shard, group, self._store.timeout_s, asking)
            shard.send(sent, b"".join(commands))
        if without:
            self._settler.decide_without_state(without)

    def _command(self, ticket: Ticket, deadline_ms: int, whole: bool) -> bytes:
        sent = ticket.arrival.sent
        ticket.tries += 1
        flags = word = 0
        if sent.track is not None and sent.time is not None:
            track = ticket.runtime.catalog.index_of(sent.track)
            word = pack(track, sent.time)
            flags = HEARD if track == UNKNOWN else HEARD | KNOWN
        if isinstance(sent, ListenReport) and sent.final:
            flags |= FINAL
        return self._store.turn(
            ticket.keys, deadline_ms, ticket.at_ms, ticket.limits, flags, word, ticket.id,
            ticket.lineages, ticket.digest, whole,
        )  # fmt: skip

    def send_after_error(self, ticket: Ticket, said: str, shard: Shard) -> bool:
        """Send a turn again that Redis refused; return False if that does not help."""
        kind = said.partition(" ")[0]
        if ticket.tries < TRIES:
            if kind == "NOSCRIPT":
                self.send([ticket], shard, whole=True)
                return True
            if kind in ("MOVED", "ASK") and (there := self._store.moved(said)) is not None:
                self.send([ticket], there, asking=kind == "ASK")
                return True
        if kind in _NOT_MASTER:
            shard.drop(said)
        else:
            self.say(shard, said)
        return False

    def send_translated(self, ticket: Ticket, record: bytes, shard: Shard) -> bool:
        """Send a turn again with its record in the present catalog's indices.

        Args:
            ticket: The turn.
            record: The listener's record, which has the indices of an earlier catalog.
            shard: Its shard.

        Returns:
            False if the turn was sent too often already.
        """
        if ticket.tries >= TRIES:
            return False
        task = asyncio.get_running_loop().create_task(self._translate(ticket, record, shard))
        self._translating.add(task)
        task.add_done_callback(self._translating.discard)
        return True

    async def _translate(self, ticket: Ticket, record: bytes, shard: Shard) -> None:
        """Put a record with the present catalog's indices in place of an older one; send again."""
        try:
            async with asyncio.timeout(self._store.timeout_s):
                ids = await self._store.ids_of(read_tag(record))
        except (StateUnavailable, TimeoutError, ValueError, zlib.error) as error:
            self.say(shard, f"an earlier catalog cannot be read: {error}")
            self._settler.decide_without_state([ticket])
            return
        head, _ = read_head(record)
        listens = moved_listens(record, ticket.runtime.catalog, ids)
        swap = self._store.swap(
            ticket.keys[:1], record, make_record(head, ticket.limits.tag, listens)
        )
        shard.send(Unheeded(1), swap)
        self.send([ticket])

    def say(self, shard: Shard, problem: str) -> None:
        """Log a problem of single turns, at most once a second."""
        now_s = monotonic()
        if now_s - self._said_s >= 1:
            self._said_s = now_s
            LOG.error(
                "redis %s: %s; turns of such listeners are decided without state",
                shard.name, problem,
            )  # fmt: skip
