"""Calls that arrive together: each gets its own answer, and a key makes one turn."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from app.admin import Admin
from app.handlers import FEEDBACK, RECOMMEND, Call, Handlers
from app.idempotency import AnsweredKeys
from app.responses import HttpResponse
from engine.dispatcher import Dispatcher
from engine.health import Health
from engine.metrics import ServerMetrics
from engine.state import MemoryState
from events.writer import EventWriter
from tests.service import Clock, events_in, loaded


@pytest.fixture
def handlers(tmp_path: Path) -> Handlers:
    state = MemoryState(1_000, 3_600, time.monotonic)
    log = EventWriter(tmp_path / "log", 10**9, Clock())
    dispatcher = Dispatcher(loaded(tmp_path), state, log, ServerMetrics(), Clock())
    return Handlers(dispatcher, AnsweredKeys(10**6, 100, 60, time.monotonic), Admin(), Health())


def call(body: Any, key: str | None = None, route: Any = RECOMMEND) -> Call:
    headers = [(b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    return Call(route, json.dumps(body).encode(), headers, "", 0.0)


def test_each_call_of_a_batch_has_its_own_answer(handlers: Handlers, tmp_path: Path) -> None:
    answers = handlers.answer_all(
        [call({"user": 1}), call({"user": 1.5}), call({"user": 3, "track": 1000, "time": 1}),
         call({"user": 3, "track": 1000, "time": 0.5}, route=FEEDBACK)]
    )  # fmt: skip
    assert [answer.status for answer in answers] == [200, 422, 200, 200]
    assert [json.loads(answers[at].body)["user"] for at in (0, 2, 3)] == [1, 3, 3]
    assert [event["user"] for event in events_in(tmp_path)] == [1, 3, 3]


def test_a_key_twice_in_one_batch_is_one_turn(handlers: Handlers, tmp_path: Path) -> None:
    body = {"user": 1, "track": 1000, "time": 0.5}
    answers = handlers.answer_all([call(body, "k"), call({"user": 2}), call(body, "k")])
    assert answers[0].body == answers[2].body
    assert handlers.answer_all([call(body, "k")])[0].body == answers[0].body
    assert [event["user"] for event in events_in(tmp_path)] == [1, 2]


def test_a_key_twice_in_one_batch_with_two_bodies_is_refused(handlers: Handlers) -> None:
    answers = handlers.answer_all([call({"user": 1}, "k"), call({"user": 1, "n": 2}, "k")])
    assert [answer.status for answer in answers] == [200, 422]
    assert b"idempotency_key_reused" in answers[1].body


def test_a_refused_turn_keeps_no_answer_for_its_key(handlers: Handlers, tmp_path: Path) -> None:
    everything = list(range(1000, 1240, 10))
    refused = call({"user": 1, "exclude": everything}, "k")
    answers = handlers.answer_all([refused, refused])
    assert [answer.status for answer in answers] == [422, 422]
    assert handlers.answer_all([call({"user": 1}, "k")])[0].status == 200
    assert len(events_in(tmp_path)) == 1


def test_kept_answers_stay_within_their_bytes() -> None:
    kept = AnsweredKeys(max_bytes=10_000, max_keys=10**9, ttl_s=60, timer=lambda: 0.0)
    for number in range(1000):
        key = ("recommend", "7", str(number))
        kept.keep(key, b"b" * 200, HttpResponse(200, b"a" * 200))
    found = [n for n in range(1000) if kept.find(("recommend", "7", str(n)), b"b" * 200)]
    assert found == list(range(990, 1000)), "1,000 bytes each, and the newest stay"
    kept.keep(("recommend", "7", "huge"), b"b" * 10_000, HttpResponse(200, b""))
    assert kept.find(("recommend", "7", "huge"), b"b" * 10_000) is None
    assert kept.find(("recommend", "7", "999"), b"b" * 200) is not None


def test_kept_answers_stay_within_their_number_and_time() -> None:
    now = [0.0]
    kept = AnsweredKeys(max_bytes=10**9, max_keys=2, ttl_s=60, timer=lambda: now[0])
    for number in "123":
        kept.keep(("recommend", "7", number), b"", HttpResponse(200, b"a"))
    assert kept.find(("recommend", "7", "1"), b"") is None
    assert kept.find(("recommend", "7", "3"), b"") is not None
    now[0] = 61.0
    assert kept.find(("recommend", "7", "3"), b"") is None
