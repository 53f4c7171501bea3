"""Replay: make every decision of a log again from its id; it must come out the same.

Replay rebuilds each listener's history from the log by the server's own functions, and makes each
decision by the config that its event names.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from audit.event_validation import unusable
from audit.replay_result import Difference, ReplayResult
from core.allocation import Assignment
from core.decision import Decision, Feedback
from core.errors import SegueError
from core.listener import History
from core.request import ListenReport, Request, TurnInput
from engine.exposure import assign, exposed_after, newly_exposed, starts_afresh
from engine.runtime import Runtime
from engine.state import ListenerRecord
from engine.turn import start_turn, take_turn
from events.merge import Order

Event = Mapping[str, Any]
RECORDS = 4
"""Records kept of one listener: more than one when processes that share nothing served it."""
HELD = 100
"""Most events of one listener that wait for the turn before them."""
RECENT = 16
"""Turns of one listener after which a retry that writes its line again is still known as one."""
SHARED = ""
"""Stands for the process of a record that several processes have served."""
SKEW_MS = 5000
"""By how much the clocks of processes that serve one listener may differ."""
NO_TURN_BEFORE = "the listener's turn before is not in the log"
COMPARED = ("experiments", "forced", "strategy", "answered_by", "depth", "candidates", "propensity")
"""Fields that must come out the same, beside the tracks and the session."""


class Replayer:
    """A replay under way; it takes a listener's events in the order of their turns.

    An event that arrives too early waits for the event before it: only clocks order the lines of
    several processes.

    Args:
        runtime_of: Gives the config that a digest names, with its data.
        shown: Most mismatches to keep, the first in the order of the log.
        watch: Called with every decision that came out the same, and with the listener's history
            at the choice of the track; must not change the history.
    """

    def __init__(
        self,
        runtime_of: Callable[[str], Runtime],
        shown: int = 10,
        watch: Callable[[Event, History], None] | None = None,
    ) -> None:
        self.result = ReplayResult(shown=shown)
        self._runtime_of = runtime_of
        self._runtimes: dict[str, Runtime] = {}
        self._watch = watch
        self._records: dict[str, list[tuple[ListenerRecord, str]]] = {}
        self._held: dict[str, list[tuple[Event, str, Order]]] = {}
        self._degraded: dict[str, list[Event]] = {}
        self._recent: dict[str, deque[int]] = {}

    def take(self, event: Event, where: str, order: Order = (0, 0, 0)) -> None:
        """Replay the event, or let it wait for the turn before it.

        Args:
            event: A line of Segue's log.
            where: `file:line` of the event.
            order: Its place in the order of the log.

        Raises:
            InputError: Replay cannot build the config that decided.
        """
        message = event.get("message")
        if message == "error":
            return  # a turn that was not answered
        if message == "forget":
            self._records.pop(str(event.get("user")), None)
            return
        if event.get("degraded"):
            self._take_degraded(event, where, order)
            return
        self.result.events += 1
        problem = unusable(event)
        if problem is not None:
            reason, found = problem
            self.result.skip(f"unusable line: {reason}", f"{where}, got {found}", order)
            return
        user = str(event["user"])
        record = self._record_before(user, event)
        if record is not None:
            self._replay(event, where, order, record)
            if user in self._held:
                self._release(user)
            return
        if event.get("key") is not None and hash(event["decision"]) in self._recent.get(user, ()):
            self.result.events -= 1
            self.result.repeated += 1
            return
        held = self._held.setdefault(user, [])
        held.append((event, where, order))
        if len(held) > HELD:
            self.result.skip(NO_TURN_BEFORE, *held.pop(0)[1:])

    def finish(self) -> ReplayResult:
        """Count the events that still wait: the log lacks their earlier turns.

        If the connection to the shared state broke, Redis may have taken a turn that was decided
        without it. Then the listener's next turn shows it: with the degraded turn's listen in the
        history, it is the next one.
        """
        for user in [user for user in self._held if user in self._degraded]:
            self._release_after_degraded(user)
        for held in self._held.values():
            for _, where, order in held:
                self.result.skip(NO_TURN_BEFORE, where, order)
        self._held.clear()
        return self.result

    def _take_degraded(self, event: Event, where: str, order: Order) -> None:
        """Replay a turn that was decided from its request alone: as the first one of a listener."""
        self.result.events += 1
        self.result.degraded += 1
        alone = {**event, "session": event.get("decision"), "turn": 1}
        problem = unusable(alone)
        if problem is not None:
            reason, found = problem
            self.result.skip(f"unusable line: {reason}", f"{where}, got {found}", order)
            return
        catalog = self.runtime(event["config"]).catalog
        self._replay(alone, where, order, ListenerRecord(History(catalog)))
        known = self._degraded.setdefault(str(event["user"]), [])
        known.append(event)
        del known[:-HELD]

    def _release_after_degraded(self, user: str) -> None:
        """Replay waiting events behind degraded turns that Redis has counted."""
        waiting = sorted(self._held[user], key=lambda held: held[0]["turn"])
        for event, where, order in waiting:
            record = self._record_before(user, event) or self._record_with_degraded(user, event)
            if record is not None:
                self._held[user].remove((event, where, order))
                self._replay(event, where, order, record)
        if not self._held[user]:
            del self._held[user]

    def _record_with_degraded(self, user: str, event: Event) -> ListenerRecord | None:
        """Let a record hear the degraded turns that stand between it and the event."""
        for record, _ in reversed(self._records.get(user, [])):
            history = record.history
            gap = event["turn"] - 1 - history.turn
            between = [
                each
                for each in self._degraded[user]
                if history.seen_ms - SKEW_MS <= each["timestamp"] <= event["timestamp"] + SKEW_MS
            ]
            if 0 < gap <= len(between):
                for each in between[-gap:]:
                    start_turn(
                        self.runtime(each["config"]), history, each["track"], each["time"],
                        each["timestamp"], each["decision"],
                    )  # fmt: skip
                    if each["message"] == "last":
                        history.end_session()
                if _precedes(history, event):
                    return record
        return None

    def history_before(self, event: Event) -> History | None:
        """Give the listener's history before this event; None if a turn is missing."""
        record = self._record_before(str(event["user"]), event)
        return None if record is None else record.history

    def runtime(self, digest: str) -> Runtime:
        """Give the config that a digest names."""
        runtime = self._runtimes.get(digest)
        if runtime is None:
            runtime = self._runtimes[digest] = self._runtime_of(digest)
        return runtime

    def _record_before(self, user: str, event: Event) -> ListenerRecord | None:
        """Find the record whose next turn is this event; make a fresh one for a first turn.

        If several fit, it is the one of the event's process; if that has none, the newest.
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
            record, begun_by = known[0]
            if not _precedes(record.history, event):
                return None
            if begun_by != process:
                known[0] = record, SHARED
            return record
        fitting = [place for place, (record, _) in enumerate(known)
                   if _precedes(record.history, event)]  # fmt: skip
        if not fitting:
            return None
        own = [place for place in fitting if known[place][1] == process]
        # A newest record that several processes have served is that of a state which they share.
        place = own[-1] if own and known[fitting[-1]][1] != SHARED else fitting[-1]
        record, begun_by = known[place]
        if begun_by != process:
            known[place] = record, SHARED
        return record

    def _release(self, user: str) -> None:
        """Replay the waiting events of a listener whose earlier turns have come."""
        held = self._held.pop(user)
        going = True
        while going:
            going = False
            for position, (event, where, order) in enumerate(held):
                record = self._record_before(user, event)
                # A much older event belongs to a history whose beginning the log lacks.
                if record is not None and (event["timestamp"] >= record.history.seen_ms - SKEW_MS):
                    del held[position]
                    self._replay(event, where, order, record)
                    going = True
                    break
        if held:
            self._held[user] = held

    def _replay(self, event: Event, where: str, order: Order, record: ListenerRecord) -> None:
        digest = event["config"]
        if event.get("key") is not None:
            recent = self._recent.get(str(event["user"]))
            if recent is None:
                recent = self._recent[str(event["user"])] = deque(maxlen=RECENT)
            recent.append(hash(event["decision"]))
        runtime = self._runtimes.get(digest) or self.runtime(digest)
        self.result.configs[digest] += 1
        try:
            turn, differing = _take_again(event, record, runtime)
        except SegueError as error:
            found = [("decision", event.get("recommendation"), str(error))]
            self.result.differ(event, found, where, order)
            return
        if isinstance(turn, Decision):
            self.result.decisions += 1
            self.result.by_strategy[turn.answered_by] += 1
            if self._watch is not None and not differing:
                self._watch(event, record.history)
        if differing:
            self.result.differ(event, differing, where, order)


def _precedes(history: History, event: Event) -> bool:
    """Test whether the event is the next turn of this history, in its session."""
    turn: int = event["turn"]
    session: str = event["session"]
    return history.turn + 1 == turn and (session == event["decision"] or history.session == session)


def _take_again(
    event: Event, record: ListenerRecord, runtime: Runtime
) -> tuple[Decision | Feedback, list[Difference]]:
    """Take the event's turn again, and compare it with what was logged.

    Raises:
        SegueError: The turn fails. The record still gets the logged listen, so that replay can make
            the listener's later turns.
    """
    sent = _input_of(event)
    decision_id, at_ms, history = event["decision"], event["timestamp"], record.history
    assignment = assignment_of(runtime, sent, event)
    found = _exposure_differences(runtime, record, assignment, event)
    try:
        turn, _ = take_turn(
            runtime,
            history,
            sent,
            assignment,
            decision_id,
            at_ms,
            event.get("key"),
            failed_members(event),
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
    """Make the request that a decision answered; the server validated it before logging."""
    get = event.get
    return Request(
        event["user"],
        event["track"],
        event["time"],
        get("attributes"),
        get("n", 1),
        get("exclude", ()),
        explain,
        get("filter"),
    )


def _input_of(event: Event) -> Request | ListenReport:
    """Make the client's request or report for a turn of the log."""
    if event["message"] == "next":
        return request_of(event)
    final = event["message"] == "last"
    return ListenReport(
        event["user"], event["track"], event["time"], event.get("attributes"), final
    )


def failed_members(event: Event) -> frozenset[str]:
    """The strategies that failed when the event's turn was decided; a replay does not ask them."""
    failed = event.get("failed")
    return frozenset(each["strategy"] for each in failed) if failed else frozenset()


def assignment_of(runtime: Runtime, sent: TurnInput, event: Event) -> Assignment:
    """Compute the arms of a turn, with those that a tester requested, or as one of a seat."""
    return assign(runtime, sent, event.get("asked"), bool(event.get("seat")))


def differences(event: Event, made: Decision) -> list[Difference]:
    """List every field of a decision that came out differently."""
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
    """Let the record grow under the arms; compare whether the server forgot its history first."""
    afresh = event.get("reset", False)
    if not newly_exposed(runtime, record, assignment):
        return [("reset", True, False)] if afresh else []
    # A history without a turn is a forgotten one or a first visit: only the log shows which.
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
