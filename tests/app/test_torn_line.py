"""The line that a killed server was writing: nobody had its answer, so it is no fault."""

import json
import resource
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import main
from events.event_files import find_event_files
from events.file_ends import UNACKNOWLEDGED, ends_unacknowledged
from tests import needs
from tests.app.test_disk_sync import traced
from tests.app.test_kill import started
from tests.app.test_log_gone import Served, serving


def reasons(folder: Path) -> dict[str, int]:
    """Count the dropped lines of a log by reason."""
    from events.reader import open_log

    with open_log([folder / "log"]) as log:
        return dict(log.query("SELECT reason, lines FROM dropped"))


def replay(folder: Path) -> Any:
    """Replay a log; give the command's result."""
    return CliRunner().invoke(main.build(), ["replay", str(folder / "log"), "--json"])


@needs.program("strace")
def test_a_line_that_a_kill_cut_off_is_no_fault_once_the_next_server_began(tmp_path: Path) -> None:
    server, address = started(tmp_path)
    with httpx.Client(base_url=address, timeout=60) as client:
        first = Served(tmp_path, server, client)
        first.ask(3)
        [file] = (tmp_path / "log").glob("*.jsonl")
        whole = file.read_bytes()
        hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)[1]
        # The line goes in for a half, and the kill comes before the server can cut it off again.
        with traced(server.pid, tmp_path / "trace", "-e", "inject=ftruncate:signal=KILL"):
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (len(whole) + 100, hard))
            with pytest.raises(httpx.TransportError):
                first.ask(1)
            assert server.wait(timeout=60) == -signal.SIGKILL
    server.communicate()
    assert len(file.read_bytes()) == len(whole) + 100
    assert reasons(tmp_path) == {"torn line": 1}
    assert replay(tmp_path).exit_code == 1

    with serving(tmp_path) as second:
        second.ask(3)
    assert reasons(tmp_path) == {UNACKNOWLEDGED: 1}
    replayed = replay(tmp_path)
    assert replayed.exit_code == 0, replayed.output
    assert f'"{UNACKNOWLEDGED}": 1' in replayed.output
    verified = CliRunner().invoke(main.build(), ["verify", str(tmp_path / "log"), "--json"])
    checks = {each["name"]: each for each in json.loads(verified.stdout)[0]["checks"]}
    assert {checks[name]["status"] for name in ("lines", "duplicates", "ids")} == {"passed"}
    assert checks["lines"]["numbers"] == {"lines": 7, "lost": {}, "unacknowledged": 1}
    assert "No answer had left for it" in checks["lines"]["explanation"]


@pytest.mark.parametrize(
    ("present", "is_tail"),
    [
        ({}, False),
        ({"events-a-2-1500-0000.jsonl": b"{}\n"}, True),
        ({"events-b-1-1500-0000.jsonl": b""}, True),
        ({"events-a-2-900-0000.jsonl": b"{}\n"}, False),
        ({"events-a-2-1500-0000.jsonl": b"{}\n", "events-a-1-1000-0001.jsonl": b"{}\n"}, False),
        ({"events-a-2-1500-0000.jsonl": b"{}\n", "events-a-1-1000-0001.jsonl": b""}, True),
        ({"events-a-2-1500-0000.jsonl": b"{}\n", "events-a-1-1000-0000.end.json": b""}, True),
        (
            {
                "events-a-2-1500-0000.jsonl": b"{}\n",
                "events-a-1-1000-0000.end.json": b'{"lines": 1, "last": "x-1"}',
            },
            False,
        ),
        ({"other.jsonl": b"{}\n"}, False),
    ],
    ids=[
        "nothing-began-after-it",
        "a-process-began-after-it",
        "on-a-different-host",
        "a-process-that-began-before-it",
        "its-process-went-on-in-the-next-file",
        "its-process-had-only-prepared-the-next-file",
        "its-end-is-unreadable",
        "its-end-is-recorded",
        "a-file-of-no-server",
    ],
)
def test_a_cut_line_is_excused_only_where_it_was_certainly_never_answered(
    tmp_path: Path, present: dict[str, bytes], is_tail: bool
) -> None:
    path = tmp_path / "events-a-1-1000-0000.jsonl"
    for name, content in {path.name: b'{"mess', **present}.items():
        (tmp_path / name).write_bytes(content)
    assert ends_unacknowledged(path, 1200) is is_tail
    assert ends_unacknowledged(path.with_name("copy.jsonl"), 1200) is False
    assert find_event_files([path])[0].is_cut is False  # nobody has read it yet
