"""The server's turns: requests -> turns -> one write to the event log -> answers.

`Dispatcher` adds the lasting parts to `engine.turn`: the listeners' records, the event log, the ids
and the clock. Turns come in batches: the dispatcher decides them in their order of arrival, appends
their lines with one write, and only then answers them (group commit). One turn is a batch of one.
No code in here awaits, so two turns of one listener never mingle.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import ClassVar, NamedTuple, Protocol

from core.allocation import UNASSIGNED, Assignment
from core.catalog import TrackId
from core.decision import Decision, FailedTurn, Feedback, Forgotten, LoggedTurn
from core.errors import EventLogError, StrategiesFailed
from core.listener import History
from core.request import ListenReport, Request, TurnInput
from engine.exposure import assign, exposed_after, newly_exposed, starts_afresh
from engine.metrics import ServerMetrics
from engine.preparation import Expected, asks, history_after, prepare
from engine.proposals import ProposalWatch
from engine.runtime import Runtime
from engine.state import ListenerRecord, StateStore
from engine.turn import Before, is_repeated_end, rollback_turn, take_turn


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer that an idempotency key got before, from a process of the same shared state.

    Attributes:
        body: The answer's body.
    """

    body: bytes


Outcome = Decision | Feedback | Forgotten | KeptAnswer | Exception
"""The outcome of a turn: its value, or the error because of which it changed nothing."""


class EventSink(Protocol):
    """A log that takes the events of turns; servers have `events.writer.EventWriter`."""

    def append_all(self, turns: Sequence[LoggedTurn]) -> None:
        """Append one line a turn, in order.

        Raises:
            EventLogError: Only the first `written` lines are on file.
        """


@dataclass(slots=True)
class Arrival:
    """A client's request or report, on its way into a batch.

    Attributes:
        sent: The request or the report.
        arrived_s: Time of its arrival, on `perf_counter`'s clock.
        key: Its idempotency key.
        forced: Experiment -> arm that an authorised tester requests.
        retry: Route's name and digest of the body, by which shared state knows a retry; None
            without shared state.
    """

    sent: Request | ListenReport
    arrived_s: float
    key: str | None = None
    forced: Mapping[str, str] | None = None
    retry: tuple[str, bytes] | None = None
    seat: ClassVar[bool] = False


@dataclass(slots=True)
class SeatArrival(Arrival):
    """A turn of a person on the board, which no analysis counts.

    `forced` is never None, so that nobody takes its arms for those that the listener always has.
    """

    forced: Mapping[str, str] | None = field(default_factory=dict)
    seat: ClassVar[bool] = True


class _Staged(NamedTuple):
    """A turn that is decided and not on file yet.

    Attributes:
        place: Its place in the batch.
        user: The listener's id.
        record: The listener's record, with the turn in it.
        turn: The turn.
        before: The state by which `rollback_turn` takes the turn back; None if it changed none.
        exposed: The record's exposed experiments before the turn, if they changed.
    """

    place: int
    user: str
    record: ListenerRecord
    turn: LoggedTurn
    before: Before | None
    exposed: frozenset[str] | None


_new = tuple.__new__


class BaseDispatcher:
    """The part that all dispatchers share: runtime, event log, counters, ids, failures.

    Args:
        runtime: The runtime that decides, until `serve` replaces it.
        log: The event log.
        metrics: The counters.
        now_ms: Unix time in ms.
        id_stem: First part of decision ids, which also decide the draws of requests without a key;
            48 random bits if left out, so that no two processes share it.

    Attributes:
        since_ms: Unix time in ms at which the dispatcher was made.
    """

    def __init__(
        self,
        runtime: Runtime,
        log: EventSink,
        metrics: ServerMetrics,
        now_ms: Callable[[], int],
        id_stem: str | None = None,
    ) -> None:
        self.log = log
        self.metrics = metrics
        self.since_ms = now_ms()
        self._now_ms = now_ms
        self._watch = ProposalWatch(metrics, monotonic)
        self.serve(runtime)
        # Unique without a look-up: random bits for this process, then a count of written lines.
        self._id_stem = id_stem or secrets.token_hex(6)
        self._next_id = 1

    def serve(self, runtime: Runtime) -> None:
        """Decide by this runtime from the next batch on."""
        self.metrics.start_config(runtime)
        self._watch.serve(runtime)
        self.runtime = runtime

    @property
    def known_listeners(self) -> int | None:
        """Number of listeners in memory; None if they are elsewhere."""
        return None

    def _assigned(self, arrival: Arrival) -> Assignment:
        """Compute the arms of a turn."""
        return assign(self.runtime, arrival.sent, arrival.forced, arrival.seat)

    def arms_of(self, sent: Request) -> Assignment:
        """Compute the arms of a turn of a seat that is not taken."""
        return self._assigned(SeatArrival(sent, 0.0))

    def _append(self, turns: Sequence[LoggedTurn]) -> EventLogError | None:
        """Append the lines of turns; give the error if only its first `written` are on file."""
        try:
            self.log.append_all(turns)
        except EventLogError as error:
            return error
        return None

    def _failed_turn(
        self,
        runtime: Runtime,
        decision_id: str,
        arrival: Arrival,
        at_ms: int,
        assignment: Assignment,
        error: StrategiesFailed,
    ) -> FailedTurn:
        """Make the log's record of a turn that no strategy answered."""
        sent = arrival.sent
        return FailedTurn(
            decision_id,
            sent.user,
            sent.track,
            sent.time,
            at_ms,
            session="",
            number=0,
            assignment=assignment,
            config=runtime.digest,
            attributes=sent.attributes,
            key=arrival.key,
            strategy=error.strategy,
            failed=error.failed,
        )

    def _log_forgotten(self, user: TrackId) -> Forgotten:
        """Append the line that says that a listener's history is deleted.

        Raises:
            EventLogError: The line is not on file.
        """
        turn = Forgotten(
            self._take_id(),
            user,
            None,
            None,
            self._now_ms(),
            "",
            0,
            UNASSIGNED,
            self.runtime.digest,
        )
        error = self._append([turn])
        if error is not None:
            self._give_id_back(turn.id)
            raise error
        return turn

    def _take_id(self) -> str:
        """Take the next id of a line."""
        self._next_id += 1
        return f"{self._id_stem}-{self._next_id - 1:x}"

    def _give_id_back(self, decision_id: str) -> None:
        """Give an id back whose line is not on file."""
        self._next_id -= 1

    def _count(self, turn: LoggedTurn) -> None:
        """Count a turn whose line is on file."""
        if isinstance(turn, Decision):
            self.metrics.fold_times(1)
            self.metrics.count_decision(turn)
            if turn.failed:
                self.metrics.count_failures(turn)
        elif isinstance(turn, FailedTurn):
            self.metrics.count_failures(turn)


class Dispatcher(BaseDispatcher):
    """The taker of turns, which keeps listeners' records in this process and writes the log.

    Args:
        runtime: The runtime that decides, until `serve` replaces it.
        state: The listeners' records.
        log: The event log.
        metrics: The counters.
        now_ms: Unix time in ms.
        id_stem: First part of decision ids; see `BaseDispatcher`.
    """

    def __init__(
        self,
        runtime: Runtime,
        state: StateStore,
        log: EventSink,
        metrics: ServerMetrics,
        now_ms: Callable[[], int],
        id_stem: str | None = None,
    ) -> None:
        super().__init__(runtime, log, metrics, now_ms, id_stem)
        self.state = state
        # Listeners of the same experiments share one set, so that it costs them a pointer each.
        self._exposed: dict[frozenset[str], frozenset[str]] = {}

    @property
    def known_listeners(self) -> int:
        """Number of listeners in memory."""
        return len(self.state)

    def forget(self, user: TrackId) -> bool:
        """Delete a listener's history, and log that; return whether there was one.

        Raises:
            EventLogError: The line is not on file; the history is still there.
        """
        if self.state.get(str(user)) is None:
            return False
        self._log_forgotten(user)
        return self.state.forget(str(user))

    def recommend(
        self,
        request: Request,
        arrived_s: float,
        key: str | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Decision:
        """Decide, log and remember one request; on an error, change nothing and raise it.

        Args:
            request: The request.
            arrived_s: Time of its arrival, on `perf_counter`'s clock.
            key: Its idempotency key.
            forced: Experiment -> arm that an authorised tester requests.
        """
        (outcome,) = self.dispatch((Arrival(request, arrived_s, key, forced),))
        if isinstance(outcome, Decision):
            return outcome
        assert isinstance(outcome, Exception), "the outcome of a request is a decision or an error"
        raise outcome

    def feedback(
        self,
        report: ListenReport,
        arrived_s: float,
        key: str | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Feedback:
        """Log and remember one listen report; on an error, change nothing and raise it."""
        (outcome,) = self.dispatch((Arrival(report, arrived_s, key, forced),))
        if isinstance(outcome, Feedback):
            return outcome
        assert isinstance(outcome, Exception), "the outcome of a report is feedback or an error"
        raise outcome

    def dispatch(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Take a batch of turns: decide each, append all their lines with one write.

        A turn that fails, or whose line is not on file, changes nothing and does not affect the
        remaining turns of the batch.

        A report that ends a session a second time is no turn: it gets the first one's answer, and
        no line.

        Args:
            arrivals: In their order of arrival; a listener may come more than once.

        Returns:
            For each arrival its turn, or the error that answers it.
        """
        outcomes: list[Outcome] = []
        staged: list[_Staged] = []
        repeats: list[tuple[int, int]] = []  # place of a repeated end, and of the first one
        try:
            self._stage(arrivals, outcomes, staged, repeats)
            error = self._append([each.turn for each in staged]) if staged else None
        except BaseException:
            self._take_back(staged, 0)
            raise
        if error is not None:
            self._take_back(staged, error.written)
            for each in staged[error.written :]:
                outcomes[each.place] = error
            del staged[error.written :]
        for each in staged:
            self._commit(each)
        self.metrics.fold_times(len(staged))
        for place, first in repeats:
            outcomes[place] = outcomes[first]
        return outcomes

    def _stage(
        self,
        arrivals: Sequence[Arrival],
        outcomes: list[Outcome],
        staged: list[_Staged],
        repeats: list[tuple[int, int]],
    ) -> None:
        """Decide each turn; a later turn of a listener sees the earlier one's record."""
        at_ms = self._now_ms()
        records: dict[str, ListenerRecord] = {}
        if self.runtime.prepares and len(arrivals) > 1:
            prepare(self.runtime, self._expected(arrivals, at_ms))
        began_s = perf_counter()
        for place, arrival in enumerate(arrivals):
            try:
                each = self._decide(place, arrival, at_ms, records)
            except Exception as error:
                outcomes.append(error)
                began_s = perf_counter()
                continue
            if isinstance(each, Feedback):
                outcomes.append(each)
                repeats += _first_end(staged, each, place)
                began_s = perf_counter()
                continue
            self._next_id += 1
            staged.append(each)
            turn = each.turn
            ended_s = perf_counter()
            if isinstance(turn, FailedTurn):
                outcomes.append(StrategiesFailed(turn.strategy, turn.failed))
            else:
                outcomes.append(turn)
                records[each.user] = each.record
                if isinstance(turn, Decision):
                    turn.took_us = int((ended_s - began_s) * 1e7) / 10
            began_s = ended_s
        for each in staged:
            each.turn.latency_s = began_s - arrivals[each.place].arrived_s

    def _expected(self, arrivals: Sequence[Arrival], at_ms: int) -> Iterator[Expected]:
        """Give the turns of known listeners as they will be, if nothing else happens before."""
        for arrival in arrivals:
            sent, user = arrival.sent, str(arrival.sent.user)
            record = self.state.get(user) if asks(sent) and arrival.forced is None else None
            if record is not None and record.assignment is not None and sent.attributes is None:
                history = history_after(self.runtime, record.history, sent, at_ms)
                yield user, history, record.assignment

    def _decide(
        self, place: int, arrival: Arrival, at_ms: int, records: Mapping[str, ListenerRecord]
    ) -> _Staged | Feedback:
        """Take one turn on the listener's record, or on a fresh one; a repeated end is no turn."""
        runtime, sent = self.runtime, arrival.sent
        user = str(sent.user)
        record = records.get(user) or self.state.get(user)
        if record is None:
            record = ListenerRecord(History(runtime.catalog))
        # An end is the only turn that leaves no session open; the call is for those alone.
        elif not record.history.session and is_repeated_end(runtime, record.history, sent, at_ms):
            return repeated_end(record.history, sent, runtime.digest)
        # Most turns: the arms depend on the id alone, and the record grew under them already.
        by_id = arrival.forced is None and sent.attributes is None
        if by_id and record.allocation is runtime.allocation and record.assignment is not None:
            assignment, entering, reset = record.assignment, False, False
        else:
            assignment = self._assigned(arrival)
            entering = newly_exposed(runtime, record, assignment)
            reset = entering and starts_afresh(runtime, record)
            if reset:
                record = ListenerRecord(History(runtime.catalog))
        decision_id = f"{self._id_stem}-{self._next_id:x}"
        try:
            turn, before = take_turn(
                runtime,
                record.history,
                sent,
                assignment,
                decision_id,
                at_ms,
                arrival.key,
                (),
                self._watch,
            )
        except StrategiesFailed as error:
            failed = self._failed_turn(runtime, decision_id, arrival, at_ms, assignment, error)
            return _Staged(place, user, record, failed, None, None)
        turn.reset = reset
        exposed = None
        if entering:
            exposed = record.exposed_experiments
            grown = exposed_after(runtime, record, assignment)
            record.exposed_experiments = self._exposed.setdefault(grown, grown)
        if by_id:
            record.allocation, record.assignment = runtime.allocation, assignment
        # Faster: a named tuple's own constructor is a Python function around this one.
        return _new(_Staged, (place, user, record, turn, before, exposed))

    def _commit(self, each: _Staged) -> None:
        """Keep and count a turn whose line is on file."""
        turn = each.turn
        if isinstance(turn, FailedTurn):
            self.metrics.count_failures(turn)
            return
        self.state.keep(each.user, each.record)
        if each.exposed is not None:
            self._count_entry(each.exposed, turn.assignment)
        # As `_count` does, without a call for each turn.
        if isinstance(turn, Decision):
            self.metrics.count_decision(turn)
            if turn.failed:
                self.metrics.count_failures(turn)

    def _count_entry(self, exposed: frozenset[str], assignment: Assignment) -> None:
        """Count the listener in the arms that the turn exposed them to."""
        fingerprints = self.runtime.fingerprints
        for name, arm in assignment.arms.items():
            if fingerprints[name] not in exposed:
                self.metrics.count_entry(fingerprints[name], arm)

    def _take_back(self, staged: Sequence[_Staged], written: int) -> None:
        """Take back the turns after the first `written`, from last to first, and their ids."""
        for each in reversed(staged[written:]):
            if each.before is not None:
                rollback_turn(each.record.history, each.before)
            if each.exposed is not None:
                each.record.exposed_experiments = each.exposed
                each.record.allocation = each.record.assignment = None
            self._next_id -= 1


def _first_end(staged: Sequence[_Staged], repeat: Feedback, place: int) -> list[tuple[int, int]]:
    """Pair the place of a repeated end with that of the first one, if it is in this batch."""
    user = str(repeat.user)
    for each in reversed(staged):
        if each.user == user and isinstance(each.turn, Feedback):
            return [(place, each.place)]
    return []


def repeated_end(history: History, sent: TurnInput, digest: str) -> Feedback:
    """Feedback without an id: it answers the client, and has no line in the log."""
    return Feedback(
        "", sent.user, sent.track, sent.time, history.seen_ms, "", history.turn, UNASSIGNED, digest,
        final=True,
    )  # fmt: skip
