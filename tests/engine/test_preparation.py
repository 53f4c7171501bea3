"""Turns that come together: strategies prepare them together, and answer as they do one by one."""

import random
from pathlib import Path
from typing import Any

import pytest

from core.decision import Decision
from core.request import ListenReport, Request
from core.vectors import Vectors
from engine.arrivals import Arrival
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.state import MemoryState
from strategies import registry
from tests import needs
from tests.engine.test_batches import Log
from tests.redis_server import running_redis
from tests.service import WITH_VECTORS, Clock, loaded
from tests.shared_state import driver

NEAR = {"type": "session_vectors", "vectors": "taste", "draw": "score", "fallback": "random"}
WRAPPED = {"type": "artist_cap", "of": "near", "fallback": "random"}


def near_for_all(config: dict[str, Any]) -> None:
    """Let every arm find nearest tracks: by itself, wrapped, and with a draw of the arm."""
    config["catalog"] = WITH_VECTORS
    config["strategies"] |= {"near": NEAR, "capped": WRAPPED}
    config["default"] = "near"
    config["experiments"][0]["arms"] = {
        "C": {"strategy": "capped", "weight": 50},
        "T1": {"strategy": "near", "weight": 50, "draw": "rank"},
    }


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return loaded(tmp_path_factory.mktemp("world"), near_for_all, state={"history": 4})


def dispatcher_of(runtime: Runtime) -> Dispatcher:
    state = MemoryState(99, 3_600, lambda: 0.0)
    return Dispatcher(runtime, state, Log(), ServerMetrics(), Clock(), "s")


def some_arrivals(count: int) -> list[Arrival]:
    """Make turns of few listeners, so that some come twice in a batch, and some end a session."""
    draw = random.Random(11)
    made = []
    for number in range(count):
        user, track, heard = draw.randrange(12), 1000 + 10 * draw.randrange(24), draw.random()
        if draw.random() < 0.1:
            sent: Any = ListenReport(user, track, heard, final=draw.random() < 0.5)
        else:
            sent = Request(user, track, heard)
        made.append(Arrival(sent, 0.0, f"key {number}"))
    return made


def answers(turns: list[Any]) -> list[Any]:
    return [
        (turn.user, turn.tracks, turn.propensity, turn.candidates, turn.answered_by)
        for turn in turns
        if isinstance(turn, Decision)
    ]


def in_batches(dispatcher: Any, arrivals: list[Arrival], size: int) -> list[Any]:
    return [
        turn
        for start in range(0, len(arrivals), size)
        for turn in dispatcher.dispatch(arrivals[start : start + size])
    ]


@pytest.mark.parametrize("size", [2, 7, 32])
def test_a_batch_is_answered_as_its_turns_one_by_one(runtime: Runtime, size: int) -> None:
    alone = in_batches(dispatcher_of(runtime), some_arrivals(160), 1)

    together = in_batches(dispatcher_of(runtime), some_arrivals(160), size)

    assert answers(together) == answers(alone)
    assert {turn.answered_by for turn in together if isinstance(turn, Decision)} >= {"near"}


@needs.program("redis-server")
def test_a_batch_over_redis_is_answered_as_its_turns_one_by_one(
    runtime: Runtime, tmp_path: Path
) -> None:
    alone = in_batches(dispatcher_of(runtime), some_arrivals(160), 1)

    with (
        running_redis(tmp_path) as server,
        driver(runtime, server, Log(), Clock(), "s") as shared,
    ):
        together = in_batches(shared, some_arrivals(160), 32)

    assert answers(together) == answers(alone)


def test_only_chains_whose_first_member_gains_by_it_are_prepared(runtime: Runtime) -> None:
    prepared = {name for name, chain in runtime.chains.items() if chain.prepare is not None}
    assert prepared == {"near", "capped"}


def test_turns_of_arms_that_gain_nothing_cost_no_preparation(tmp_path: Path) -> None:
    def near_in_one_arm(config: dict[str, Any]) -> None:
        near_for_all(config)
        config["default"] = "random"
        config["experiments"][0]["arms"]["C"] = {"strategy": "random", "weight": 50}

    def near_in_no_arm(config: dict[str, Any]) -> None:
        near_for_all(config)
        config["default"], config["experiments"] = "random", []

    one_arm = loaded(tmp_path / "one", near_in_one_arm)
    dispatcher = dispatcher_of(one_arm)
    arrivals = [Arrival(Request(user, 1000, 1.0), 0.0) for user in range(30)]
    dispatcher.dispatch(arrivals)
    expected = list(dispatcher._expected(arrivals, 0))

    assert 0 < len(expected) < 30
    assert {assignment.strategy for _, _, assignment in expected} == {"near"}
    assert one_arm.prepares
    assert not loaded(tmp_path / "none", near_in_no_arm).prepares


def test_turns_after_a_reload_are_not_expected_in_arms_that_may_be_gone(
    runtime: Runtime, tmp_path: Path
) -> None:
    def renamed(config: dict[str, Any]) -> None:
        near_for_all(config)
        config["strategies"]["nearest"] = config["strategies"].pop("near")
        config["strategies"]["capped"] = WRAPPED | {"of": "nearest"}
        config["default"] = "nearest"
        config["experiments"] = []

    dispatcher = dispatcher_of(runtime)
    arrivals = [Arrival(Request(user, 1000, 1.0), 0.0) for user in range(30)]
    dispatcher.dispatch(arrivals)
    dispatcher.serve(loaded(tmp_path, renamed))

    answered = dispatcher.dispatch(arrivals)

    assert {turn.answered_by for turn in answered if isinstance(turn, Decision)} == {"nearest"}


class Counted(Vectors):
    """Vectors that count the queries of products for several."""

    queries = 0

    def near_all(self, queries: Any, k: int, without: Any) -> Any:
        self.queries += len(queries)
        return super().near_all(queries, k, without)


def test_known_listeners_are_prepared_and_get_what_was_prepared(runtime: Runtime) -> None:
    dispatcher = dispatcher_of(runtime)
    strategies = [runtime.chains[name].members[0][1].__self__ for name in ("near", "capped")]
    near: Any = strategies[0]
    near._vectors.__class__ = Counted
    dispatcher.dispatch([Arrival(Request(user, 1000, 1.0), 0.0) for user in range(6)])
    assert near._vectors.queries == 0

    dispatcher.dispatch([Arrival(Request(user, 1010, 0.5), 0.0) for user in range(6)])

    assert near._vectors.queries == 6
    assert near._prepared == {}


def test_a_preparation_that_raises_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "TYPES", registry.TYPES.copy())
    (tmp_path / "broken_preparation.py").write_text(
        "from segue import Candidates, Params, strategy\n"
        "@strategy('broken_preparation', Params)\n"
        "class Broken:\n"
        "    def __init__(self, params, artifacts): pass\n"
        "    def prepare(self, listeners): raise ValueError\n"
        "    def propose(self, listener): return Candidates([0])\n"
    )

    def broken(config: dict[str, Any]) -> None:
        config["modules"] = ["broken_preparation"]
        config["strategies"]["broken"] = {"type": "broken_preparation", "fallback": "random"}
        config["default"] = "broken"
        config["experiments"] = []

    dispatcher = dispatcher_of(loaded(tmp_path, broken))
    arrivals = [Arrival(Request(user), 0.0) for user in range(3)]
    dispatcher.dispatch(arrivals)

    assert [turn.answered_by for turn in dispatcher.dispatch(arrivals)] == ["broken"] * 3
