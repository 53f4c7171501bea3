"""The server's turns with listeners' state on Redis: requests -> records -> decisions -> answers.

A batch of turns is one write to Redis and one read: the script takes each turn there, and gives the
history back. Then the batch is decided, its lines are appended with one write, and it is answered.
A turn that Redis has taken and that gets no line is taken back, if nothing came after it. Where
Redis is slow or away, the batch is decided from the requests alone: `degraded`.

Of one listener at most one turn is under way in this process; the next one waits for it.
"""

import asyncio
import heapq
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic, perf_counter
from typing import Any, NamedTuple

from core.allocation import Allocation, Assignment
from core.catalog import UNKNOWN, Catalog, TrackId
from core.decision import Decision, FailedTurn, LoggedTurn
from core.errors import ReusedKey, StateUnavailable, StrategiesFailed
from core.listener import History, pack, unpack
from core.request import ListenReport
from engine.dispatcher import Arrival, BaseDispatcher, EventSink, KeptAnswer, Outcome, repeated_end
from engine.metrics import ServerMetrics
from engine.preparation import Expected, asks, prepare
from engine.runtime import Runtime
from engine.shared_state.groups import Unheeded
from engine.shared_state.keys import answer_key, record_key
from engine.shared_state.record_format import (
    TakenTurn,
    has_lineage,
    history_of,
    lineages_of,
    make_record,
    read_head,
    read_tag,
    read_taken,
)
from engine.shared_state.shard import Shard
from engine.shared_state.store import FINAL, HEARD, KNOWN, SharedStore, limits_of
from engine.shared_state.wire import ErrorReply
from engine.turn import answer_turn, take_turn

LOG = logging.getLogger("segue")
Give = Callable[[int, Outcome], bytes | None]
"""Takes an arrival's place in its batch, and its outcome; returns the answer that its key keeps."""
DIGEST = 16
"""Bytes of the digest of a body that came with an idempotency key."""
MOST_KNOWN = 50_000
"""Listeners whose arms are kept: computing them costs as much as the trip to Redis."""
TRIES = 3
"""Most times that a turn is sent: the script may be unknown, the record elsewhere or older."""
_NOT_MASTER = ("READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "NOPERM", "WRONGPASS", "CLUSTERDOWN")
"""Errors of a Redis that takes no turn at all."""


class _Known(NamedTuple):
    """A listener's part that depends on the id alone."""

    key: bytes
    assignment: Assignment
    lineages: bytes


class Ticket:
    """One turn under way.

    Attributes:
        arrival: The request.
        give: Takes the outcome.
        user: The listener's id.
        keys: Keys on Redis: the record's, and the answer's.
        digest: Of the body, with an idempotency key.
        runtime: The runtime that decides.
        assignment: The listener's arms.
        id: The turn's id.
        at_ms: Unix time in ms.
        tries: Number of times that it was sent.
        given: Whether it has its outcome.
        kept: The answer that its key gets, once it is written.
    """

    __slots__ = (
        "arrival",
        "assignment",
        "at_ms",
        "digest",
        "give",
        "given",
        "id",
        "kept",
        "keys",
        "lineages",
        "number",
        "place",
        "runtime",
        "tries",
        "user",
    )  # fmt: skip

    def __init__(self, arrival: Arrival, place: int, give: Give, user: str) -> None:
        self.arrival = arrival
        self.place = place
        self.give = give
        self.user = user
        self.tries = 0
        self.given = False
        self.kept: bytes | None = None
        self.digest: bytes | None = None
        self.number = 0
        self.id = ""
        self.at_ms = 0
        self.keys: tuple[bytes, ...] = ()
        self.runtime: Runtime
        self.assignment: Assignment
        self.lineages = b""


class _Group:
    """The turns of one write to a shard."""

    def __init__(
        self,
        dispatcher: "SharedDispatcher",
        shard: Shard,
        tickets: list[Ticket],
        asking: bool = False,
    ) -> None:
        self.size = 2 * len(tickets) if asking else len(tickets)
        self.tickets = tickets
        self.shard = shard
        self.expired = False
        self._dispatcher = dispatcher
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(dispatcher.store.timeout_s, self._expire)

    def arrived(self, replies: Sequence[Any]) -> None:
        """Decide the turns; if they were decided without state already, take them back."""
        if self.size > len(self.tickets):  # each turn follows an ASKING
            replies = replies[1::2]
        if self.expired:
            self._dispatcher.take_back_late(self.tickets, replies, self.shard)
            return
        self._timer.cancel()
        self.shard.in_time()
        self._dispatcher.settle(self.tickets, replies, self.shard)

    def lost(self) -> None:
        """Decide the turns without state."""
        if not self.expired:
            self.expired = True
            self._timer.cancel()
            self._dispatcher.decide_without_state(self.tickets)

    def _expire(self) -> None:
        self.expired = True
        self.shard.late()
        self._dispatcher.decide_without_state(self.tickets)


class _Staged(NamedTuple):
    """A turn that is decided and not on file yet.

    Attributes:
        ticket: Its ticket.
        turn: The turn.
        taken: The turn as Redis took it; None if it was decided without state.
        failure: The error that answers it, if no strategy did.
    """

    ticket: Ticket
    turn: LoggedTurn
    taken: TakenTurn | None
    failure: Exception | None


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
        self._under_way: dict[str, list[Ticket] | None] = {}
        self._ready: list[Ticket] = []
        self._going_on = False
        self._outbox: dict[Shard, list[bytes]] = {}
        self._free_ids: list[int] = []
        self._said_s = 0.0
        self._translating: set[asyncio.Task[None]] = set()

    def serve(self, runtime: Runtime) -> None:
        """Decide by this runtime from the next batch on."""
        super().serve(runtime)
        self._limits = limits_of(runtime)
        self._known: dict[str, _Known] = {}
        self._known_by: Allocation = runtime.allocation
        self.store.serve(runtime.catalog)

    def send(self, arrivals: Sequence[Arrival], give: Give) -> None:
        """Take a batch of turns; each gets its outcome soon, or at once if Redis is away.

        Args:
            arrivals: In their order of arrival; a listener may come more than once.
            give: Called once for each arrival.
        """
        ready = []
        for place, arrival in enumerate(arrivals):
            user = str(arrival.sent.user)
            ticket = Ticket(arrival, place, give, user)
            if user not in self._under_way:
                self._under_way[user] = None
                ready.append(ticket)
                continue
            waiting = self._under_way[user]
            if waiting is None:
                waiting = self._under_way[user] = []
            waiting.append(ticket)
        self._begin(ready)

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
            listens = _moved(record, catalog, await self.store.ids_of(read_tag(record)))
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
        self._send(prepared)
        self._go_on()

    def _prepare(self, ticket: Ticket, at_ms: int) -> None:
        arrival, user = ticket.arrival, ticket.user
        known = self._known.get(user)
        if known is None or arrival.forced is not None or arrival.sent.attributes is not None:
            known = self._known_of(arrival, user)
        ticket.runtime = self.runtime
        ticket.assignment = known.assignment
        ticket.lineages = known.lineages
        ticket.at_ms = at_ms
        if arrival.key is None or arrival.retry is None:
            ticket.keys = (known.key,)
        else:
            route, ticket.digest = arrival.retry
            ticket.keys = (known.key, answer_key(known.key, route, arrival.key))
        ticket.number = self._take_number()
        ticket.id = f"{self._id_stem}-{ticket.number:x}"

    def _known_of(self, arrival: Arrival, user: str) -> _Known:
        assignment = self._assigned(arrival)
        lineages = b""
        if assignment.arms and not assignment.left_out:
            fingerprints = self.runtime.fingerprints
            lineages = lineages_of(fingerprints[name] for name in assignment.arms)
        known = _Known(record_key(self.store.prefix, user), assignment, lineages)
        if arrival.forced is None and arrival.sent.attributes is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[user] = known
        return known

    def _send(
        self,
        tickets: list[Ticket],
        to: Shard | None = None,
        whole: bool = False,
        asking: bool = False,
    ) -> None:
        """Send turns to their shards, one write each; decide without state where none is there."""
        without: list[Ticket] = []
        by_shard: dict[Shard, list[Ticket]] = {}
        for ticket in tickets:
            shard = to or self.store.shard_of(ticket.keys[0])
            if shard is None or shard.problem is not None:
                without.append(ticket)
            else:
                by_shard.setdefault(shard, []).append(ticket)
        for shard, group in by_shard.items():
            assert shard.link is not None
            deadline_ms = self.store.deadline_ms(shard.link)
            commands = [self._command(ticket, deadline_ms, whole) for ticket in group]
            if asking:
                commands = [b"*1\r\n$6\r\nASKING\r\n" + command for command in commands]
            shard.send(_Group(self, shard, group, asking), b"".join(commands))
        if without:
            self.decide_without_state(without)

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
        return self.store.turn(
            ticket.keys, deadline_ms, ticket.at_ms, self._limits_of(ticket.runtime), flags, word,
            ticket.id, ticket.lineages, ticket.digest, whole,
        )  # fmt: skip

    def _limits_of(self, runtime: Runtime) -> Any:
        return self._limits if runtime is self.runtime else limits_of(runtime)

    # Back

    def settle(self, tickets: Sequence[Ticket], replies: Sequence[Any], shard: Shard) -> None:
        """Decide the turns that Redis has taken, append their lines, and answer them."""
        try:
            staged: list[_Staged] = []
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
            if is_taken and asks(ticket.arrival.sent) and ticket.runtime is self.runtime:
                history = read_taken(reply).history(self.runtime.catalog)
                yield ticket.user, history, ticket.assignment

    def _read(
        self, ticket: Ticket, reply: Any, shard: Shard, without: list[Ticket]
    ) -> _Staged | None:
        """Decide one turn by its reply; None if it has no line, or not yet."""
        if isinstance(reply, ErrorReply):
            self._on_error(ticket, str(reply), shard, without)
            return None
        letter = reply[:1]
        if letter == b"T":
            return self._decide(ticket, read_taken(reply), shard)
        if letter == b"K":
            return self._remake(ticket, reply, shard, without)
        if letter == b"E":
            self._free(ticket)
            known = History(ticket.runtime.catalog)
            self._give(ticket, repeated_end(known, ticket.arrival.sent, ticket.runtime.digest))
        elif letter == b"M" and ticket.tries < TRIES:
            task = asyncio.get_running_loop().create_task(self._translate(ticket, reply[1:], shard))
            self._translating.add(task)
            task.add_done_callback(self._translating.discard)
        else:
            if letter == b"L" and shard.link is not None:
                shard.link.set_clock(int.from_bytes(reply[1:], "little"))
            elif letter == b"V":
                self._say(f"redis {shard.name}: a record is of a version that we do not know")
            without.append(ticket)
        return None

    def _decide(self, ticket: Ticket, taken: TakenTurn, shard: Shard) -> _Staged | None:
        """Decide a turn that Redis has taken; on an error, take it back and give the error."""
        runtime, arrival = ticket.runtime, ticket.arrival
        if self._free_ids and ticket.digest is None and taken.head.session != ticket.id:
            self._close_gap(ticket)
        history = taken.history(runtime.catalog)
        if not history.session:  # a final report: the record has the session's end already
            history.session = self._ended_session(ticket, taken)
        try:
            turn = answer_turn(
                runtime, history, arrival.sent, ticket.assignment, ticket.id, ticket.at_ms,
                arrival.key, (), self._watch,
            )  # fmt: skip
        except StrategiesFailed as error:
            failed = self._failed_turn(
                runtime, ticket.id, arrival, ticket.at_ms, ticket.assignment, error
            )
            self._undo(ticket, taken, shard)
            return _Staged(ticket, failed, None, error)
        except Exception as error:
            self._undo(ticket, taken, shard)
            self._free(ticket)
            self._give(ticket, error)
            return None
        turn.reset = taken.was_reset
        return _Staged(ticket, turn, taken, None)

    def _ended_session(self, ticket: Ticket, taken: TakenTurn) -> str:
        """Give the session that a final report has ended."""
        old = taken.old_head
        silent = ticket.at_ms - old.seen_ms > self._limits_of(ticket.runtime).gap_ms
        return ticket.id if not old.session or silent or taken.was_reset else old.session

    def _remake(
        self, ticket: Ticket, reply: bytes, shard: Shard, without: list[Ticket]
    ) -> _Staged | None:
        """Give the answer of an earlier request with the key, or make its decision again.

        A process that died after Redis took the turn left a claim, and maybe a line. The decision
        comes out the same under the same id, so a second line is a repetition that readers know.
        """
        self._free(ticket)
        digest, content = reply[2 : 2 + DIGEST], reply[2 + DIGEST :]
        if digest != ticket.digest:
            self._give(ticket, ReusedKey("the key came with a different body before"))
            return None
        if reply[1:2] == b"A":
            self._give(ticket, KeptAnswer(content))
            return None
        taken = read_taken(content[1 + content[0] :])
        ticket.id = content[1 : 1 + content[0]].decode()
        ticket.number = 0
        ticket.at_ms = taken.head.seen_ms
        if read_tag(taken.record) != self._limits_of(ticket.runtime).tag:
            without.append(ticket)
            return None
        return self._decide(ticket, taken, shard)

    def _on_error(self, ticket: Ticket, said: str, shard: Shard, without: list[Ticket]) -> None:
        """Send a turn again where that helps; decide it without state where it does not."""
        kind = said.partition(" ")[0]
        if ticket.tries < TRIES:
            if kind == "NOSCRIPT":
                self._send([ticket], shard, whole=True)
                return
            if kind in ("MOVED", "ASK") and (there := self.store.moved(said)) is not None:
                self._send([ticket], there, asking=kind == "ASK")
                return
        if kind in _NOT_MASTER:
            shard.drop(said)
        else:
            self._say(f"redis {shard.name}: {said}")
        without.append(ticket)

    def _say(self, problem: str) -> None:
        """Log a problem of single turns, at most once a second."""
        now_s = monotonic()
        if now_s - self._said_s >= 1:
            self._said_s = now_s
            LOG.error("%s; turns of such listeners are decided without state", problem)

    async def _translate(self, ticket: Ticket, record: bytes, shard: Shard) -> None:
        """Put a record with the present catalog's indices in place of an older one; send again."""
        try:
            async with asyncio.timeout(self.store.timeout_s):
                ids = await self.store.ids_of(read_tag(record))
        except (StateUnavailable, TimeoutError, ValueError, zlib.error) as error:
            self._say(f"redis {shard.name}: an earlier catalog cannot be read: {error}")
            self.decide_without_state([ticket])
            return
        head, _ = read_head(record)
        moved = _moved(record, ticket.runtime.catalog, ids)
        tag = self._limits_of(ticket.runtime).tag
        swap = self.store.swap(ticket.keys[:1], record, make_record(head, tag, moved))
        shard.send(Unheeded(1), swap)
        self._send([ticket])

    # Without state

    def decide_without_state(self, tickets: Sequence[Ticket]) -> None:
        """Decide turns from what the requests carry, append their lines, and answer them."""
        staged = []
        for ticket in tickets:
            each = self._decide_fresh(ticket)
            if each is not None:
                staged.append(each)
        self._finish(staged, None)
        self._go_on()

    def _decide_fresh(self, ticket: Ticket) -> _Staged | None:
        runtime, arrival = ticket.runtime, ticket.arrival
        began_s = perf_counter()
        turn: LoggedTurn
        failure = None
        try:
            turn, _ = take_turn(
                runtime, History(runtime.catalog), arrival.sent, ticket.assignment, ticket.id,
                ticket.at_ms, arrival.key, (), self._watch,
            )  # fmt: skip
        except StrategiesFailed as error:
            failure = error
            turn = self._failed_turn(
                runtime, ticket.id, arrival, ticket.at_ms, ticket.assignment, error
            )
        except Exception as error:
            self._free(ticket)
            self._give(ticket, error)
            return None
        else:
            turn.degraded, turn.session, turn.number = True, "", 0
            if isinstance(turn, Decision):
                turn.took_us = int((perf_counter() - began_s) * 1e7) / 10
        return _Staged(ticket, turn, None, failure)

    def take_back_late(
        self, tickets: Sequence[Ticket], replies: Sequence[Any], shard: Shard
    ) -> None:
        """Take back turns that Redis took after they had been decided without state."""
        for ticket, reply in zip(tickets, replies, strict=True):
            if isinstance(reply, bytes) and reply[:1] == b"T":
                self._undo(ticket, read_taken(reply), shard)
                if ticket.kept is not None and ticket.digest is not None:
                    command = self.store.keep_answer(ticket.keys[1], ticket.digest, ticket.kept)
                    self._outbox.setdefault(shard, []).append(command)
        self._flush()

    # Both

    def _finish(self, staged: Sequence[_Staged], shard: Shard | None) -> None:
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
                self._undo(each.ticket, each.taken, shard)
            self._free(each.ticket)
        for place, each in enumerate(staged):
            if place >= written:
                assert error is not None
                self._give(each.ticket, error)
                continue
            self._count(each.turn)
            if each.taken is not None:
                self._count_entries(each.ticket, each.taken)
            self._give(each.ticket, _outcome(each))

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

    def _keep_answer(self, ticket: Ticket, body: bytes) -> None:
        """Keep the answer of a turn that has an idempotency key, for retries to any process."""
        ticket.kept = body
        shard = self.store.shard_of(ticket.keys[0])
        if ticket.digest is not None and shard is not None and shard.problem is None:
            command = self.store.keep_answer(ticket.keys[1], ticket.digest, body)
            self._outbox.setdefault(shard, []).append(command)

    def _undo(self, ticket: Ticket, taken: TakenTurn, shard: Shard) -> None:
        """Take a turn back on Redis, if nothing came after it."""
        heard = ticket.arrival.sent.track is not None and ticket.arrival.sent.time is not None
        command = self.store.swap(ticket.keys, taken.record, taken.record_before(heard))
        self._outbox.setdefault(shard, []).append(command)

    def _take_number(self) -> int:
        """Take the number of the next line: one that is free again, or a new one."""
        if self._free_ids:
            return heapq.heappop(self._free_ids)
        self._next_id += 1
        return self._next_id - 1

    def _take_id(self) -> str:
        """Take the next id of a line."""
        return f"{self._id_stem}-{self._take_number():x}"

    def _give_id_back(self, decision_id: str) -> None:
        """Let the next line use an id whose line is not on file."""
        heapq.heappush(self._free_ids, int(decision_id.rpartition("-")[2], 16))

    def _close_gap(self, ticket: Ticket) -> None:
        """Give a turn a lower id that is free, where Redis does not know its own: ids have no gap.

        Redis knows the id of a turn that began a session, or that has an idempotency key.
        """
        if self._free_ids[0] < ticket.number:
            number = heapq.heappop(self._free_ids)
            self._free(ticket)
            ticket.number, ticket.id = number, f"{self._id_stem}-{number:x}"

    def _free(self, ticket: Ticket) -> None:
        """Let a later turn use the id of a turn without a line."""
        if ticket.number == self._next_id - 1:
            self._next_id -= 1
        elif ticket.number:
            heapq.heappush(self._free_ids, ticket.number)
        ticket.number = 0

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
                self._keep_answer(ticket, answer)
        waiting = self._under_way.pop(ticket.user)
        if waiting:
            self._ready.append(waiting.pop(0))
            self._under_way[ticket.user] = waiting or None

    def _go_on(self) -> None:
        """Write what waits for Redis, then begin the turns that waited for their listener."""
        self._flush()
        if self._going_on:
            return
        self._going_on = True
        try:
            while self._ready:
                ready, self._ready = self._ready, []
                self._begin(ready)
        finally:
            self._going_on = False

    def _count(self, turn: LoggedTurn) -> None:
        """Count a turn whose line is on file."""
        super()._count(turn)
        if turn.degraded:
            self.metrics.count_degraded(turn)

    def _flush(self) -> None:
        if self._outbox:
            outbox, self._outbox = self._outbox, {}
            for shard, commands in outbox.items():
                shard.send(Unheeded(len(commands)), b"".join(commands))


def _moved(record: bytes, catalog: Catalog, ids: Sequence[TrackId] | None) -> bytes:
    """Translate a record's listens to a catalog's indices; `ids` are those of its own catalog."""
    moved = bytearray()
    for place in range(read_head(record)[1], len(record), 8):
        track, time = unpack(int.from_bytes(record[place : place + 8], "little"))
        index = UNKNOWN if track == UNKNOWN or ids is None else catalog.index_of(ids[track])
        moved += pack(index, time).to_bytes(8, "little")
    return bytes(moved)


def _outcome(each: _Staged) -> Outcome:
    """Give a turn on file as its outcome; a failed one has its error."""
    if isinstance(each.turn, FailedTurn):
        assert each.failure is not None
        return each.failure
    return each.turn
