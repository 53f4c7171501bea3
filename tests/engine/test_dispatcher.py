"""The dispatcher with every strategy type: the log has the answers, and explains each of them."""

import dataclasses
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.handlers import RECOMMEND
from core.decision import Decision, Feedback
from core.errors import EventLogError
from core.listener import History, Listener, unpack
from core.request import ListenReport, Request
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.state import ListenerRecord, MemoryState
from segue.testing import small_world
from tests import service
from tests.service import CONFIG, events_in, loaded, running
from tests.worlds import every_type

TYPES = every_type()


EVERY_TYPE_IN_AN_ARM: dict[str, Any] = {
    "catalog": service.WITH_VECTORS,
    "strategies": {**small_world.CONFIGURED, **TYPES},
    "default": "random",
    "experiments": [
        {
            "name": "types",
            "arms": {name: {"strategy": name, "weight": 100 / len(TYPES)} for name in TYPES},
        }
    ],
}


class Log:
    """A log in memory that takes no line while `full`."""

    def __init__(self) -> None:
        self.turns: list[Decision | Feedback] = []
        self.full = False

    def append_all(self, turns: Sequence[Decision | Feedback]) -> None:
        if self.full:
            raise EventLogError("no space left on device")
        self.turns += turns


JSON_TYPE = [(b"content-type", b"application/json")]


def dispatcher_of(runtime: Runtime, log: Log | None = None, history: int = 100) -> Dispatcher:
    state = MemoryState(1_000, 3_600, lambda: 0.0)
    settings = runtime.settings
    kept = settings.state.model_copy(update={"history": history})
    runtime = dataclasses.replace(runtime, settings=dataclasses.replace(settings, state=kept))
    clock = service.Clock()
    return Dispatcher(runtime, state, log or Log(), ServerMetrics(), clock)


def test_over_10000_requests_the_arm_logged_is_the_arm_answered(tmp_path: Path) -> None:
    """And each track is one that the strategy in `answered_by` proposed."""
    rng = random.Random(7)
    answers = []
    asks = []
    with running(tmp_path, **EVERY_TYPE_IN_AN_ARM) as client:
        handlers = client.app.handlers  # type: ignore[attr-defined]
        runtime = handlers.dispatcher.runtime
        ids = runtime.catalog.ids

        def play() -> None:
            for _ in range(10_000):
                ask: dict[str, Any] = {"user": rng.randrange(500)}
                if rng.random() < 0.9:
                    time = rng.choice([0.0, 0.05, 0.2, 0.7, 1.0])
                    ask |= {"track": rng.choice(ids), "time": time}
                asks.append(ask)
                answer = handlers.answer(RECOMMEND, json.dumps(ask).encode(), JSON_TYPE)
                answers.append(json.loads(answer.body))

        assert client.portal is not None
        client.portal.call(play)  # on the server's thread, as only one thread may append
    events = {event["decision"]: event for event in events_in(tmp_path)}

    assert len(events) == 10_000
    for answer in answers:
        event = events[answer["decision"]]
        assert event["experiments"] == answer["experiments"]
        assert event["experiments"]["types"] == event["strategy"] == answer["strategy"]
        assert event["recommendation"] == answer["track"]
        assert event["answered_by"] == answer["answered_by"]
    assert {event["strategy"] for event in events.values()} == set(TYPES)
    assert_explained(runtime, asks, [events[answer["decision"]] for answer in answers])


def assert_explained(
    runtime: Runtime, asks: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    """Assert that the named strategy proposed each answered track, with the logged propensity."""
    log = Log()
    again = dispatcher_of(runtime, log)
    for ask, event in zip(asks, events, strict=True):
        again.recommend(Request(**ask), 0.0)
        record = again.state.get(str(ask["user"]))
        assert record is not None
        history = record.history
        listener = Listener(str(ask["user"]), history.listens, history.session_start, history.turn)
        chain = runtime.chains[event["strategy"]]
        name, propose = chain.members[event["depth"]]
        for _, before in chain.members[: event["depth"]]:
            assert before(listener) is None
        candidates = propose(listener)
        assert candidates is not None
        assert event["answered_by"] == (candidates.source or name)
        assert event["candidates"] == len(candidates)
        track = runtime.catalog.index_of(event["recommendation"])
        assert event["propensity"] == pytest.approx(candidates.chance_of(track))


def test_a_change_of_the_config_alone_moves_listeners_to_a_new_arm(tmp_path: Path) -> None:
    """The listener and the request stay the same; only config.yaml changes."""
    seen = []
    for version, weights in enumerate(((100, 0), (0, 100)), start=1):
        arms = {
            "C": {"strategy": "contextual", "weight": weights[0]},
            "T1": {"strategy": "improved", "weight": weights[1]},
        }
        experiment = {"name": "fallback", "arms": arms, "version": version}
        clock = service.Clock(service.START_MS + version)
        with running(tmp_path, clock=clock, experiments=[experiment]) as client:
            answer = client.post("/recommend", json={"user": 7}).json()
            seen.append((answer["experiments"]["fallback"], answer["strategy"]))
    assert seen == [("C", "contextual"), ("T1", "improved")]
    logged = [(e["experiments"]["fallback"], e["strategy"]) for e in events_in(tmp_path)]
    assert logged == seen


def test_remembered_arms_agree_with_the_allocation(tmp_path: Path) -> None:
    """Under whichever config, and whatever the listener's requests before were like."""
    rng = random.Random(7)
    first = CONFIG["experiments"][0]
    others = ({}, {"salt": "another"}, {"salt": "third", "targeting": {"country": ["NL"]}})
    runtimes = [
        loaded(tmp_path / str(number), experiments=[{**first, **other}])
        for number, other in enumerate(others)
    ]
    dispatcher = dispatcher_of(runtimes[0])
    for _ in range(1_000):
        if rng.random() < 0.05:
            dispatcher.serve(rng.choice(runtimes))
        user = rng.randrange(10)
        attributes = rng.choice([None, None, {"country": "NL"}, {"country": "DE"}])
        forced = rng.choice([None, None, None, {"fallback": "T1"}])
        ask = Request(user=user, attributes=attributes)
        decision = dispatcher.recommend(ask, 0.0, forced=forced)
        expected = dispatcher.runtime.allocation.assign(str(user), attributes, forced)
        assert decision.assignment == expected


def test_the_metrics_count_the_answers(tmp_path: Path) -> None:
    dispatcher = dispatcher_of(loaded(tmp_path))
    for user in range(50):
        dispatcher.recommend(Request(user=user), 0.0)
    counted: Counter[str] = Counter()
    for kind, answers in dispatcher.metrics.answers.items():
        assert not kind.forced
        assert kind.experiment == "fallback"
        assert kind.arm == ("C" if kind.strategy == "contextual" else "T1")
        assert kind.answered_by == "random"  # nobody has a previous track
        counted[kind.strategy] += answers.count
    assert set(counted) == {"contextual", "improved"}
    assert sum(counted.values()) == 50


turns = st.lists(
    st.tuples(
        st.sampled_from(["recommend", "feedback", "final", "full"]),
        st.sampled_from([1000, 1010, 1100, "elsewhere"]),
        st.sampled_from([0.0, 0.5, 1.0]),
    ),
    max_size=12,
)


@given(turns=turns)
def test_a_turn_that_could_not_be_logged_never_happened(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[str, int | str, float]]
) -> None:
    """Failed turns leave the history that the remaining turns alone would leave."""
    runtime = world_runtime(tmp_path_factory)
    log = Log()
    disturbed = dispatcher_of(runtime, log, history=4)
    quiet = dispatcher_of(runtime, history=4)
    ended: tuple[int | str, float] | None = None  # by the last turn, with a known track
    for kind, track, time in turns:
        if kind == "full":
            log.full = True
            with pytest.raises(EventLogError):
                disturbed.recommend(Request(user=7, track=track, time=time), 0.0)
            final = ListenReport(user=7, track=track, time=time, final=True)
            if ended == (track, time):
                assert disturbed.feedback(final, 0.0).id == "", "its line is on file already"
            else:
                with pytest.raises(EventLogError):
                    disturbed.feedback(final, 0.0)
            log.full = False
            continue
        ended = (track, time) if kind == "final" and track != "elsewhere" else None
        for dispatcher in (disturbed, quiet):
            if kind == "recommend":
                dispatcher.recommend(Request(user=7, track=track, time=time), 0.0)
            else:
                heard = ListenReport(user=7, track=track, time=time, final=kind == "final")
                dispatcher.feedback(heard, 0.0)
    mine, theirs = disturbed.state.get("7"), quiet.state.get("7")
    if theirs is None:
        assert mine is None
        return
    assert mine is not None
    assert mine.history.listens == theirs.history.listens
    assert (mine.history.session_start, mine.history.turn) == (
        theirs.history.session_start,
        theirs.history.turn,
    )
    assert len(mine.history.listens) <= 4


_RUNTIME: list[Runtime] = []


def world_runtime(factory: pytest.TempPathFactory) -> Runtime:
    """Load one runtime for all examples: Hypothesis calls a test many times within one fixture."""
    if not _RUNTIME:
        _RUNTIME.append(loaded(factory.mktemp("world")))
    return _RUNTIME[0]


def test_a_history_keeps_the_newest_listens(tmp_path: Path) -> None:
    dispatcher = dispatcher_of(loaded(tmp_path), history=3)
    for step in range(5):
        dispatcher.recommend(Request(user=7, track=1000 + 10 * step, time=step / 10), 0.0)

    record = dispatcher.state.get("7")
    assert record is not None
    assert [unpack(word) for word in record.history.listens] == [(2, 0.2), (3, 0.3), (4, 0.4)]


def test_a_listener_with_100_listens_takes_less_than_1500_bytes(tmp_path: Path) -> None:
    """Exact and not a timing: the interpreter says what it allocated."""
    dispatcher = dispatcher_of(loaded(tmp_path))
    dispatcher.log.append_all = lambda turns: None  # type: ignore[method-assign]
    asks = [Request(user=user, track=1000, time=0.5) for user in range(200)]
    dispatcher.recommend(Request(user="another"), 0.0)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(100):
        for ask in asks:
            dispatcher.recommend(ask, 0.0)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown / len(asks) < 1_500


@pytest.mark.parametrize("max_listeners", [1, 3])
def test_beyond_the_limit_the_least_recently_seen_are_forgotten(max_listeners: int) -> None:
    state = MemoryState(max_listeners, 60, lambda: 1.0)
    catalog = small_world.small_catalog()
    for user in range(5):
        state.keep(str(user), ListenerRecord(History(catalog)))
        state.get("0")  # keeps 0 fresh for as long as it is there

    assert len(state) == max_listeners


def test_a_listener_is_forgotten_after_silence_and_renewed_by_turns() -> None:
    now = [0.0]
    state = MemoryState(10, 60, lambda: now[0])
    catalog = small_world.small_catalog()
    state.keep("7", ListenerRecord(History(catalog)))
    for at in (40.0, 80.0, 120.0):  # each turn within the time to live of the one before
        now[0] = at
        record = state.get("7")
        assert record is not None
        state.keep("7", record)
    now[0] = 180.1
    assert state.get("7") is None
