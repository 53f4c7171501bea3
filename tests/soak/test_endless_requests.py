"""Requests without an end, and clients that never read, take a bounded part of the memory."""

import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.service import write_config
from tests.soak.server_process import ServerProcess

MOST_BYTES = 60_000_000
MOST_MB = 40
"""More than one connection may take: a read of 256 KB, as thousands of headers or requests."""
PATIENCE_S = 60
HEAD = b"POST /recommend HTTP/1.1\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TURN = HEAD + b'Content-Length: 10\r\n\r\n{"user":7}'
LONG = b"x" * 65_536
ENDLESS = {
    "header-value": (HEAD + b"A: ", LONG),
    "header-name": (HEAD + b"A", LONG),
    "headers": (HEAD, b"A: x\r\n" * 10_000),
    "url": (b"GET /", LONG),
    "body": (HEAD + b"Content-Length: 999999999\r\n\r\n", LONG),
    "body-of-a-cold-route": (b"POST /nowhere HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", LONG),
    "chunks": (CHUNKED, b"1\r\nx\r\n" * 10_000),
    "chunk-extension": (CHUNKED + b"1;", LONG),
    "trailers": (CHUNKED + b"0\r\n", b"A: x\r\n" * 10_000),
    "turns-of-a-deaf-client": (b"", TURN * 1_000),
    "scrapes-of-a-deaf-client": (b"", b"GET /metrics HTTP/1.1\r\n\r\n" * 1_000),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = write_config(tmp_path_factory.mktemp("endless"), server={"request_timeout_s": 1})
    process = ServerProcess(config)
    process.start()
    yield process
    assert process.stop() == 0
    assert not [line for line in process.said if "Traceback" in line]


@pytest.mark.parametrize("name", ENDLESS)
def test_what_has_no_end_is_ended_by_the_server(server: ServerProcess, name: str) -> None:
    first, more = ENDLESS[name]
    before_mb = peak_mb = server.memory_mb()
    sent = 0
    deadline = monotonic() + PATIENCE_S
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as connection:
        connection.sendall(first)
        try:
            while sent < MOST_BYTES:
                sent += connection.send(more)
                peak_mb = max(peak_mb, server.memory_mb())
                assert monotonic() < deadline
        except ConnectionError:
            pass
    assert sent < MOST_BYTES
    assert peak_mb - before_mb < MOST_MB
