"""Random sequences of turns, silences, reloads and faults: log, state and a plain model agree.

The model below defines a history, a session and a reset in a page of plain Python. Hypothesis looks
for a sequence in which the dispatcher disagrees with it.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from audit.replay import Replayer
from core.errors import EventLogError, NoCandidatesLeft
from core.listener import unpack
from core.request import ListenReport, Request
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.state import MemoryState
from events.writer import EventWriter
from tests.service import CONFIG, Clock, loaded

HISTORY = 3
GAP_S = 100
FIRST: dict[str, Any] = CONFIG["experiments"][0]
LABEL = {
    "name": "label",
    "layer": "client",
    "arms": {"A": {"weight": 50}, "B": {"weight": 50}},
    "targeting": {"country": "nl"},
}
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "first": [FIRST],
    "half": [{**FIRST, "traffic": 0.5}],
    "second version": [{**FIRST, "version": 2}],
    "with a label": [FIRST, LABEL],
    "nothing": [],
}
USERS = some.sampled_from([1, 2, "3"])
TRACKS = some.sampled_from([1000, 1070, 1200, "elsewhere"])
TIMES = some.sampled_from([0.0, 0.25, 1.0])
ATTRIBUTES = some.sampled_from([None, {"country": "nl"}, {"country": "de"}])
FORCED = some.sampled_from([None, None, None, {"fallback": "T1"}])
EVERYTHING = tuple(1000 + 10 * index for index in range(24))


class Unwritable(EventWriter):
    """A log that takes no line while `full`."""

    full = False

    def append_all(self, turns: Sequence[Any]) -> None:
        if self.full:
            raise EventLogError("the disk is full")
        super().append_all(turns)


@dataclass
class Known:
    """The state that the dispatcher should have of a listener."""

    listens: list[tuple[Any, float]] = field(default_factory=list)
    in_session: int = 0
    session: str = ""
    turn: int = 0
    seen_ms: int = 0
    lived_through: set[tuple[str, int]] = field(default_factory=set)


def variant_runtimes(factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Runtime]:
    """Load each variant, with and without a fresh history for each experiment."""
    return {
        (name, resetting): loaded(
            factory.mktemp("variant"),
            experiments=experiments,
            state={
                "history": HISTORY,
                "session_gap_s": GAP_S,
                "reset_state_on_new_experiment": resetting,
            },
        )
        for name, experiments in VARIANTS.items()
        for resetting in (False, True)
    }


@pytest.fixture(scope="module", autouse=True)
def _runtimes(tmp_path_factory: pytest.TempPathFactory) -> None:
    TurnSequences.runtimes = variant_runtimes(tmp_path_factory)


class TurnSequences(RuleBasedStateMachine):
    """A dispatcher under random steps, beside a model of its state."""

    runtimes: dict[tuple[str, bool], Runtime] = {}  # noqa: RUF012 (filled once, by the fixture)

    @initialize(name=some.sampled_from(list(VARIANTS)), resetting=some.booleans())
    def start(self, name: str, resetting: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.log = Unwritable(Path(self.folder.name), 2_000, self.clock)
        self.runtime, self.resetting = self.runtimes[name, resetting], resetting
        self.dispatcher = self.make_dispatcher()
        self.known: dict[str, Known] = {}
        self.events: list[dict[str, Any]] = []
        self.entered = 0

    def make_dispatcher(self) -> Any:
        """Make the dispatcher under test: this one has its state in memory."""
        state = MemoryState(99, 1e9, lambda: 0.0)
        return Dispatcher(self.runtime, state, self.log, ServerMetrics(), self.clock)

    def teardown(self) -> None:
        """Replay the log of the sequence: every decision must come out the same."""
        self.log.close()
        self.folder.cleanup()
        by_digest = {runtime.digest: runtime for runtime in self.runtimes.values()}
        replayer = Replayer(by_digest.__getitem__)
        for number, event in enumerate(self.events, 1):
            replayer.take(event, f"event {number}")
        tally = replayer.finish()
        assert (tally.mismatches, tally.skipped) == ([], {})
        assert tally.events == len(self.events)

    @rule(name=some.sampled_from(list(VARIANTS)), resetting=some.booleans())
    def reload(self, name: str, resetting: bool) -> None:
        self.runtime, self.resetting = self.runtimes[name, resetting], resetting
        self.dispatcher.serve(self.runtime)

    @rule(seconds=some.sampled_from([0, 1, GAP_S, GAP_S + 1]))
    def pass_time(self, seconds: int) -> None:
        self.clock.tick(seconds)

    @rule(full=some.booleans())
    def fill_or_clear_the_disk(self, full: bool) -> None:
        self.log.full = full

    @rule(
        user=USERS, track=some.none() | TRACKS, time=TIMES, attributes=ATTRIBUTES, forced=FORCED,
        greedy=some.booleans(), key=some.none() | some.text("k", min_size=1, max_size=3),
    )  # fmt: skip
    def recommend(
        self,
        user: Any,
        track: Any,
        time: float,
        attributes: Any,
        forced: Any,
        greedy: bool,
        key: Any,
    ) -> None:
        ask = Request(
            user=user,
            track=track,
            time=None if track is None else time,
            exclude=EVERYTHING if greedy else (),
            attributes=attributes,
        )
        forced = self.possible(forced)
        if greedy or self.log.full:
            with pytest.raises((NoCandidatesLeft, EventLogError)):
                self.dispatcher.recommend(ask, 0.0, key, forced)
            return
        decision = self.dispatcher.recommend(ask, 0.0, key, forced)
        event = self.takes_place(user, track, time, attributes, forced, decision.id)
        assert event["message"] == "next"
        assert event["recommendation"] == decision.tracks[0]
        assert event["strategy"] == decision.strategy
        assert event.get("key") == key

    @rule(
        user=USERS, track=TRACKS, time=TIMES, attributes=ATTRIBUTES, forced=FORCED,
        final=some.booleans(),
    )  # fmt: skip
    def feedback(
        self, user: Any, track: Any, time: float, attributes: Any, forced: Any, final: bool
    ) -> None:
        heard = ListenReport(user=user, track=track, time=time, final=final, attributes=attributes)
        forced = self.possible(forced)
        if final and self.has_just_ended(user, track, time):
            # Answered without a line, also while the disk is full: the first one's is on file.
            assert self.dispatcher.feedback(heard, 0.0, None, forced).id == ""
            return
        if self.log.full:
            with pytest.raises(EventLogError):
                self.dispatcher.feedback(heard, 0.0, None, forced)
            return
        turn = self.dispatcher.feedback(heard, 0.0, None, forced)
        event = self.takes_place(user, track, time, attributes, forced, turn.id)
        assert event["message"] == ("last" if final else "heard")
        if final:
            known = self.known[str(user)]
            known.session, known.in_session = "", 0

    def has_just_ended(self, user: Any, track: Any, time: float) -> bool:
        """Test whether the last turn ended a session with this listen, of a known track."""
        known = self.known.get(str(user))
        return (
            known is not None
            and known.turn > 0
            and known.session == ""
            and track != "elsewhere"
            and known.listens[-1] == (track, time)
            and self.clock.at_ms - known.seen_ms <= GAP_S * 1000
        )

    def possible(self, forced: dict[str, str] | None) -> dict[str, str] | None:
        return forced if forced and "fallback" in self.runtime.fingerprints else None

    def takes_place(
        self,
        user: Any,
        track: Any,
        time: float,
        attributes: Any,
        forced: Any,
        decision_id: str,
    ) -> dict[str, Any]:
        """Take a turn in the model; the event must agree with it."""
        arms = self.runtime.allocation.assign(str(user), attributes, forced).arms
        versions = {each.name: each.version for each in self.runtime.settings.experiments}
        mine = {(name, versions[name]) for name in arms}
        known = self.known.get(str(user), Known())
        enters = not forced and not mine <= known.lived_through
        resets = enters and self.resetting and known.turn > 0
        if resets:
            known = Known()
        if enters:
            self.entered += len(mine - known.lived_through)
            known.lived_through |= mine
        if known.session and self.clock.at_ms - known.seen_ms > GAP_S * 1000:
            known.session, known.in_session = "", 0
        if track is not None:
            known.listens = [*known.listens, (track, time)][-HISTORY:]
            known.in_session = min(known.in_session + 1, HISTORY)
        known.session = known.session or decision_id
        known.turn += 1
        known.seen_ms = self.clock.at_ms
        self.known[str(user)] = known
        event = self.newest_event()
        expected = {
            "user": user, "track": track, "time": None if track is None else time,
            "timestamp": self.clock.at_ms, "decision": decision_id, "session": known.session,
            "turn": known.turn, "config": self.runtime.digest, "experiments": arms,
            "forced": forced is not None,
        }  # fmt: skip
        assert {key: event[key] for key in expected} == expected
        assert event.get("reset", False) is resets
        assert event.get("attributes") == attributes
        assert event.get("asked") == forced
        return event

    def newest_event(self) -> dict[str, Any]:
        lines = [
            line
            for path in sorted(Path(self.folder.name).glob("*.jsonl"))
            for line in path.read_bytes().splitlines()
        ]
        self.events = [json.loads(line) for line in lines]
        return self.events[-1]

    @invariant()
    def log_and_state_have_exactly_the_acknowledged_turns(self) -> None:
        if not hasattr(self, "known"):
            return
        assert len(self.events) == self.log.lines
        assert len(self.dispatcher.state) == len(self.known)
        for user, known in self.known.items():
            record = self.dispatcher.state.get(user)
            assert record is not None
            history = record.history
            ids = history.catalog.ids
            found = [unpack(word) for word in history.listens]
            assert [
                ("elsewhere" if listen.track < 0 else ids[listen.track], listen.time)
                for listen in found
            ] == known.listens
            assert len(found) - history.session_start == known.in_session
            assert (history.turn, history.session) == (known.turn, known.session)

    @invariant()
    def a_listener_is_counted_once_for_each_entered_experiment(self) -> None:
        if hasattr(self, "known"):
            assert self.dispatcher.metrics.listeners.total() == self.entered


class TestTurnSequences(TurnSequences.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=40, stateful_step_count=40, deadline=None, derandomize=True)
