"""The board of a real server, whose numbers come from a process beside it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from analysis.report import LogSelection, ReportRequest
from audit.board.snapshot import snapshot_of
from audit.log_report import report_log, with_settings
from engine.settings.loading import load_settings
from tests.app.test_kill import ROOT, started
from tests.app.test_openapi import valid
from tests.audit.test_board_content import patched

PATIENCE = httpx.Timeout(60)
QUESTION = "Do popular tracks help after a skip?"


def play(address: str, listeners: range) -> None:
    """Play a session of two recommended tracks for each listener."""
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        for user in listeners:
            heard = {"user": user, "track": 1000, "time": 0.2 + (user * 7 % 10) / 20}
            for _ in range(2):
                heard["track"] = client.post("/recommend", json=heard).json()["track"]
            ended = client.post("/feedback", json={**heard, "final": True})
            assert ended.status_code == 200


def expected(folder: Path) -> dict[str, Any]:
    """Make the report of the log as `segue report --no-replay` does."""
    settings = load_settings(folder / "config.yaml")
    report = report_log(
        LogSelection([folder / "log"]),
        with_settings(ReportRequest(), settings),
        "segue report",
        replay=False,
    )
    return snapshot_of(report, settings.questions)


def content(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a snapshot what says when it was made."""
    log = {key: value for key, value in snapshot["log"].items() if key != "took_s"}
    return {"log": log, "problem": snapshot["problem"], "experiments": snapshot["experiments"]}


class Viewer:
    """A viewer of the stream, who applies what comes."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()
        self.id = ""
        self.shown: dict[str, Any] = {}

    def next_event(self) -> str:
        """Take the next event; give its name."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                data = json.loads(fields["data"])
                whole = fields["event"] == "state"
                self.shown = data if whole else patched(self.shown, data)
                self.id = fields["id"]
                assert self.shown["id"] == self.id
                return fields["event"]
        return "end"


@contextmanager
def viewing(address: str, last_id: str | None = None) -> Iterator[Viewer]:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    with (
        httpx.Client(base_url=address, timeout=PATIENCE) as client,
        client.stream("GET", "/board/api/live", headers=headers) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Viewer(response)


@contextmanager
def server_over(folder: Path, **sections: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server; give it and its address. It must end well, unless the test has killed it."""
    server, address = started(folder, **sections)
    OURS.add(server.pid)
    try:
        yield server, address
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert server.returncode in (0, -signal.SIGKILL)


@contextmanager
def own_board(log: Path) -> Iterator[str]:
    """Run `segue board`; give its address. It must end well."""
    board = subprocess.Popen(
        [sys.executable, "-m", "cli", "board", str(log), "--port", "0"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert board.stderr is not None
        (address,) = re.findall(r"http://\S+(?=/board)", board.stderr.readline())
        yield address
    finally:
        board.send_signal(signal.SIGINT)
        board.communicate(timeout=60)
    assert board.returncode == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    experiments = [
        {
            "name": "fallback",
            "question": QUESTION,
            "arms": {
                "C": {"strategy": "contextual", "weight": 50},
                "T1": {"strategy": "improved", "weight": 50},
            },
        }
    ]
    with server_over(folder, experiments=experiments) as (_, address):
        play(address, range(120))
        yield address


def snapshot(address: str) -> dict[str, Any]:
    return dict(httpx.get(f"{address}/board/api/experiments", timeout=PATIENCE).json())


def test_the_board_shows_what_the_report_says_of_the_same_lines(address: str, folder: Path) -> None:
    shown = snapshot(address)
    assert content(shown) == expected(folder)
    (experiment,) = shown["experiments"]
    assert experiment["question"] == QUESTION
    assert experiment["status"] == "collecting"
    assert not experiment["withheld"]
    assert experiment["effects"]
    play(address, range(120, 140))
    assert content(snapshot(address)) == expected(folder)


def test_a_viewer_who_applies_the_patches_sees_the_same(address: str, folder: Path) -> None:
    with viewing(address) as viewer:
        assert viewer.next_event() == "state"
        first = viewer.id
        play(address, range(140, 160))
        while viewer.shown["log"]["lines"] < expected(folder)["log"]["lines"]:
            assert viewer.next_event() == "patch"
        assert content(viewer.shown) == expected(folder)
        now = viewer.shown
    with viewing(address, first) as again:  # who comes back gets the patches that they missed
        again.shown = {**now, "id": first}
        assert again.next_event() == "patch"


def test_tables_come_as_csv_and_markdown(address: str) -> None:
    for form in ("csv", "md"):
        for table in ("arms", "effects", "checks", "over_time", "by_day"):
            url = f"{address}/board/api/experiments.{form}?table={table}"
            found = httpx.get(url, timeout=PATIENCE)
            assert found.status_code == 200
            assert found.headers["content-type"].startswith(
                f"text/{form}".replace("md", "markdown")
            )
            assert "experiment" in found.text.splitlines()[0]
    assert (
        httpx.get(f"{address}/board/api/experiments.csv?table=nope", timeout=60).status_code == 422
    )


ANSWERS = [
    ("/board/api/experiments", "/board/api/experiments"),
    ("/board/api/decisions", "/board/api/decisions?limit=3"),
    ("/board/api/decisions/{decision}", "/board/api/decisions/{latest}"),
    ("/board/api/tracks", "/board/api/tracks?q=title"),
    ("/board/api/tracks/{track}", "/board/api/tracks/1000"),
    ("/board/api/config", "/board/api/config"),
    ("/board/api/artifacts", "/board/api/artifacts"),
    ("/board/api/lists/{name}/{owner}", "/board/api/lists/contextual/1000"),
    ("/board/api/lists/overlap", "/board/api/lists/overlap?a=contextual&b=contextual"),
]


@pytest.mark.parametrize(("route", "path"), ANSWERS, ids=[route for route, _ in ANSWERS])
def test_each_answer_fits_its_description_and_has_a_table(
    address: str, route: str, path: str
) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        (latest,) = client.get("/board/api/decisions?limit=1").json()["decisions"]
        path = path.replace("{latest}", latest["decision"])
        described = client.get("/openapi.json").json()["paths"][route]["get"]["responses"]
        answer = client.get(path)
        assert answer.status_code == 200
        valid(client, answer.json(), described["200"]["content"]["application/json"]["schema"])
        for form in ("csv", "md"):
            assert len(client.get(path, params={"format": form}).text.splitlines()) >= 1


def test_each_answer_to_a_seat_fits_its_description(address: str) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        paths = client.get("/openapi.json").json()["paths"]
        for route in ("/board/api/seat", "/board/api/seat/compare"):
            for body in ({"listener": "me"}, {"listener": "me", "track": 1000, "time": 1}):
                described = paths[route]["post"]
                content = described["requestBody"]["content"]["application/json"]
                jsonschema.validate(body, content["schema"])
                answer = client.post(route, json=body)
                schema = described["responses"]["200"]["content"]["application/json"]["schema"]
                valid(client, answer.json(), schema)


def test_a_process_that_was_killed_is_started_again(address: str) -> None:
    with viewing(address) as viewer:
        assert viewer.next_event() == "state"
        (process,) = board_processes()
        os.kill(process, signal.SIGKILL)
        assert viewer.next_event() == "state"
        assert viewer.shown["experiments"]


def test_a_process_that_hangs_holds_up_no_turn(address: str) -> None:
    snapshot(address)
    (process,) = board_processes()
    os.kill(process, signal.SIGSTOP)
    try:
        long_id = "x" * 3000
        with httpx.Client(base_url=address, timeout=httpx.Timeout(60, read=0.2)) as client:
            statuses = []
            while 503 not in statuses:
                try:
                    url = f"/board/api/decisions/{long_id}"
                    statuses.append(client.get(url).status_code)
                except httpx.ReadTimeout:
                    statuses.append(0)
                assert len(statuses) < 200
        play(address, range(500, 505))
    finally:
        os.kill(process, signal.SIGCONT)
    assert snapshot(address)["experiments"]


def test_a_question_that_is_too_long_is_refused(address: str) -> None:
    refused = httpx.get(f"{address}/board/api/decisions/{'x' * 5000}", timeout=PATIENCE)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid")


def board_processes() -> list[int]:
    """List the process ids of boards that servers of this test run have started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
            parent = (entry.parent / "status").read_text()
        except OSError:
            continue
        if b"cli.board_process" in command and int(re.findall(r"PPid:\t(\d+)", parent)[0]) in OURS:
            found.append(int(entry.parent.name))
    return found


OURS: set[int] = set()
"""Process ids of our servers."""


def test_a_broken_log_turns_the_light_red_and_withholds_the_effect(tmp_path: Path) -> None:
    with server_over(tmp_path) as (server, address):
        play(address, range(120))
        with viewing(address) as viewer:
            assert viewer.next_event() == "state"
            (experiment,) = viewer.shown["experiments"]
            assert experiment["validity"]["valid"]
            assert [each for each in experiment["effects"] if each["role"] == "primary"]
            (path,) = (tmp_path / "log").glob("events-*.jsonl")
            with path.open("ab") as file:
                file.write(b'{"message": "next", "torn\n' * 3)
            assert viewer.next_event() == "patch"
            (experiment,) = viewer.shown["experiments"]
            assert (experiment["status"], experiment["withheld"]) == ("unhealthy", True)
            lights = experiment["validity"]["lights"]
            (red,) = [each for each in lights if each["status"] == "failed"]
            assert red["name"] == "lines"
            assert red["sentence"]
            assert experiment["effects"] == experiment["over_time"] == experiment["by_day"] == []
            assert {arm["mean_time"] for arm in experiment["arms"]} == {None}
            server.send_signal(signal.SIGTERM)  # a viewer does not hold up the end
            assert viewer.next_event() == "end"


def test_a_killed_and_restarted_server_goes_on(tmp_path: Path) -> None:
    with server_over(tmp_path) as (server, address):
        play(address, range(10))
        with viewing(address) as viewer:
            assert viewer.next_event() == "state"
            last_id, lines = viewer.id, viewer.shown["log"]["lines"]
            server.kill()
    with server_over(tmp_path) as (_, address), viewing(address, last_id) as viewer:
        assert viewer.next_event() == "state"
        assert viewer.shown["log"]["lines"] == lines


def test_a_board_of_its_own_shows_a_folder_of_logs(folder: Path, address: str) -> None:
    with own_board(folder / "log") as own:
        assert content(snapshot(own)) == content(snapshot(address))
        with httpx.Client(base_url=own, timeout=PATIENCE) as client:
            assert client.get("/board").status_code == 200
            assert client.get("/board/api/tracks?q=title").json()["total"] == 24
            (latest,) = client.get("/board/api/decisions?limit=1").json()["decisions"]
            again = client.get(f"/board/api/decisions/{latest['decision']}").json()["made_again"]
            assert again["same"]
            assert client.get("/board/api/config").json()["file"] is None
            seat = client.post("/board/api/seat", json={"listener": "me"})
            assert (seat.status_code, seat.json()["error"]["code"]) == (404, "not_found")
            assert client.post("/recommend", json={"user": 7}).status_code == 404


def test_a_board_of_its_own_waits_for_the_first_file(folder: Path, tmp_path: Path) -> None:
    with own_board(tmp_path) as own:
        assert snapshot(own)["problem"]["code"] == "no_events"
        shutil.copytree(folder / "log", tmp_path, dirs_exist_ok=True)
        assert snapshot(own)["experiments"]


def test_a_board_of_its_own_refuses_a_path_that_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli", "board", str(tmp_path / "nowhere"), str(tmp_path)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "nowhere: is not there" in refused.stderr


def test_a_log_without_an_event_says_so(tmp_path: Path) -> None:
    with server_over(tmp_path) as (_, address):
        assert snapshot(address)["problem"]["code"] == "no_events"
        play(address, range(3))
        assert snapshot(address)["problem"] is None
