"""The client, blocking and asynchronous: the same tests for both, over real HTTP."""

import asyncio
import socket
from contextlib import ExitStack

import httpx
import pytest
from starlette.testclient import TestClient

from app.application import create_app
from segue import SegueError
from segue.client import (
    ApiError,
    AsyncClient,
    Client,
    ClientError,
    Readiness,
    Recommendation,
    Retries,
    ServerUnreachable,
    Track,
    UnexpectedAnswer,
)
from tests.segue.flavours import Flavour
from tests.service import events_in, loaded
from tests.simulator.servers import HANG_UP, SILENCE, answer, made, serving

GOOD = {
    "user": 7,
    "track": 1050,
    "tracks": [1050],
    "decision": "a-1",
    "experiments": {"skip": "T1"},
    "strategy": "improved",
    "answered_by": "popular",
}
READ = Recommendation(7, 1050, (1050,), "a-1", {"skip": "T1"}, "improved", "popular")


@pytest.fixture(params=["blocking", "asynchronous"])
def flavour(request):
    with ExitStack() as stack:
        yield Flavour(request.param, stack)


def replies(*said):
    """Replies in this order, then the last one for ever."""
    return lambda asked, number: said[min(number, len(said) - 1)]


def refusal(status, code="some_code", message="a sentence", field=None):
    return answer({"error": {"code": code, "message": message, "field": field}}, status)


def after(seconds, status=503):
    """An error with Retry-After."""
    head, _, body = refusal(status).partition(b"\r\n\r\n")
    return head + f"\r\nRetry-After: {seconds}\r\n\r\n".encode() + body


# -- against the real server --------------------------------------------------------------------


def test_a_session_is_decided_and_logged(flavour, tmp_path):
    with serving(tmp_path) as url:
        client = flavour.client(url)
        first = client.recommend(7, attributes={"country": "AM"})
        second = client.recommend(7, first.track, 0.95, n=3, exclude=[1000], explain=True)
        client.feedback(7, second.track, 0.1, final=True)
        arms = client.experiments()["experiments"]
    assert isinstance(first, Recommendation)
    assert (first.user, first.why) == (7, ())
    assert second.track == second.tracks[0]
    assert 1 < len(second.tracks) <= 3
    assert 1000 not in second.tracks
    assert any("previous track" in why for why in second.why)
    assert second.experiments == {arms[0]["name"]: second.experiments[arms[0]["name"]]}
    logged = events_in(tmp_path)
    assert [event["message"] for event in logged] == ["next", "next", "last"]
    assert [event["decision"] for event in logged[:2]] == [first.decision, second.decision]
    assert logged[0]["attributes"] == {"country": "AM"}


def test_a_track_is_looked_up(flavour, tmp_path):
    with serving(tmp_path) as url:
        client = flavour.client(url)
        assert client.track(1060) == Track(1060, "Artist b", "Title 6")
        with pytest.raises(ApiError, match=r"^GET /tracks/a%2Fb%20c: 404 not_found: "):
            client.track("a/b c")


def test_the_server_is_ready(flavour, tmp_path):
    with serving(tmp_path) as url:
        ready = flavour.client(url).ready()
    assert ready.ready
    assert ready.config
    assert ready.reason == ""


def test_a_refused_request_is_an_error_with_code_message_and_field(flavour, tmp_path):
    with serving(tmp_path) as url, pytest.raises(ApiError) as refused:
        flavour.client(url).recommend(7, 1000, 1.5)
    error = refused.value
    assert (error.status, error.code, error.field, error.attempts) == (422, "invalid", "time", 1)
    assert "less than or equal to 1" in error.message
    assert str(error) == f"POST /recommend: 422 invalid: time: {error.message}"
    assert isinstance(error, ClientError)
    assert isinstance(error, SegueError)
    assert flavour.pauses == []
    assert events_in(tmp_path) == []


def test_a_retry_after_a_lost_answer_gives_the_same_decision_and_one_log_line(flavour, tmp_path):
    """A proxy between client and server loses two answers to each turn, after they were made."""
    decided = []

    def loses_two(asked, number):
        headers = {"Idempotency-Key": asked.headers["idempotency-key"]}
        got = httpx.post(url + asked.path, json=asked.body, headers=headers, timeout=60)
        decided.append(got.json())
        return HANG_UP if number % 3 < 2 else answer(got.content)

    with serving(tmp_path) as url, made(loses_two) as proxy:
        client = flavour.client(proxy.url)
        found = client.recommend(7)
        client.feedback(7, found.track, 0.4)
    assert len(flavour.pauses) == 4
    assert {body.get("decision") for body in decided} == {found.decision, None}
    assert [event["message"] for event in events_in(tmp_path)] == ["next", "heard"]


# -- against a server that answers as a test wants ----------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [HANG_UP, *(refusal(status) for status in (429, 500, 502, 503, 504)), answer(b"<html>", 502)],
    ids=["hung-up", "429", "500", "502", "503", "504", "proxys-502"],
)
def test_a_server_that_fails_twice_is_asked_three_times_with_one_key(flavour, failure):
    with made(replies(failure, failure, answer(GOOD))) as server:
        assert flavour.client(server.url).recommend(7, 1000, 0.5) == READ
    assert len(server.asked) == 3
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    assert [asked.body for asked in server.asked] == [{"user": 7, "track": 1000, "time": 0.5}] * 3
    assert len(flavour.pauses) == 2
    assert 0 <= flavour.pauses[0] <= 0.1
    assert 0 <= flavour.pauses[1] <= 0.2


def test_every_request_has_a_key_of_its_own_unless_it_is_given(flavour):
    with made(replies(answer(GOOD))) as server:
        client = flavour.client(server.url)
        client.recommend(7)
        client.recommend(7)
        client.feedback(7, 1000, 0.5)
        client.recommend(7, key="mine")
        client.feedback(7, 1000, 0.5, key="mine too")
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(set(keys)) == 5
    assert keys[3:] == ["mine", "mine too"]


def test_the_attempts_are_bounded(flavour):
    with made(replies(refusal(503, "log_unwritable"))) as server, pytest.raises(ApiError) as raised:
        flavour.client(server.url, retries=Retries(attempts=3)).feedback(7, 1000, 0.5)
    assert (raised.value.code, raised.value.attempts) == ("log_unwritable", 3)
    assert len(server.asked) == 3
    assert len(flavour.pauses) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422, 501])
def test_an_error_that_would_come_again_is_not_retried(flavour, status):
    with made(replies(refusal(status))) as server, pytest.raises(ApiError, match=f": {status} "):
        flavour.client(server.url).recommend(7)
    assert len(server.asked) == 1


def test_retry_after_is_waited_for_on_top_of_the_jitter(flavour):
    with made(replies(after(7), after(0), answer(GOOD))) as server:
        flavour.client(server.url).recommend(7)
    first, second = flavour.pauses
    assert 7 <= first <= 7.1
    assert 0 <= second <= 0.2


def test_a_retry_after_beyond_the_patience_is_an_error_at_once(flavour):
    with made(replies(after(3600, 429))) as server, pytest.raises(ApiError) as raised:
        flavour.client(server.url).recommend(7)
    assert (raised.value.status, raised.value.retry_after_s) == (429, 3600)
    assert flavour.pauses == []


def test_a_proxys_error_page_is_an_error_with_its_status_as_the_code(flavour):
    page = answer(b"<html>Bad Gateway</html>", 502)
    with made(replies(page)) as server, pytest.raises(ApiError) as raised:
        flavour.client(server.url, retries=Retries(attempts=1)).recommend(7)
    error = raised.value
    assert (error.code, error.message, error.field) == (
        "http_502",
        "<html>Bad Gateway</html>",
        None,
    )


@pytest.mark.parametrize(
    "body",
    [b"hello", b"[]", b"{}", b'{"user": 7, "track": 1}', b"null"],
    ids=["text", "list", "empty", "another-api", "null"],
)
def test_a_success_that_is_not_segues_answer_is_an_error(flavour, body):
    with (
        made(replies(answer(body))) as server,
        pytest.raises(UnexpectedAnswer, match=r"^POST /recommend: http://127.+ must answer as"),
    ):
        flavour.client(server.url).recommend(7)


def test_keys_that_a_newer_server_adds_are_left_out(flavour):
    with made(replies(answer({**GOOD, "mood": "blue"}))) as server:
        assert flavour.client(server.url).recommend(7) == READ


def test_nobody_at_the_address_is_an_error_that_says_so(flavour):
    bound = flavour.keep(socket.socket())  # which does not listen, and holds the port
    bound.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    match = rf"^POST /recommend: {url} must answer, and gave no answer to 4 attempts \(ConnectErr"
    with pytest.raises(ServerUnreachable, match=match) as raised:
        flavour.client(url).recommend(7)
    assert raised.value.attempts == 4
    assert isinstance(raised.value.__cause__, httpx.ConnectError)
    with pytest.raises(ServerUnreachable, match="gave no answer to 1 attempt "):
        flavour.client(url).ready()


def test_an_address_without_a_scheme_is_not_tried_twice(flavour):
    with pytest.raises(ServerUnreachable, match=r"to 1 attempt .*missing an 'http://'"):
        flavour.client("127.0.0.1:8000").recommend(7)
    assert flavour.pauses == []


def test_a_server_that_keeps_silent_is_given_up_after_the_timeout(flavour):
    with made(replies(SILENCE)) as server:
        client = flavour.client(server.url, timeout_s=0.05, retries=Retries(attempts=2))
        with pytest.raises(ServerUnreachable, match=r"to 2 attempts \(\w+Timeout"):
            client.recommend(7)


def test_headers_of_the_client_go_with_every_request(flavour):
    with made(replies(answer(GOOD))) as server:
        flavour.client(server.url, headers={"Authorization": "Bearer token"}).recommend(7)
    assert server.asked[0].headers["authorization"] == "Bearer token"


def test_a_time_that_is_no_number_is_sent_to_no_server(flavour):
    with (
        made(replies(answer(GOOD))) as server,
        pytest.raises(ValueError, match="not JSON compliant"),
    ):
        flavour.client(server.url).recommend(7, 1000, float("nan"))
    assert server.asked == []


# -- without a network --------------------------------------------------------------------------


class Answers(httpx.BaseTransport):
    """A transport that gives one answer, as a proxy in front of a server would."""

    def __init__(self, status, body):
        self.status, self.body = status, body

    def handle_request(self, request):
        return httpx.Response(self.status, json=self.body)


def test_a_server_that_is_not_ready_is_an_answer_too():
    body = {"error": {"code": "log_unwritable", "message": "the log takes no line", "field": None}}
    with Client(transport=Answers(503, body)) as client:
        assert client.ready() == Readiness(False, reason="the log takes no line")
    with Client(transport=Answers(500, body)) as client, pytest.raises(ApiError):
        client.ready()


def test_the_app_is_asked_without_a_network(tmp_path):
    async def ask():
        async with AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await asyncio.gather(*(client.recommend(user) for user in range(5)))

    app = create_app(loaded(tmp_path))
    with TestClient(app) as started:
        found = started.portal.call(ask)
    assert [each.user for each in found] == list(range(5))
    assert len(events_in(tmp_path)) == 5
