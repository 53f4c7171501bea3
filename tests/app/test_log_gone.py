"""The log is removed, moved, cut or unwritable while a real server serves."""

import json
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.app.test_kill import started
from tests.service import events_in

PATIENCE_S = 60


class Served:
    """A real server, and what it answered.

    Attributes:
        folder: Folder of the config.
        decisions: Ids of the decisions that it acknowledged.
        said: What it wrote to stderr, after the end.
    """

    def __init__(self, folder: Path, server: "subprocess.Popen[str]", client: httpx.Client) -> None:
        self.folder = folder
        self.process = server
        self.client = client
        self.decisions: list[str] = []
        self.said = ""

    def ask(self, times: int) -> list[int]:
        """Ask for tracks; give the statuses."""
        statuses = []
        for user in range(times):
            answer = self.client.post("/recommend", json={"user": user})
            statuses.append(answer.status_code)
            if answer.status_code == 200:
                self.decisions.append(answer.json()["decision"])
        return statuses

    def remove(self, folder: str, leaving: bytes | None = None) -> None:
        """Remove a folder whole, before the server can write a part of it again."""
        self.process.send_signal(signal.SIGSTOP)
        shutil.rmtree(self.folder / folder)
        if leaving is not None:
            (self.folder / folder).write_bytes(leaving)
        self.process.send_signal(signal.SIGCONT)

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """Give status and body of `/readyz`."""
        answer = self.client.get("/readyz")
        return answer.status_code, answer.json()

    def logged(self) -> set[str]:
        """List the decisions on file."""
        return {event["decision"] for event in events_in(self.folder)}


@contextmanager
def serving(folder: Path, tracebacks: int = 0, **sections: Any) -> Iterator[Served]:
    """Run a server, and stop it in order; it writes this number of tracebacks."""
    server, address = started(folder, **sections)
    with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        served = Served(folder, server, client)
        try:
            yield served
        finally:
            server.send_signal(signal.SIGTERM)
            served.said = server.communicate(timeout=60)[1]
    assert server.returncode == 0, served.said
    assert served.said.count("Traceback") == tracebacks


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come to hold"


def beside(folder: Path) -> dict[str, bytes]:
    """Give the content of the config copies and of the records of started experiments."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob("log/*/*.json"))
    }


def test_no_answer_is_lost_after_the_log_folder_was_removed(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        assert served.ask(10) == [200] * 10
        before = beside(tmp_path)
        assert len(before) == 2
        served.remove("log")
        served.decisions.clear()
        assert served.ask(10) == [200] * 10
        assert served.logged() == set(served.decisions)
        wait_for(lambda: beside(tmp_path) == before)
        assert served.readiness()[0] == 200
    assert "was removed, with 10 acknowledged events. Events go to a new file" in served.said


def test_no_answer_is_lost_after_the_event_file_was_removed(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.ask(3)
        [file] = (tmp_path / "log").glob("*.jsonl")
        file.unlink()
        served.decisions.clear()
        assert served.ask(3) == [200] * 3
        assert served.logged() == set(served.decisions)
        assert not file.exists()
    assert served.said.count("was removed, with 3 acknowledged events") == 1


def test_a_log_folder_that_was_moved_is_noticed_without_traffic(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.ask(5)
        before = beside(tmp_path)
        (tmp_path / "log").rename(tmp_path / "moved")
        wait_for(lambda: beside(tmp_path) == before)
        served.ask(5)
        moved = [p.read_bytes().count(b"\n") for p in (tmp_path / "moved").glob("*.jsonl")]
        assert moved == [5]
        assert served.logged() == set(served.decisions[5:])
    assert "was renamed, or its folder was" in served.said


def test_an_event_file_that_was_replaced_or_cut_gets_no_more_lines(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.ask(2)
        for spoil in (lambda path: path.write_bytes(b""), replace):
            *_, file = sorted((tmp_path / "log").glob("*.jsonl"))
            count = len(list((tmp_path / "log").glob("*.jsonl")))
            spoil(file)
            wait_for(lambda: len(list((tmp_path / "log").glob("*.jsonl"))) > count)  # noqa: B023
            assert served.ask(2) == [200, 200]
            assert file.read_bytes() == b""
        assert served.logged() == set(served.decisions[-2:])
    assert "has 0 bytes and must have" in served.said
    assert "was replaced by a different file" in served.said


def replace(path: Path) -> None:
    path.with_suffix(".new").write_bytes(b"")
    path.with_suffix(".new").replace(path)


def test_the_copy_of_the_config_alone_is_kept_too(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.ask(1)
        before = beside(tmp_path)
        assert len(before) == 2
        served.remove("log/configs")
        wait_for(lambda: beside(tmp_path) == before)
        served.remove("log/started")
        wait_for(lambda: beside(tmp_path) == before)
    assert served.said.count("written again") >= 2


def test_without_a_folder_the_server_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.ask(1)
        served.remove("log", leaving=b"a file in the way")
        assert served.ask(5) == [503] * 5
        status, body = served.readiness()
        assert (status, body["error"]["code"]) == (503, "log_unwritable")
        assert served.client.get("/healthz").status_code == 200
        (tmp_path / "log").unlink()
        wait_for(lambda: served.readiness()[0] == 200)
        served.decisions.clear()
        assert served.ask(5) == [200] * 5
        assert served.logged() == set(served.decisions)
    assert "takes events again; 5 turns were refused" in served.said or "begins" in served.said


def test_a_full_disk_is_503_until_there_is_room(tmp_path: Path) -> None:
    """The limit of a file's size does what a full disk does: the line goes in partly or not."""
    with serving(tmp_path) as served:
        assert served.ask(3) == [200] * 3
        hard = resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (100, hard))
        assert served.ask(200) == [503] * 200
        status, body = served.readiness()
        assert (status, body["error"]["code"]) == (503, "log_unwritable")
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_for(lambda: served.readiness()[0] == 200)
        assert served.ask(3) == [200] * 3
        assert served.logged() == set(served.decisions)
    assert len(served.said.splitlines()) < 30


def test_a_line_that_fits_on_a_full_disk_makes_no_server_ready(tmp_path: Path) -> None:
    """The file takes 600 bytes more: not a line with long attributes, but one without."""
    long = {"user": 1, "attributes": {f"name{n}": "x" * 100 for n in range(10)}}
    with serving(tmp_path) as served:
        assert served.ask(3) == [200] * 3
        (file,) = (tmp_path / "log").glob("events-*.jsonl")
        hard = resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE)[1]
        limits = (file.stat().st_size + 600, hard)
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, limits)
        assert served.client.post("/recommend", json=long).status_code == 503
        wait_for(lambda: "takes no content" in str(served.readiness()[1]))
        assert served.ask(1) == [200]
        status, body = served.readiness()
        assert (status, body["error"]["code"]) == (503, "log_unwritable")
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_for(lambda: served.readiness()[0] == 200)


def test_a_killed_server_has_on_file_all_that_it_answered_after_a_removal(tmp_path: Path) -> None:
    server, address = started(tmp_path)
    with httpx.Client(base_url=address, timeout=60) as client:
        served = Served(tmp_path, server, client)
        served.ask(1)
        served.remove("log")
        served.decisions.clear()
        served.ask(3)
        server.kill()
    server.communicate()
    assert [event["decision"] for event in events_in(tmp_path)] == served.decisions
    assert json.loads(next((tmp_path / "log" / "configs").iterdir()).read_bytes())
