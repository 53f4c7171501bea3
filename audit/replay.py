"""Replay: every decision of a log is made again from its id, and must come out the same.

Each listener's history is rebuilt from the log by the functions that the server has, and each
decision is made by the config that its event names.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.allocation import Assignment
from core.decision import Decision, Feedback
from core.errors import SegueError
from core.listener import History
from core.request import ListenReport, Request, TurnInput
from engine.exposure import assign, exposed_after, newly_exposed, starts_afresh
from engine.runtime import Runtime
from engine.state import ListenerRecord
from engine.turn import start_turn, take_turn

Event = Mapping[str, Any]
Difference = tuple[str, Any, Any]
"""A field of an event: its name, what was logged, what came out."""
RECORDS = 4
"""Records kept of one listener: more than one when processes that share nothing served it."""
HELD = 100
"""Events of one listener that are held back until the turn before them comes."""
SKEW_MS = 5000
"""By how much the clocks of processes that serve one listener may differ."""
NO_TURN_BEFORE = "the listener's turn before is not in the log"
COMPARED = ("experiments", "forced", "strategy", "answered_by", "depth", "candidates", "propensity")
"""What must come out the same, beside the tracks and the session."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field of an event that came out differently.

    Attributes:
        where: `file:line`.
        decision: Id of the decision.
        field: Name of the field.
        logged: What the log says.
        replayed: What came out.
    """

    where: str
    decision: str
    field: str
    logged: Any
    replayed: Any


@dataclass(slots=True)
class ReplayResult:
    """How a replay went.

    Attributes:
        events: Events taken.
        decisions: Those that were decisions and could be made again.
        mismatched: Events of which a field came out differently.
        mismatches: The first of them, field by field.
        skipped: Reason -> events that could not be made again.
        examples: Reason -> where the first was.
        by_strategy: Answering strategy -> decisions made again.
        configs: Digest -> events.
    """

    events: int = 0
    decisions: int = 0
    mismatched: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    by_strategy: Counter[str] = field(default_factory=Counter)
    configs: Counter[str] = field(default_factory=Counter)

    @property
    def sound(self) -> bool:
        """Whether there were decisions, and every one could be made again and came out the same."""
        return self.decisions > 0 and not self.mismatched and not self.skipped

    def skip(self, reason: str, where: str) -> None:
        """Count an event that cannot be made again."""
        self.skipped[reason] += 1
        self.examples.setdefault(reason, where)


class Replayer:
    """Takes the events of a log, a listener's in the order of its turns, and compares.

    An event that comes before the one that precedes it is held back until that one comes: the
    lines of several processes are only ordered by their clocks.

    Args:
        runtime_of: Gives the config that a digest names, with its data.
        shown: How many mismatches are kept.
        watch: Called with every decision that came out the same, and with the listener's history
            as it was when the track was chosen; must not change it.
    """

    def __init__(
        self,
        runtime_of: Callable[[str], Runtime],
        shown: int = 10,
        watch: Callable[[Event, History], None] | None = None,
    ) -> None:
        self.result = ReplayResult()
        self._runtime_of = runtime_of
        self._runtimes: dict[str, Runtime] = {}
        self._shown = shown
        self._watch = watch
        self._records: dict[str, list[tuple[ListenerRecord, str]]] = {}
        self._held: dict[str, list[tuple[Event, str]]] = {}

    def take(self, event: Event, where: str) -> None:
        """Make the event again, or hold it back.

        Args:
            event: A line of a log of ours.
            where: `file:line` of it.

        Raises:
            InputError: The config that decided cannot be built again.
        """
        self.result.events += 1
        user = str(event["user"])
        record = self._record_before(user, event)
        if record is not None:
            self._replay(event, where, record)
            if user in self._held:
                self._release(user)
            return
        held = self._held.setdefault(user, [])
        held.append((event, where))
        if len(held) > HELD:
            self.result.skip(NO_TURN_BEFORE, held.pop(0)[1])

    def finish(self) -> ReplayResult:
        """Count what is still held back: the log lacks its earlier turns."""
        for held in self._held.values():
            for _, where in held:
                self.result.skip(NO_TURN_BEFORE, where)
        self._held.clear()
        return self.result

    def history_before(self, event: Event) -> History | None:
        """The listener's history as it stands before this event; None if a turn is missing."""
        record = self._record_before(str(event["user"]), event)
        return None if record is None else record.history

    def runtime(self, digest: str) -> Runtime:
        """The config that a digest names."""
        runtime = self._runtimes.get(digest)
        if runtime is None:
            runtime = self._runtimes[digest] = self._runtime_of(digest)
        return runtime

    def _record_before(self, user: str, event: Event) -> ListenerRecord | None:
        """The record that this event is the next turn of; a fresh one for a first turn.

        Of several that fit: the one that the same process wrote; if none, the newest.
        """
        process = event["decision"].partition("-")[0]
        known = self._records.get(user)
        if event["turn"] == 1:
            fresh = ListenerRecord(History(self.runtime(event["config"]).catalog))
            if known is None or event.get("reset"):
                self._records[user] = [(fresh, process)]
            else:
                known.append((fresh, process))
                del known[:-RECORDS]
            return fresh
        if known is None:
            return None
        if len(known) == 1:
            record = known[0][0]
            return record if _precedes(record.history, event) else None
        fitting = [(record, by) for record, by in known if _precedes(record.history, event)]
        own = [record for record, by in fitting if by == process]
        return own[-1] if own else fitting[-1][0] if fitting else None

    def _release(self, user: str) -> None:
        """Replay the events of a listener that were held back and whose turn it is now."""
        held = self._held.pop(user)
        going = True
        while going:
            going = False
            for position, (event, where) in enumerate(held):
                record = self._record_before(user, event)
                # Not long after: or it belongs to a history whose beginning is lost.
                if record is not None and (event["timestamp"] >= record.history.seen_ms - SKEW_MS):
                    del held[position]
                    self._replay(event, where, record)
                    going = True
                    break
        if held:
            self._held[user] = held

    def _replay(self, event: Event, where: str, record: ListenerRecord) -> None:
        digest = event["config"]
        runtime = self._runtimes.get(digest) or self.runtime(digest)
        self.result.configs[digest] += 1
        try:
            turn, differing = _take_again(event, record, runtime)
        except SegueError as error:
            self._differ(where, event, [("decision", event.get("recommendation"), str(error))])
            return
        if isinstance(turn, Decision):
            self.result.decisions += 1
            self.result.by_strategy[turn.answered_by] += 1
            if self._watch is not None and not differing:
                self._watch(event, record.history)
        if differing:
            self._differ(where, event, differing)

    def _differ(self, where: str, event: Event, fields: Sequence[Difference]) -> None:
        self.result.mismatched += 1
        for name, logged, replayed in fields:
            if len(self.result.mismatches) < self._shown:
                found = Mismatch(where, event["decision"], name, logged, replayed)
                self.result.mismatches.append(found)


def _precedes(history: History, event: Event) -> bool:
    """Whether the event is the turn after the last one of this history, in its session."""
    turn: int = event["turn"]
    session: str = event["session"]
    return history.turn + 1 == turn and (session == event["decision"] or history.session == session)


def _take_again(
    event: Event, record: ListenerRecord, runtime: Runtime
) -> tuple[Decision | Feedback, list[Difference]]:
    """Take the event's turn again, and compare it with what was logged.

    Raises:
        SegueError: No decision comes out. The record has still heard what the log says was heard,
            so that the listener's later turns can be replayed.
    """
    sent = _input_of(event)
    decision_id, at_ms, history = event["decision"], event["timestamp"], record.history
    assignment = assignment_of(runtime, sent, event)
    found = _exposure_differences(runtime, record, assignment, event)
    try:
        turn, _ = take_turn(
            runtime, history, sent, assignment, decision_id, at_ms, event.get("key")
        )
    except SegueError:
        start_turn(runtime, history, sent.track, sent.time, at_ms, decision_id)
        raise
    if isinstance(turn, Decision):
        differing = differences(event, turn)
        return turn, found + differing if found else differing
    if event["session"] != turn.session:
        found.append(("session", event["session"], turn.session))
    return turn, found + _arms_differ(event, assignment)


def request_of(event: Event, explain: bool = False) -> Request:
    """The request that a decision answered; it was validated before it was logged."""
    get = event.get
    return Request(
        event["user"],
        event["track"],
        event["time"],
        get("attributes"),
        get("n", 1),
        get("exclude", ()),
        explain,
    )


def _input_of(event: Event) -> Request | ListenReport:
    """What the client sent for a turn of the log."""
    if event["message"] == "next":
        return request_of(event)
    final = event["message"] == "last"
    return ListenReport(
        event["user"], event["track"], event["time"], event.get("attributes"), final
    )


def assignment_of(runtime: Runtime, sent: TurnInput, event: Event) -> Assignment:
    """Compute the arms of a turn; arms that a tester asked for are asked for again."""
    return assign(runtime, sent, event.get("asked"))


def differences(event: Event, made: Decision) -> list[Difference]:
    """Every field of a decision that came out differently."""
    assignment = made.assignment
    logged = event["recommendations"] if made.n > 1 else [event["recommendation"]]
    if (
        logged == made.tracks
        and event["session"] == made.session
        and event["experiments"] == assignment.arms
        and event["propensity"] == made.propensity
        and event["candidates"] == made.candidates
        and event["answered_by"] == made.answered_by
        and event["strategy"] == made.strategy
        and event["depth"] == made.depth
        and event["forced"] == assignment.forced
    ):
        return []
    replayed = {
        "experiments": assignment.arms,
        "forced": assignment.forced,
        "strategy": made.strategy,
        "answered_by": made.answered_by,
        "depth": made.depth,
        "candidates": made.candidates,
        "propensity": made.propensity,
    }
    found: list[Difference] = []
    if logged != made.tracks:
        found.append(("tracks", logged, list(made.tracks)))
    if event["session"] != made.session:
        found.append(("session", event["session"], made.session))
    found += [
        (name, event[name], replayed[name]) for name in COMPARED if event[name] != replayed[name]
    ]
    return found


def _exposure_differences(
    runtime: Runtime, record: ListenerRecord, assignment: Assignment, event: Event
) -> list[Difference]:
    """Let the record grow under the arms; compare whether its history was started afresh."""
    afresh = event.get("reset", False)
    if not newly_exposed(runtime, record, assignment):
        return [("reset", True, False)] if afresh else []
    # A history without a turn was started afresh, or is a first visit: only the log knows which.
    resets = runtime.settings.state.reset_state_on_new_experiment
    expected = starts_afresh(runtime, record) or (resets and afresh)
    record.exposed_experiments = exposed_after(runtime, record, assignment)
    return [] if afresh == expected else [("reset", afresh, expected)]


def _arms_differ(event: Event, assignment: Assignment) -> list[Difference]:
    found: list[Difference] = []
    if event["experiments"] != assignment.arms:
        found.append(("experiments", event["experiments"], assignment.arms))
    if event["forced"] != assignment.forced:
        found.append(("forced", event["forced"], assignment.forced))
    return found
