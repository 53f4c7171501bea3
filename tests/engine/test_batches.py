"""Turns in batches: each has its own outcome, and an acknowledged turn is on file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.decision import Decision, Feedback
from core.errors import EventLogError, NoCandidatesLeft
from core.request import ListenReport, Request
from engine.arrivals import Arrival
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.state import MemoryState
from events.schema import line
from tests.service import Clock, loaded

EVERYTHING = tuple(range(1000, 1240, 10))
_RUNTIMES: dict[bool, Runtime] = {}


class Log:
    """A log in memory whose disk has room for a number of lines."""

    def __init__(self, room: int = 10_000) -> None:
        self.turns: list[Decision | Feedback] = []
        self.writes = 0
        self.room = room

    def append_all(self, turns: Sequence[Decision | Feedback]) -> None:
        self.writes += 1
        fitting = turns[: self.room]
        self.turns += fitting
        self.room -= len(fitting)
        if len(fitting) < len(turns):
            raise EventLogError("no space left on device", len(fitting))


@pytest.fixture(scope="module", autouse=True)
def _runtimes(tmp_path_factory: pytest.TempPathFactory) -> None:
    for resets in (False, True):
        state = {"history": 3, "reset_state_on_new_experiment": resets}
        folder = tmp_path_factory.mktemp("world")
        targeted = {
            "name": "late",
            "layer": "client",
            "targeting": {"country": ["nl"]},
            "arms": {"one": {"weight": 50}, "two": {"weight": 50}},
        }

        def with_late(config: dict[str, Any], targeted: dict[str, Any] = targeted) -> None:
            config["experiments"].append(targeted)

        _RUNTIMES[resets] = loaded(folder, with_late, state=state)


def dispatcher_of(log: Log, resets: bool = False, stem: str = "s") -> Dispatcher:
    state = MemoryState(1_000, 3_600, lambda: 0.0)
    made = Dispatcher(_RUNTIMES[resets], state, log, ServerMetrics(), Clock())
    made._id_stem = stem
    return made


def arrivals_of(*sent: Request | ListenReport) -> list[Arrival]:
    return [Arrival(each, 0.0) for each in sent]


def test_a_batch_is_one_write() -> None:
    log = Log()
    outcomes = dispatcher_of(log).dispatch(arrivals_of(*(Request(user) for user in range(50))))
    assert log.writes == 1
    assert outcomes == log.turns


def test_two_turns_of_one_listener_in_one_batch_keep_their_order() -> None:
    log = Log()
    dispatcher_of(log).dispatch(
        arrivals_of(
            Request(7, 1000, 0.5), Request(8), ListenReport(7, 1010, 0.25), Request("7", 1020, 1.0)
        )
    )
    mine = [turn for turn in log.turns if str(turn.user) == "7"]
    assert [(turn.number, turn.track) for turn in mine] == [(1, 1000), (2, 1010), (3, 1020)]
    assert {turn.session for turn in mine} == {mine[0].id}


def test_a_turn_that_fails_leaves_the_remaining_turns_alone_and_takes_no_id() -> None:
    log = Log()
    refused = Request(7, 1000, 0.5, exclude=EVERYTHING)
    outcomes = dispatcher_of(log).dispatch(arrivals_of(Request(7), refused, Request(7, 1010, 1.0)))
    assert isinstance(outcomes[1], NoCandidatesLeft)
    assert [turn.id for turn in log.turns] == ["s-1", "s-2"]
    assert [turn.number for turn in log.turns] == [1, 2]


@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_a_write_that_fails_refuses_the_turns_whose_lines_are_not_in_it(room: int) -> None:
    log = Log(room)
    dispatcher = dispatcher_of(log)
    outcomes = dispatcher.dispatch(arrivals_of(Request(7), Request(8), Request(7, 1000, 0.5)))
    assert outcomes[:room] == log.turns
    assert all(isinstance(each, EventLogError) for each in outcomes[room:])
    log.room = 10
    dispatcher.dispatch(arrivals_of(Request(7, 1010, 1.0)))
    assert [turn.id for turn in log.turns] == [f"s-{number + 1:x}" for number in range(room + 1)]
    assert log.turns[-1].number == sum(str(turn.user) == "7" for turn in log.turns)


def end(user: int | str = 7, time: float = 0.5, track: int | str = 1010) -> ListenReport:
    return ListenReport(user, track, time, final=True)


@pytest.mark.parametrize("batches", [1, 3], ids=["in-one-batch", "one-after-another"])
def test_an_end_that_is_sent_again_is_answered_and_no_turn(batches: int) -> None:
    log = Log()
    dispatcher = dispatcher_of(log)
    sent = arrivals_of(Request(7), end(), end("7"), end())
    dispatcher.dispatch(sent[:1])
    size = 3 // batches
    outcomes = [
        outcome
        for start in range(1, 4, size)
        for outcome in dispatcher.dispatch(sent[start : start + size])
    ]

    assert [turn.id for turn in log.turns] == ["s-1", "s-2"]
    assert all(isinstance(each, Feedback) and str(each.user) == "7" for each in outcomes)
    dispatcher.dispatch(arrivals_of(Request(7)))
    assert [(turn.id, turn.number) for turn in log.turns][-1] == ("s-3", 3)


@pytest.mark.parametrize(
    "again",
    [
        end(time=0.6),
        end(track=1020),
        ListenReport(7, 1010, 0.5),
        Request(7, 1010, 0.5),
        end(user=8),
        end(track="elsewhere"),
    ],
    ids=["longer", "other-track", "not-final", "a-request", "other-listener", "unknown-track"],
)
def test_what_differs_from_the_end_is_a_turn(again: Request | ListenReport) -> None:
    log = Log()
    dispatcher = dispatcher_of(log)
    first = end(track="elsewhere") if again.track == "elsewhere" else end()
    dispatcher.dispatch(arrivals_of(Request(7), first, again))
    assert len(log.turns) == 3


def test_the_same_end_after_a_silence_or_within_a_session_is_a_turn() -> None:
    log = Log()
    dispatcher = dispatcher_of(log)
    clock = dispatcher._now_ms
    assert isinstance(clock, Clock)
    dispatcher.dispatch(arrivals_of(Request(7), end()))
    clock.tick(1801)
    dispatcher.dispatch(arrivals_of(end()))
    dispatcher.dispatch(arrivals_of(Request(7), end()))
    assert [turn.number for turn in log.turns] == [1, 2, 3, 4, 5]


def test_an_end_whose_line_is_not_on_file_fails_with_its_repeats() -> None:
    log = Log(1)
    dispatcher = dispatcher_of(log)
    outcomes = dispatcher.dispatch(arrivals_of(Request(7), end(), end()))
    assert [isinstance(each, EventLogError) for each in outcomes] == [False, True, True]
    log.room = 10
    dispatcher.dispatch(arrivals_of(end()))
    assert [turn.id for turn in log.turns] == ["s-1", "s-2"]


SENT = some.builds(
    lambda kind, user, track, time, attributes, exclude: (
        Request(user, track, time, attributes, exclude=exclude)
        if kind == "request"
        else ListenReport(user, track or 1000, time or 0.0, attributes, final=kind == "final")
    ),
    some.sampled_from(["request", "report", "final"]),
    some.sampled_from([1, 2, "2"]),
    some.sampled_from([1000, 1070, "elsewhere"]),
    some.sampled_from([0.0, 0.25, 1.0]),
    some.sampled_from([None, {"country": "nl"}]),
    some.sampled_from([(), (), (), EVERYTHING]),
)


@given(some.lists(some.tuples(some.lists(SENT, min_size=1, max_size=6), some.integers(0, 6))),
       some.booleans())  # fmt: skip
def test_a_refused_turn_leaves_no_trace(
    batches: list[tuple[list[Request | ListenReport], int]], resets: bool
) -> None:
    """A server that gets only the accepted turns, one at a time, has the same state and log."""
    log, plain_log = Log(), Log()
    batched, plain = dispatcher_of(log, resets), dispatcher_of(plain_log, resets)
    for sent, room in batches:
        log.room = room
        outcomes = batched.dispatch(arrivals_of(*sent))
        for each, outcome in zip(sent, outcomes, strict=True):
            if not isinstance(outcome, Exception):
                plain.dispatch(arrivals_of(each))
    for turn in (*log.turns, *plain_log.turns):
        turn.latency_s = 0.0
        if isinstance(turn, Decision):
            turn.took_us = 0.0
    assert [json.loads(line(turn)) for turn in log.turns] == [
        json.loads(line(turn)) for turn in plain_log.turns
    ]
    assert batched.metrics.listeners == plain.metrics.listeners
    assert len(batched.state) == len(plain.state)
    for user in ("1", "2"):
        one, other = batched.state.get(user), plain.state.get(user)
        if one is None or other is None:
            assert one is other
            continue
        assert one.exposed_experiments == other.exposed_experiments
        for field in ("listens", "session_start", "session", "turn", "seen_ms"):
            assert getattr(one.history, field) == getattr(other.history, field)


def test_an_interrupt_takes_the_whole_batch_back(tmp_path: Path) -> None:
    log = Log()
    dispatcher = dispatcher_of(log)

    def interrupted(turns: object) -> None:
        raise KeyboardInterrupt

    log.append_all = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        dispatcher.dispatch(arrivals_of(Request(7), Request(7, 1000, 0.5)))
    assert len(dispatcher.state) == 0
    del log.append_all  # type: ignore[method-assign]
    dispatcher.dispatch(arrivals_of(Request(7)))
    assert [(turn.id, turn.number) for turn in log.turns] == [("s-1", 1)]
