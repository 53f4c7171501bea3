"""The part that all dispatchers share: runtime, event log, counters, ids, failures."""

import secrets
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from core.allocation import UNASSIGNED, Assignment
from core.catalog import TrackId
from core.decision import Decision, FailedTurn, Feedback, Forgotten, LoggedTurn
from core.errors import EventLogError, StrategiesFailed
from core.listener import History
from core.request import Request, TurnInput
from engine.arrivals import Arrival, SeatArrival
from engine.exposure import assign
from engine.metrics import ServerMetrics
from engine.proposals import ProposalWatch
from engine.runtime import Runtime


class EventSink(Protocol):
    """A log that takes the events of turns; servers have `events.writer.EventWriter`."""

    def append_all(self, turns: Sequence[LoggedTurn]) -> None:
        """Append one line a turn, in order.

        Raises:
            EventLogError: Only the first `written` lines are on file.
        """


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


def failed_turn(
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


def repeated_end(history: History, sent: TurnInput, digest: str) -> Feedback:
    """Feedback without an id: it answers the client, and has no line in the log."""
    return Feedback(
        "", sent.user, sent.track, sent.time, history.seen_ms, "", history.turn, UNASSIGNED, digest,
        final=True,
    )  # fmt: skip
