"""Replay: every decision of a log is made again from its id, and must come out the same.

Each listener's history is rebuilt from the log by the functions that the server has, and each
decision is made by the config that its event names.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from app.requests import FeedbackRequest, RecommendRequest
from core.allocation import Assignment
from core.catalog import TrackId
from core.decision import Decision
from core.errors import SegueError
from core.listener import History
from engine.dispatcher import assign, decide, newly_exposed, start_turn
from engine.runtime import Runtime

Event = Mapping[str, Any]
STORIES = 4
"""Histories kept of one listener: more than one when processes that share nothing served it."""
HELD = 100
"""Events of one listener that are held back until the turn before them comes."""
SKEW_MS = 5000
"""By how much the clocks of processes that serve one listener may differ."""
NO_TURN_BEFORE = "the listener's turn before is not in the log"
COMPARED = ("experiments", "forced", "strategy", "answered_by", "depth", "candidates", "propensity")
"""What must come out the same, beside the tracks and the session."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field of an event that came out otherwise.

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
        mismatched: Events of which something came out otherwise.
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
        serving_of: The config that a digest names, with its data.
        shown: How many mismatches are kept.
        watch: Told of every decision that came out the same, with the listener's history as it
            was when the track was chosen; must not change it.
    """

    def __init__(
        self,
        serving_of: Callable[[str], Runtime],
        shown: int = 10,
        watch: Callable[[Event, History], None] | None = None,
    ) -> None:
        self.tally = ReplayResult()
        self._serving_of = serving_of
        self._servings: dict[str, Runtime] = {}
        self._shown = shown
        self._watch = watch
        self._stories: dict[str, list[tuple[History, str]]] = {}
        self._held: dict[str, list[tuple[Event, str]]] = {}

    def take(self, event: Event, where: str) -> None:
        """Make the event again, or hold it back.

        Args:
            event: A line of a log of ours.
            where: `file:line` of it.

        Raises:
            InputError: The config that decided cannot be built again.
        """
        self.tally.events += 1
        unit = str(event["user"])
        history = self._story(unit, event)
        if history is not None:
            self._again(event, where, unit, history)
            if unit in self._held:
                self._release(unit)
            return
        held = self._held.setdefault(unit, [])
        held.append((event, where))
        if len(held) > HELD:
            self.tally.skip(NO_TURN_BEFORE, held.pop(0)[1])

    def finish(self) -> ReplayResult:
        """Count what was still held back: its earlier turns are not in the log."""
        for held in self._held.values():
            for _, where in held:
                self.tally.skip(NO_TURN_BEFORE, where)
        self._held.clear()
        return self.tally

    def history_before(self, event: Event) -> History | None:
        """The listener's history as it stands before this event; None if a turn is missing."""
        return self._story(str(event["user"]), event)

    def runtime(self, digest: str) -> Runtime:
        """The config that a digest names."""
        runtime = self._servings.get(digest)
        if runtime is None:
            runtime = self._servings[digest] = self._serving_of(digest)
        return runtime

    def _story(self, unit: str, event: Event) -> History | None:
        """The history that this event is the next turn of; a fresh one for a first turn.

        Of several that fit, the one that the same process told; then the newest.
        """
        turn, session, id = event["turn"], event["session"], event["decision"]  # noqa: A001
        stories = self._stories.get(unit)
        if turn == 1:
            process = id.partition("-")[0]
            fresh = History(self.runtime(event["config"]).catalog)
            if stories is None or event.get("reset"):
                self._stories[unit] = [(fresh, process)]
            else:
                stories.append((fresh, process))
                del stories[:-STORIES]
            return fresh
        if stories is None:
            return None
        if len(stories) == 1:
            story = stories[0][0]
            fits = story.turn + 1 == turn and (session == id or story.session == session)
            return story if fits else None
        process = id.partition("-")[0]
        fitting = None
        for story, told_by in reversed(stories):
            if story.turn + 1 == turn and (session == id or story.session == session):
                if told_by == process:
                    return story
                fitting = fitting or story
        return fitting

    def _release(self, unit: str) -> None:
        """Take what was held back of a listener and is its turn now."""
        held = self._held.pop(unit)
        going = True
        while going:
            going = False
            for position, (event, where) in enumerate(held):
                history = self._story(unit, event)
                # Not long after: or it belongs to a story whose beginning is lost.
                if history is not None and event["timestamp"] >= history.seen_ms - SKEW_MS:
                    del held[position]
                    self._again(event, where, unit, history)
                    going = True
                    break
        if held:
            self._held[unit] = held

    def _again(self, event: Event, where: str, unit: str, history: History) -> None:
        digest = event["config"]
        runtime = self._servings.get(digest) or self.runtime(digest)
        self.tally.configs[digest] += 1
        try:
            made = self._next(event, unit, history, runtime)
        except SegueError as error:
            self._differ(where, event, [("decision", event.get("recommendation"), str(error))])
            return
        decision, found = made
        if decision is not None:
            self.tally.decisions += 1
            self.tally.by_strategy[decision.answered_by] += 1
            if self._watch is not None and not found:
                self._watch(event, history)
        if found:
            self._differ(where, event, found)

    def _next(
        self, event: Event, unit: str, history: History, runtime: Runtime
    ) -> tuple[Decision | None, list[tuple[str, Any, Any]]]:
        """The decision made again, if it was one, and what came out otherwise."""
        id = event["decision"]  # noqa: A001
        at_ms = event["timestamp"]
        asked = event["message"] == "next"
        ask: Any = _asked(event) if asked else _Told(event["user"], event.get("attributes"))
        assignment = assignment_of(runtime, ask, event)
        found = _entered(runtime, history, assignment, event)
        start_turn(runtime, history, event["track"], event["time"], at_ms, id)
        if asked:
            made = decide(runtime, history, ask, assignment, id, at_ms, event.get("key"))
            differing = differences(event, made)
            return made, found + differing if found else differing
        if event["session"] != history.session:
            found.append(("session", event["session"], history.session))
        if event["message"] == "last":
            history.end_session()
        return None, found + _arms_differ(event, assignment)

    def _differ(self, where: str, event: Event, fields: Sequence[tuple[str, Any, Any]]) -> None:
        self.tally.mismatched += 1
        for name, logged, replayed in fields:
            if len(self.tally.mismatches) < self._shown:
                found = Mismatch(where, event["decision"], name, logged, replayed)
                self.tally.mismatches.append(found)


@dataclass(slots=True)
class _Asked:
    """A request as `decide` reads one; making a pydantic model would cost a quarter of a replay."""

    user: TrackId
    track: TrackId | None
    time: float | None
    attributes: Mapping[str, Any] | None
    n: int
    exclude: Sequence[TrackId]
    explain: bool


@dataclass(slots=True)
class _Told:
    """Feedback as `assign` reads it."""

    user: TrackId
    attributes: Mapping[str, Any] | None


def request_of(event: Event, explain: bool = False) -> RecommendRequest:
    """The request that a decision answered; it was validated before it was logged."""
    return cast("RecommendRequest", _asked(event, explain))


def _asked(event: Event, explain: bool = False) -> _Asked:
    get = event.get
    return _Asked(
        event["user"],
        event["track"],
        event["time"],
        get("attributes"),
        get("n", 1),
        get("exclude", ()),
        explain,
    )


def assignment_of(
    runtime: Runtime, ask: RecommendRequest | FeedbackRequest, event: Event
) -> Assignment:
    """The arms of a request; those that a tester asked for are asked for again."""
    return assign(runtime, ask, event.get("asked"))


def differences(event: Event, made: Decision) -> list[tuple[str, Any, Any]]:
    """(field, logged, replayed) of all that came out otherwise."""
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
    found: list[tuple[str, Any, Any]] = []
    if logged != made.tracks:
        found.append(("tracks", logged, list(made.tracks)))
    if event["session"] != made.session:
        found.append(("session", event["session"], made.session))
    found += [
        (name, event[name], replayed[name]) for name in COMPARED if event[name] != replayed[name]
    ]
    return found


def _entered(
    runtime: Runtime, history: History, assignment: Assignment, event: Event
) -> list[tuple[str, Any, Any]]:
    """Let the history grow under the arms; whether it was rightly started afresh, or not."""
    afresh = event.get("reset", False)
    if not newly_exposed(runtime, history, assignment):
        return [("reset", True, False)] if afresh else []
    resets = runtime.settings.state.reset_state_on_new_experiment
    history.exposed_experiments = history.exposed_experiments.union(
        runtime.fingerprints[name] for name in assignment.arms
    )
    # A first turn was made afresh, or is one: which of the two, only the log knows.
    expected = resets and (afresh if history.turn == 0 else True)
    return [] if afresh == expected else [("reset", afresh, expected)]


def _arms_differ(event: Event, assignment: Assignment) -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    if event["experiments"] != assignment.arms:
        found.append(("experiments", event["experiments"], assignment.arms))
    if event["forced"] != assignment.forced:
        found.append(("forced", event["forced"], assignment.forced))
    return found
