"""The server's own log: one line for what happens a thousand times, and JSON on request."""

import json
import logging
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.server_log import JsonFormatter, RepeatFilter, TextFormatter
from core.limited_log import EVERY_S, LimitedLog
from engine.dispatcher import Dispatcher
from tests.app.live import PATIENCE_S, get, post, read_all
from tests.app.test_log_gone import serving
from tests.service import CONFIG, running

FAULTY = """
from segue import Candidates, Listener, Params, strategy


@strategy("faulty", Params)
class Faulty:
    def __init__(self, params, artifacts):
        pass

    def propose(self, listener):
        raise KeyError("no such listener")
"""


def send(address: httpx.URL, content: bytes, *, whole: bool) -> None:
    """Send bytes; wait for the end of the answer, or go away before it."""
    with socket.create_connection((address.host, address.port or 80), PATIENCE_S) as connection:
        connection.sendall(content)
        if whole:
            read_all(connection)


@pytest.mark.parametrize("door", ["own", "plain"])
def test_clients_that_send_garbage_or_go_away_write_one_line_and_no_traceback(
    tmp_path: Path, door: str
) -> None:
    halves = [
        post(path, b'{"user": 7}')[:-4] for path in ("/recommend", "/next/a%20b", "/feedback")
    ]
    with serving(tmp_path, server={"door": door}) as served:
        address = served.client.base_url
        for _ in range(30):
            send(address, b"GARBAGE\x00\r\n\r\n", whole=True)
            for half in halves:
                send(address, half, whole=False)
        assert served.ask(1) == [200]
    said = served.said.splitlines()
    assert sum("Invalid HTTP request" in line for line in said) == 1
    assert len(said) < 15


def test_the_log_is_json_on_request_and_names_the_decision(tmp_path: Path) -> None:
    (tmp_path / "faulty_module.py").write_text(FAULTY)
    faulty = {"type": "faulty", "fallback": "random"}
    strategies = {**CONFIG["strategies"], "faulty": faulty}
    sections: dict[str, Any] = {"strategies": strategies, "default": "faulty", "experiments": []}
    server = {"log": "json", "request_timeout_s": 5}
    sections |= {"modules": ["faulty_module"], "server": server}
    with serving(tmp_path, tracebacks=1, **sections) as served:
        assert served.ask(20) == [200] * 20
        send(served.client.base_url, b"GARBAGE\x00\r\n\r\n", whole=True)
        send(served.client.base_url, get("/healthz", "Connection: close"), whole=True)
    # The first line is of the test that starts the server: it reads until the address.
    said = [json.loads(line) for line in served.said.splitlines()]
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in said)
    [failed] = [line for line in said if "faulty" in line["message"]]
    assert failed["decision"] == served.decisions[0]
    assert "KeyError" in failed["traceback"]
    assert failed["level"] == "ERROR"
    assert [line["message"] for line in said if line["logger"] == "uvicorn.error"] == [
        "Invalid HTTP request received."
    ]
    assert said[-1]["message"] == "Stopped"


def test_an_unhandled_exception_is_logged_once_a_minute_for_each_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with running(tmp_path) as client:
        monkeypatch.setattr(Dispatcher, "dispatch", broken)
        answers = [client.post("/recommend", json={"user": 7}) for _ in range(10)]
    assert {answer.status_code for answer in answers} == {500}
    assert caplog.text.count("unhandled exception") == 1
    assert caplog.text.count("Traceback") == 1


def record(name: str, message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "", 0, message, args, None)


def test_foreign_lines_are_counted_and_ours_pass() -> None:
    now = [0.0]
    limit = RepeatFilter(lambda: now[0])
    assert limit.filter(record("uvicorn.error", "bad %s", 1))
    assert not any(limit.filter(record("uvicorn.error", "bad %s", n)) for n in range(9))
    assert limit.filter(record("uvicorn.error", "different"))
    assert all(limit.filter(record("segue", "ours")) for _ in range(3))
    now[0] = EVERY_S
    late = record("uvicorn.error", "bad %s", 2)
    assert limit.filter(late)
    assert late.getMessage() == "bad 2 (9 more since the last such line)"


def test_a_clock_that_is_set_back_silences_nothing(caplog: pytest.LogCaptureFixture) -> None:
    now = [10_000.0]
    log = LimitedLog(logging.getLogger("segue"), lambda: now[0])
    log.error("a", "first")
    log.error("a", "left out")
    now[0] = 0.0
    log.error("a", "after %d", 1)
    assert [each.getMessage() for each in caplog.records] == [
        "first",
        "after 1; 1 more since the last such line",
    ]


def test_both_forms_name_the_decision_and_keep_the_traceback() -> None:
    try:
        raise KeyError("x")
    except KeyError as error:
        said = record("segue", "failed %s", "a")
        said.exc_info = (KeyError, error, error.__traceback__)
    said.decision = "abc-1"
    text = TextFormatter().format(said).splitlines()
    assert text[0].endswith("WARNING failed a (decision abc-1)")
    assert text[-1] == "KeyError: 'x'"
    found = json.loads(JsonFormatter().format(said))
    assert (found["decision"], found["message"]) == ("abc-1", "failed a")
    assert found["traceback"].splitlines()[-1] == "KeyError: 'x'"
