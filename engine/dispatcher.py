"""The server's turns: requests -> turns -> one write to the event log -> answers.

`Dispatcher` adds the lasting parts to `engine.turn`: the listeners' records, the event log, the ids
and the clock. Turns come in batches: the dispatcher decides them in their order of arrival, appends
their lines with one write, and only then answers them (group commit). One turn is a batch of one.
No code in here awaits, so two turns of one listener never mingle.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple

from core.allocation import Assignment
from core.catalog import TrackId
from core.decision import Decision, FailedTurn, Feedback, LoggedTurn
from core.errors import StrategiesFailed
from core.listener import History
from core.request import ListenReport, Request
from engine.arrivals import Arrival, Outcome
from engine.base_dispatcher import BaseDispatcher, EventSink, failed_turn, repeated_end
from engine.exposure import exposed_after, newly_exposed, starts_afresh
from engine.metrics import ServerMetrics
from engine.preparation import Expected, asks, history_after, prepare, preparer_of
from engine.runtime import Runtime
from engine.state import ListenerRecord, StateStore
from engine.turn import Before, is_repeated_end, rollback_turn, take_turn


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
            if record is None or record.assignment is None or sent.attributes is not None:
                continue
            if record.allocation is not self.runtime.allocation:
                continue  # a reload since then: these arms may name a strategy that is gone
            # Asked before the history is copied, which costs a sixth of a decision.
            if preparer_of(self.runtime, record.assignment) is not None:
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
            failed = failed_turn(runtime, decision_id, arrival, at_ms, assignment, error)
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
