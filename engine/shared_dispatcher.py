"""The server's turns with listeners' state on Redis: requests -> records -> decisions -> answers.

A batch of turns is one write to Redis and one read: the script takes each turn there, and gives the
history back. Then the batch is decided, its lines are appended with one write, and it is answered.
A turn that Redis has taken and that gets no line is taken back, if nothing came after it. Where
Redis is slow or away, the batch is decided from the requests alone: `degraded`.

Of one listener at most one turn is under way in this process; the next one waits for it.
The parts are in `engine.shared_turns`.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any

from core.catalog import TrackId
from core.decision import Decision, LoggedTurn
from core.errors import ReusedKey
from core.listener import History
from engine.arrivals import Arrival, KeptAnswer, Outcome
from engine.base_dispatcher import BaseDispatcher, EventSink, repeated_end
from engine.metrics import ServerMetrics
from engine.preparation import Expected, asks, prepare, preparer_of
from engine.runtime import Runtime
from engine.shared_state.keys import answer_key, record_key
from engine.shared_state.record_format import (
    TakenTurn,
    has_lineage,
    history_of,
    moved_listens,
    read_head,
    read_tag,
    read_taken,
)
from engine.shared_state.shard import Shard
from engine.shared_state.store import SharedStore, limits_of
from engine.shared_state.wire import ErrorReply
from engine.shared_turns.decisions import decide_fresh, decide_taken
from engine.shared_turns.line_ids import LineIds
from engine.shared_turns.listener_parts import ListenerParts
from engine.shared_turns.outbox import Outbox
from engine.shared_turns.tickets import DIGEST, Give, Staged, Ticket
from engine.shared_turns.turn_order import TurnOrder
from engine.shared_turns.turn_sender import TurnSender

LOG = logging.getLogger("segue")


class SharedDispatcher(BaseDispatcher):
    """The taker of turns over records on Redis; give it to one event loop.

    Args:
        runtime: The runtime that decides, until `serve` replaces it.
        store: The listeners' records.
        log: The event log.
        metrics: The counters.
        now_ms: Unix time in ms.
        id_stem: First part of decision ids; see `BaseDispatcher`.
    """

    def __init__(
        self,
        runtime: Runtime,
        store: SharedStore,
        log: EventSink,
        metrics: ServerMetrics,
        now_ms: Callable[[], int],
        id_stem: str | None = None,
    ) -> None:
        self.store = store
        super().__init__(runtime, log, metrics, now_ms, id_stem)
        self._ids = LineIds(self._id_stem)
        self._order = TurnOrder()
        self._sender = TurnSender(store, self)
        self._outbox = Outbox(store)
        self._going_on = False

    def serve(self, runtime: Runtime) -> None:
        """Decide by this runtime from the next batch on."""
        super().serve(runtime)
        self._limits = limits_of(runtime)
        self._parts = ListenerParts(runtime, self.store.prefix, self._assigned)
        self.store.serve(runtime.catalog)

    def send(self, arrivals: Sequence[Arrival], give: Give) -> None:
        """Take a batch of turns; each gets its outcome soon, or at once if Redis is away.

        Args:
            arrivals: In their order of arrival; a listener may come more than once.
            give: Called once for each arrival.
        """
        self._begin(self._order.admit(arrivals, give))

    async def forget(self, user: TrackId) -> bool:
        """Delete a listener's history, and log that; return whether there was one.

        Raises:
            StateUnavailable: Redis is away; nothing has changed.
            EventLogError: The history is deleted, but the line is not on file.
        """
        key = record_key(self.store.prefix, str(user))
        if not await self.store.ask(key, b"DEL", key):
            return False
        self._log_forgotten(user)
        return True

    async def history_of(self, user: TrackId) -> History:
        """Read a listener's history; an empty one if Redis knows none.

        Raises:
            StateUnavailable: Redis is away.
        """
        catalog = self.runtime.catalog
        key = record_key(self.store.prefix, str(user))
        record = await self.store.ask(key, b"GET", key)
        if not record:
            return History(catalog)
        head, size = read_head(record)
        listens = record[size:]
        if read_tag(record) != self._limits.tag:
            listens = moved_listens(record, catalog, await self.store.ids_of(read_tag(record)))
        return history_of(head, listens, catalog)

    # Out

    def _begin(self, tickets: Iterable[Ticket]) -> None:
        """Prepare turns and send them; a turn that cannot be prepared gets its error."""
        at_ms = self._now_ms()
        prepared = []
        for ticket in tickets:
            try:
                self._prepare(ticket, at_ms)
            except Exception as error:
                self._give(ticket, error)
                continue
            prepared.append(ticket)
        self._sender.send(prepared)
        self._go_on()

    def _prepare(self, ticket: Ticket, at_ms: int) -> None:
        arrival = ticket.arrival
        key, ticket.assignment, ticket.lineages = self._parts.of(arrival, ticket.user)
        ticket.runtime = self.runtime
        ticket.limits = self._limits
        ticket.at_ms = at_ms
        if arrival.key is None or arrival.retry is None:
            ticket.keys = (key,)
        else:
            route, ticket.digest = arrival.retry
            ticket.keys = (key, answer_key(key, route, arrival.key))
        self._ids.take(ticket)

    # Back

    def settle(self, tickets: Sequence[Ticket], replies: Sequence[Any], shard: Shard) -> None:
        """Decide the turns that Redis has taken, append their lines, and answer them."""
        try:
            staged: list[Staged] = []
            without: list[Ticket] = []
            if self.runtime.prepares and len(tickets) > 1:
                prepare(self.runtime, self._expected(tickets, replies))
            began_s = perf_counter()
            for ticket, reply in zip(tickets, replies, strict=True):
                each = self._read(ticket, reply, shard, without)
                if each is not None:
                    staged.append(each)
                    ended_s = perf_counter()
                    if isinstance(each.turn, Decision):
                        each.turn.took_us = int((ended_s - began_s) * 1e7) / 10
                    began_s = ended_s
                else:
                    began_s = perf_counter()
            self._finish(staged, shard)
            if without:
                self.decide_without_state(without)
        except Exception as error:
            LOG.exception("a batch of turns failed")
            for ticket in tickets:
                self._give(ticket, error)
        self._go_on()

    def _expected(self, tickets: Sequence[Ticket], replies: Sequence[Any]) -> Iterator[Expected]:
        """Give the turns that Redis has taken, and that this runtime decides."""
        for ticket, reply in zip(tickets, replies, strict=True):
            is_taken = isinstance(reply, bytes) and reply[:1] == b"T"
            is_ours = is_taken and asks(ticket.arrival.sent) and ticket.runtime is self.runtime
            if is_ours and preparer_of(self.runtime, ticket.assignment) is not None:
                history = read_taken(reply).history(self.runtime.catalog)
                yield ticket.user, history, ticket.assignment

    def _read(
        self, ticket: Ticket, reply: Any, shard: Shard, without: list[Ticket]
    ) -> Staged | None:
        """Decide one turn by its reply; None if it has no line, or not yet."""
        if isinstance(reply, ErrorReply):
            if not self._sender.send_after_error(ticket, str(reply), shard):
                without.append(ticket)
            return None
        letter = reply[:1]
        if letter == b"T":
            return self._decide(ticket, read_taken(reply), shard)
        if letter == b"K":
            return self._remake(ticket, reply, shard, without)
        if letter == b"E":
            self._ids.free(ticket)
            known = History(ticket.runtime.catalog)
            self._give(ticket, repeated_end(known, ticket.arrival.sent, ticket.runtime.digest))
        elif letter != b"M" or not self._sender.send_translated(ticket, reply[1:], shard):
            if letter == b"L" and shard.link is not None:
                shard.link.set_clock(int.from_bytes(reply[1:], "little"))
            elif letter == b"V":
                self._sender.say(shard, "a record is of a version that we do not know")
            without.append(ticket)
        return None

    def _decide(self, ticket: Ticket, taken: TakenTurn, shard: Shard) -> Staged | None:
        """Decide a turn that Redis has taken; on an error, take it back and give the error."""
        # Redis knows the id of a turn that began a session, or that has an idempotency key.
        if self._ids.gaps and ticket.digest is None and taken.head.session != ticket.id:
            self._ids.close_gap(ticket)
        try:
            staged = decide_taken(ticket, taken, self._watch)
        except Exception as error:
            self._outbox.undo(ticket, taken, shard)
            self._ids.free(ticket)
            self._give(ticket, error)
            return None
        if staged.failure is not None:
            self._outbox.undo(ticket, taken, shard)
        return staged

    def _remake(
        self, ticket: Ticket, reply: bytes, shard: Shard, without: list[Ticket]
    ) -> Staged | None:
        """Give the answer of an earlier request with the key, or make its decision again.

        A process that died after Redis took the turn left a claim, and maybe a line. The decision
        comes out the same under the same id, so a second line is a repetition that readers know.
        """
        self._ids.free(ticket)
        digest, content = reply[2 : 2 + DIGEST], reply[2 + DIGEST :]
        if digest != ticket.digest:
            self._give(ticket, ReusedKey("the key came with a different body before"))
            return None
        if reply[1:2] == b"A":
            self._give(ticket, KeptAnswer(content))
            return None
        taken = read_taken(content[1 + content[0] :])
        ticket.id = content[1 : 1 + content[0]].decode()
        ticket.at_ms = taken.head.seen_ms
        if read_tag(taken.record) != ticket.limits.tag:
            without.append(ticket)
            return None
        return self._decide(ticket, taken, shard)

    # Without state

    def decide_without_state(self, tickets: Sequence[Ticket]) -> None:
        """Decide turns from what the requests carry, append their lines, and answer them."""
        staged = []
        for ticket in tickets:
            try:
                staged.append(decide_fresh(ticket, self._watch))
            except Exception as error:
                self._ids.free(ticket)
                self._give(ticket, error)
        self._finish(staged, None)
        self._go_on()

    def take_back_late(
        self, tickets: Sequence[Ticket], replies: Sequence[Any], shard: Shard
    ) -> None:
        """Take back turns that Redis took after they had been decided without state."""
        for ticket, reply in zip(tickets, replies, strict=True):
            if isinstance(reply, bytes) and reply[:1] == b"T":
                self._outbox.undo(ticket, read_taken(reply), shard)
                self._outbox.keep_answer_again(ticket, shard)
        self._outbox.flush()

    # Both

    def _finish(self, staged: Sequence[Staged], shard: Shard | None) -> None:
        """Append the lines of decided turns with one write, count them, and answer them."""
        if not staged:
            return
        now_s = perf_counter()
        for each in staged:
            each.turn.latency_s = now_s - each.ticket.arrival.arrived_s
        error = self._append([each.turn for each in staged])
        written = len(staged) if error is None else error.written
        for each in reversed(staged[written:]):
            if each.taken is not None and shard is not None:
                self._outbox.undo(each.ticket, each.taken, shard)
            self._ids.free(each.ticket)
        for place, each in enumerate(staged):
            if place >= written:
                assert error is not None
                self._give(each.ticket, error)
                continue
            self._count(each.turn)
            if each.taken is not None:
                self._count_entries(each.ticket, each.taken)
            self._give(each.ticket, each.outcome())

    def _count(self, turn: LoggedTurn) -> None:
        """Count a turn whose line is on file."""
        super()._count(turn)
        if turn.degraded:
            self.metrics.count_degraded(turn)

    def _count_entries(self, ticket: Ticket, taken: TakenTurn) -> None:
        """Count the listener in the arms that the turn exposed them to."""
        # Most turns: the old head ends in the same lineages, and turns did not begin again.
        lineages = taken.head.lineages
        if not ticket.lineages or (
            taken.head.turn > 1
            and len(taken.old_head_bytes) == len(taken.record) - len(taken.listens)
            and taken.old_head_bytes.endswith(lineages)
        ):  # fmt: skip
            return
        before = b"" if taken.was_reset else taken.old_head.lineages
        fingerprints = ticket.runtime.fingerprints
        for name, arm in ticket.assignment.arms.items():
            if not has_lineage(before, fingerprints[name]):
                self.metrics.count_entry(fingerprints[name], arm)

    def _take_id(self) -> str:
        """Take the next id of a line."""
        return self._ids.take_id()

    def _give_id_back(self, decision_id: str) -> None:
        """Let the next line use an id whose line is not on file."""
        self._ids.give_id_back(decision_id)

    def _give(self, ticket: Ticket, outcome: Outcome) -> None:
        """Give a turn its outcome; the listener's next turn may begin."""
        if ticket.given:
            return
        ticket.given = True
        try:
            answer = ticket.give(ticket.place, outcome)
        except Exception:
            LOG.exception("an answer could not be given")
        else:
            if answer is not None:
                self._outbox.keep_answer(ticket, answer)
        self._order.end(ticket)

    def _go_on(self) -> None:
        """Write what waits for Redis, then begin the turns that waited for their listener."""
        self._outbox.flush()
        if self._going_on:
            return
        self._going_on = True
        try:
            while ready := self._order.take_ready():
                self._begin(ready)
        finally:
            self._going_on = False
