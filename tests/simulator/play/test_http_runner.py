"""Sessions over HTTP: the same as in process, and no error ever counts as a track."""

import asyncio
import json
from collections.abc import Callable, Collection
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InputError, SegueError
from segue.testing.small_world import small_catalog
from simulator.listeners.botify import BotifyListeners
from simulator.play import http_runner
from simulator.play.http_runner import HttpRunner
from simulator.play.in_process_runner import InProcessRunner
from simulator.play.workers import Outcome
from simulator.recommenders.in_process import DispatcherRecommender, load_in_process
from simulator.world.world import World
from tests.service import events_in, write_config
from tests.simulator.servers import HANG_UP, SILENCE, Asked, answer, made, serving
from tests.simulator.tiny import botify

SEED = 12
TIMEOUT_S = 10


def small_world() -> World:
    """Vectors and listeners over the small catalog; one listener's id has to be quoted."""
    rng = np.random.default_rng(5)
    return World(
        small_catalog(),
        rng.normal(size=(24, 6)).astype(np.float32),
        [1, 2, 3, "4", 5, 6, 7, "ü b?"],
        rng.integers(0, 24, (8, 2)),
        rng.uniform(-1, 2, 8),
        rng.uniform(0.5, 2, 8),
    )


def model() -> BotifyListeners:
    return botify(small_world(), SEED)


def over_http(url: str, connections: int = 4, sessions: int = 60, **options: Any) -> Outcome:
    listeners = model()
    player = HttpRunner(listeners, url, SEED, connections, keep_truth=True, **options)
    try:
        return player.play(listeners.plan_day(0, sessions))
    finally:
        player.close()


def next_by_number(asked: Asked) -> bytes:
    """Recommend the track after the one heard, so the answer to a body never varies."""
    if asked.path == "/feedback" or asked.path.startswith("/last/"):
        return answer({"user": 1})
    return answer(
        {
            "track": 1000 + (asked.body["track"] - 1000 + 10) % 240,
            "experiments": {},
            "strategy": "s",
        }
    )


@pytest.mark.parametrize("connections", [1, 5, 40], ids=lambda n: f"{n}-connections")
def test_a_fresh_server_answers_as_the_dispatcher_in_process(
    tmp_path: Path, connections: int
) -> None:
    with serving(tmp_path) as url:
        outcome = over_http(url, connections)
    assert not outcome.errors
    listeners = model()
    serving_here = load_in_process(write_config(tmp_path))
    local = DispatcherRecommender(serving_here, listeners.world, SEED, 16)
    here = InProcessRunner(listeners, local, 16, keep_truth=True).play(listeners.plan_day(0, 60))
    assert outcome.truth == here.truth
    assert {json.loads(line)["experiments"] for line in here.truth.values()} == {
        "fallback=C",
        "fallback=T1",
    }


def test_the_log_of_the_server_equals_the_truth_log(tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        outcome = over_http(url)
    logged: dict[str, list[tuple[object, object]]] = {}
    for event in events_in(tmp_path):
        logged.setdefault(event["session"], []).append((event["track"], event["time"]))
    truth = [json.loads(line) for line in outcome.truth.values()]
    heard = [list(zip(each["tracks"], each["times"], strict=True)) for each in truth]
    assert sorted(logged.values()) == sorted(heard)
    assert {event["message"] for event in events_in(tmp_path)} == {"next", "last"}
    assert len({event["key"] for event in events_in(tmp_path)}) == outcome.requests


def test_botifys_api_plays_the_same_sessions(tmp_path: Path) -> None:
    with serving(tmp_path / "a") as url:
        ours = over_http(url)
    with serving(tmp_path / "b") as url:
        theirs = over_http(url, botify=True)
    assert not theirs.errors
    assert theirs.sessions.listener.tolist() == ours.sessions.listener.tolist()
    assert {event["user"] for event in events_in(tmp_path / "b")} >= {"ü b?", 4}


@pytest.mark.parametrize("form", ["length", "chunked", "close"])
def test_every_http_framing_of_a_response_is_read(form: str) -> None:
    def reply(asked: Asked, number: int) -> bytes:
        body = next_by_number(asked).partition(b"\r\n\r\n")[2]
        return answer(body, form=form)

    with made(reply) as server:
        framed = over_http(server.url)
    with made(lambda asked, number: next_by_number(asked)) as server:
        plain = over_http(server.url)
    assert framed.truth == plain.truth
    assert not framed.errors


FAULTS: dict[str, tuple[Any, str]] = {
    "busy": (answer({"error": {}}, 503), "status 503"),
    "broken": (answer(b"oops", 500), "status 500"),
    "hangs-up": (HANG_UP, "connection closed"),
    "silent": (SILENCE, f"no answer within {TIMEOUT_S} s"),
    "no-http": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "no HTTP"),
}


class MovableClock(asyncio.SelectorEventLoop):
    """An event loop whose time a test can move on."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


def play_with(
    fault: str, numbers: Collection[int], botify: bool = False
) -> tuple[Outcome, list[Asked]]:
    """Play against a server that has a fault at some of its requests.

    No timeout passes by itself, however slow the machine is: where the server keeps silent, the
    test moves the client's clock. So no second request may be under way then.
    """
    failing, _ = FAULTS[fault]
    clock = MovableClock()

    def reply(asked: Asked, number: int) -> Any:
        if number not in numbers:
            return next_by_number(asked)
        if failing is SILENCE:
            clock.ahead_s += TIMEOUT_S + 1
        return failing

    with made(reply) as server:
        connections = 1 if failing is SILENCE else 4
        outcome = over_http(server.url, connections, botify=botify, timeout_s=TIMEOUT_S, loop=clock)
    return outcome, server.asked


@pytest.mark.parametrize("fault", FAULTS)
def test_a_transient_failure_is_retried_and_changes_nothing(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_runner, "PAUSES_S", (0.001,) * 4)
    with made(lambda asked, number: next_by_number(asked)) as server:
        sound = over_http(server.url)
    outcome, requests = play_with(fault, (3, 50, 51, 120))
    assert outcome.errors == {FAULTS[fault][1]: 4}
    assert (outcome.retried, outcome.given_up) == (4, 0)
    assert outcome.truth == sound.truth
    keys = [asked.headers["idempotency-key"] for asked in requests]
    assert len(keys) - len(set(keys)) == 4, "a retry has the key of the first try"


def wrong(what: Any, status: int = 200) -> Callable[[Asked, int], bytes]:
    """Make a server that answers listener 2 wrongly."""

    def reply(asked: Asked, number: int) -> bytes:
        return (
            answer(what, status)
            if asked.body["user"] == 2 and asked.path == "/recommend"
            else next_by_number(asked)
        )

    return reply


@pytest.mark.parametrize(
    ("what", "status", "kind"),
    [
        pytest.param({"track": 77}, 200, "a track that the catalog does not have", id="unknown"),
        pytest.param({"tracks": [1000]}, 200, "an answer without a track", id="no-track"),
        pytest.param({"track": None}, 200, "an answer without a track", id="null"),
        pytest.param({"track": 1000.0}, 200, "an answer without a track", id="float"),
        pytest.param([1000], 200, "an answer without a track", id="array"),
        pytest.param(b"<html>1000</html>", 200, "an answer without a track", id="html"),
        pytest.param(b"", 200, "an answer without a track", id="empty"),
        pytest.param({"track": 1000}, 404, "status 404", id="not-found-with-a-track"),
        pytest.param({"track": 1000}, 422, "status 422", id="refused"),
    ],
)
def test_a_wrong_answer_is_never_taken_for_a_track(what: Any, status: int, kind: str) -> None:
    with made(wrong(what, status)) as server:
        outcome = over_http(server.url)
    listeners = model()
    of_two = int((listeners.plan_day(0, 60).listener == 1).sum())
    assert of_two > 0
    assert outcome.errors == {kind: of_two}
    assert (outcome.given_up, outcome.retried, outcome.unfinished) == (of_two, 0, 0)
    assert len(outcome.sessions) == 60 - of_two
    assert 1 not in outcome.sessions.listener
    ends = [
        asked for asked in server.asked if asked.path == "/feedback" and asked.body["user"] == 2
    ]
    assert len(ends) == of_two, "the server got the end of each of these sessions"


@pytest.mark.parametrize("fault", ["busy", "hangs-up", "silent"])
def test_a_botify_server_gets_no_request_twice(fault: str) -> None:
    """Botify has no keys, so it would count a repeated request twice."""
    outcome, _ = play_with(fault, (20,), botify=True)
    assert outcome.errors == {FAULTS[fault][1]: 1}
    assert (outcome.given_up, outcome.retried) == (1, 0)
    assert len(outcome.sessions) == 59


def test_playing_ends_when_the_server_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_runner, "PAUSES_S", (0.001,) * 4)
    with made(lambda asked, number: HANG_UP if number > 100 else next_by_number(asked)) as server:
        outcome = over_http(server.url, sessions=500)
    assert 0 < len(outcome.sessions) < 100
    assert outcome.unfinished > 300
    assert outcome.errors["connection closed"] > 4


def session_of(asked: Asked) -> int:
    """Return the number of the session that a request belongs to."""
    return int(asked.headers["idempotency-key"].split("-")[1])


def test_stopping_keeps_the_sessions_played() -> None:
    listeners = model()
    # After 200 requests the server keeps silent, so it cannot finish first, however quick it is.
    with made(lambda asked, number: SILENCE if number >= 200 else next_by_number(asked)) as server:
        player = HttpRunner(listeners, server.url, SEED, 2)
        ended: list[int] = []
        outcome = player.play(listeners.plan_day(0, 5000), ended.append, lambda: sum(ended) > 5)
        player.close()
    assert 5 < len(outcome.sessions) < 5000
    assert outcome.unfinished == 5000 - len(outcome.sessions)


def test_a_stopped_run_sends_no_requests_into_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_runner, "PAUSES_S", (3600.0,) * 4)
    listeners, clock, polls = model(), MovableClock(), count()

    def reply(asked: Asked, number: int) -> Any:
        return answer({}, 503) if session_of(asked) < 5000 else next_by_number(asked)

    with made(reply) as server:
        player = HttpRunner(listeners, server.url, SEED, 4, loop=clock)
        # Every connection of the first run then waits for the time to send its request again.
        player.play(
            listeners.plan_day(0, 5000),
            should_stop=lambda: len(server.asked) == 4 and next(polls) > 2,
        )
        clock.ahead_s += 3601
        outcome = player.play(listeners.plan_day(1, 5000).rows(np.arange(30)))
        player.close()
    assert outcome.sessions.number.tolist() == list(range(5000, 5030))
    # The number of a session says which run it belongs to.
    numbers = [session_of(asked) for asked in server.asked]
    assert max(numbers[:4]) < 5000 <= min(numbers[4:])
    assert len(numbers) == 4 + outcome.requests


def test_an_error_names_segue_serve_if_no_server_answers() -> None:
    with made(lambda asked, number: SILENCE) as server:
        gone = server.url
    with pytest.raises(SegueError, match=r"no answer \(connection refused\). Start a server with"):
        over_http(gone)


def test_an_error_names_the_botify_api_if_a_foreign_server_answers(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as url,
        pytest.raises(SegueError, match=r"must name a config, but has status 404"),
    ):
        over_http(f"{url}/elsewhere")


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://a:99999", "localhost:8000"])
def test_a_faulty_address_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="--recommender"):
        over_http(url)
