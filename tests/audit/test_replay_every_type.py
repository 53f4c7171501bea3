"""Replay of every registered strategy type: batches, filters, draws of arms, and a reload."""

import random
from pathlib import Path
from typing import Any

import pytest

from core.request import ListenReport, Request
from engine.arrivals import Arrival
from engine.config_snapshots import save_snapshot
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.state import MemoryState
from events.writer import EventWriter
from strategies import registry
from tests.audit.test_replay import replayed
from tests.service import WITH_VECTORS, Clock, events_in, loaded
from tests.worlds import every_type

FILTERS: list[dict[str, Any]] = [{"genre": "rock"}, {"year": {"min": 1995}}, {"tags": ["new"]}]


def every_arm(config: dict[str, Any], history: int) -> None:
    """Give each type an arm with its own draw, and an arm that draws by score."""
    entries = every_type()
    entries["filter"] |= {"request": True}
    entries["explore"] |= {"of": "session_vectors", "epsilon": 0.2}
    entries["artist_cap"] |= {"of": "interest"}
    config["catalog"] = WITH_VECTORS
    config["strategies"] |= entries
    arms: dict[str, Any] = {name: {"strategy": name} for name in entries}
    arms |= {f"{name}-drawn": {"strategy": name, "draw": "score"} for name in entries}
    config["experiments"] = [
        {
            "name": "all",
            "arms": {arm: {**said, "weight": 1 / len(arms)} for arm, said in arms.items()},
        }
    ]
    config["state"] = {"history": history, "session_gap_s": 900}


def arrivals(draw: random.Random, count: int) -> list[Arrival]:
    made = []
    for _ in range(count):
        user, track = draw.randrange(400), 1000 + 10 * draw.randrange(26)  # two are unknown
        if draw.random() < 0.05:
            sent: Any = ListenReport(user, track, draw.random(), final=True)
        else:
            filter_ = draw.choice(FILTERS) if draw.random() < 0.3 else {}
            sent = Request(user, track, draw.random(), n=draw.choice([1, 1, 3]), filter=filter_)
        made.append(Arrival(sent, 0.0))
    return made


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    draw, clock = random.Random(5), Clock()
    runtimes = [loaded(folder, lambda config, n=n: every_arm(config, n)) for n in (30, 7)]
    for runtime in runtimes:
        save_snapshot(runtime, folder / "log")
    log = EventWriter(folder / "log", 1 << 30, clock)
    dispatcher = Dispatcher(
        runtimes[0], MemoryState(999, 1e9, lambda: 0.0), log, ServerMetrics(), clock
    )
    for batch in range(400):
        if batch == 250:
            dispatcher.serve(runtimes[1])
        clock.tick(5)
        dispatcher.dispatch(arrivals(draw, draw.choice([1, 8, 32])))
    log.close()
    return folder


def test_every_decision_comes_out_the_same(played: Path) -> None:
    found = replayed(played)

    assert found.sound, found.mismatches
    assert found.events == len(events_in(played)) > 3000
    assert len(found.configs) == 2


def test_every_type_was_asked_and_most_of_them_answered(played: Path) -> None:
    events = [event for event in events_in(played) if "strategy" in event]

    assert {event["strategy"] for event in events} == set(registry.known())
    answered = {event["answered_by"] for event in events}
    assert {"session_lists", "session_vectors", "interest", "contextual", "random"} <= answered
    assert any("filter" in event for event in events)
