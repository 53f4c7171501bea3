"""Deadlines, the limit of connections, and a stop that no client can delay."""

import json
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.server import SPARE_FILES, raise_file_limit
from app.turn_batches import TurnBatches
from tests.app.live import PATIENCE_S, get, live, post, read_all
from tests.app.test_kill import started
from tests.service import events_in

HEARD = b'{"user": 7, "track": 1000, "time": 0.5}'
QUICK = {"request_timeout_s": 0.3, "keep_alive_s": 0.3}


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b"POST /rec", id="half-a-line"),
        pytest.param(b"POST /recommend HTTP/1.1\r\nContent-Le", id="half-a-head"),
        pytest.param(post("/recommend", HEARD)[:-5], id="half-a-body"),
        pytest.param(post("/nowhere", HEARD)[:-5], id="half-a-body-for-asgi"),
        pytest.param(post("/recommend", HEARD, "Expect: 100-continue")[:-5], id="expect"),
    ],
)
def test_a_request_that_does_not_arrive_whole_is_answered_with_408(
    tmp_path: Path, part: bytes
) -> None:
    with live(tmp_path, server={**QUICK, "keep_alive_s": 30}) as server:
        answer = server.exchange(part)
    if b"/nowhere" not in part:  # FastAPI answers an unknown path before its body has arrived
        head, _, body = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 Request Timeout")
        assert b"connection: close" in head
        assert json.loads(body)["error"]["code"] == "request_timeout"
    assert events_in(tmp_path) == []


def test_slow_bytes_do_not_move_the_deadline(tmp_path: Path) -> None:
    """The deadline counts from the first byte, not from the last: here a header never ends."""
    limits = {**QUICK, "keep_alive_s": 30}
    with live(tmp_path, server=limits) as server, server.connect() as connection:
        connection.settimeout(0.05)
        connection.sendall(b"POST /recommend HTTP/1.1\r\nX-Endless: ")
        answer = b""
        for _ in range(400):
            try:
                answer = connection.recv(65536)
                break
            except TimeoutError:
                connection.sendall(b"a")
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout")


@pytest.mark.parametrize("first", [b"", get("/healthz"), post("/recommend", HEARD)])
def test_a_silent_connection_is_closed(tmp_path: Path, first: bytes) -> None:
    # Connected and sent before the server starts: the silence begins when the server wants more.
    connections: list[socket.socket] = []

    def connect(port: int) -> None:
        connections.append(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
        connections[0].sendall(first)

    with live(tmp_path, connect, server={**QUICK, "request_timeout_s": 30}), connections[0]:
        answer = read_all(connections[0])
    assert answer.count(b"HTTP/1.1 200 OK") == (1 if first else 0)


def test_a_connection_beyond_the_limit_gets_503_and_retry_after(tmp_path: Path) -> None:
    with live(tmp_path, server={"connections": 2}) as server:
        with ExitStack() as stack:
            for _ in range(2):
                connection = stack.enter_context(server.connect())
                connection.sendall(get("/healthz"))
                assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            refused = server.exchange(post("/recommend", HEARD))
            connection.sendall(get("/healthz", "Connection: close"))
            assert read_all(connection).startswith(b"HTTP/1.1 200")
        head, _, body = refused.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in head
        assert json.loads(body)["error"]["code"] == "too_many_connections"
    assert events_in(tmp_path) == []


def test_a_server_that_drains_is_not_ready_and_still_answers(tmp_path: Path) -> None:
    with live(tmp_path) as server:
        server.server._app.drain()
        answer = server.exchange(get("/readyz") + post("/recommend", HEARD, "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 503")
    assert b'"code":"draining"' in answer
    assert answer.count(b"HTTP/1.1 200 OK") == 1


def test_a_turn_under_way_at_the_stop_is_answered_and_the_connection_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = TurnBatches.add

    def stop_meanwhile(self: TurnBatches, call: object, caller: object) -> None:
        add(self, call, caller)  # type: ignore[arg-type]
        caller.shutdown()  # type: ignore[attr-defined]

    monkeypatch.setattr(TurnBatches, "add", stop_meanwhile)
    with live(tmp_path) as server:
        answer = server.exchange(post("/recommend", HEARD))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"\r\nconnection: close\r\n" in answer
    assert len(events_in(tmp_path)) == 1


def stop(server: "subprocess.Popen[str]", sig: signal.Signals) -> str:
    server.send_signal(sig)
    _, errors = server.communicate(timeout=60)
    assert server.returncode == 0, errors
    assert "Traceback" not in errors
    return errors


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(post("/recommend", HEARD)[:-5], id="half-body"),
        pytest.param(post("/nowhere", HEARD)[:-5], id="half-body-for-asgi"),
        pytest.param(b"", id="silent"),
    ],
)
def test_a_half_request_does_not_keep_the_server_from_stopping(
    tmp_path: Path, part: bytes, sig: signal.Signals
) -> None:
    server, address = started(tmp_path)
    port = int(address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(get("/healthz"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(part)
        stop(server, sig)


def test_a_client_that_reads_nothing_delays_the_stop_by_shutdown_s_at_most(tmp_path: Path) -> None:
    server, address = started(tmp_path, server={"shutdown_s": 0.5})
    port = int(address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(1)
        try:
            for _ in range(100_000):  # until its answers fill every buffer on the way
                connection.sendall(get("/openapi.json"))
        except TimeoutError:
            pass
        stop(server, signal.SIGTERM)


def test_the_file_limit_is_raised_or_the_start_reports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    limits = [(256, 4096)]

    def set_limit(kind: int, wanted: tuple[int, int]) -> None:
        if wanted[1] > 4096:
            raise ValueError("not allowed")
        limits.append(wanted)

    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", set_limit)

    assert raise_file_limit(1000) is None
    assert limits[-1] == (1000 + SPARE_FILES, 4096)
    warning = raise_file_limit(10_000)
    assert limits[-1] == (4096, 4096)
    assert warning is not None
    assert "is 4,096" in warning
    assert "ulimit -n 10200" in warning
