"""`seat: true` through the whole house: logged, replayed, kept, and counted by no analysis."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from app.application import create_app
from cli.main import build
from tests import needs
from tests.redis_server import running_redis
from tests.service import Clock, events_in, loaded

LISTENERS = 40
SEATS = 6
LINES = ("next", "next", "last")


def segue(*arguments: str | Path) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(build(), words, catch_exceptions=False)


def play(client: TestClient, listener: Any, seat: bool) -> None:
    """Play a session of two tracks, as a client or in the seat."""
    name, route = ("listener", "/board/api/seat") if seat else ("user", "/recommend")
    track = 1000
    for heard in ({}, {"track": 1000, "time": 0.9}):
        answer = client.post(route, json={name: listener, **heard}).json()
        track = answer["track"]["track"] if seat else answer["track"]
    end = {name: listener, "track": track, "time": 0.4}
    last = {**end, "end": True} if seat else {**end, "final": True}
    assert client.post(route if seat else "/feedback", json=last).status_code == 200


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of clients, and of seats whose listeners no client has."""
    folder = tmp_path_factory.mktemp("seats")
    clock = Clock()
    with TestClient(create_app(loaded(folder), clock, hosts=("testserver",))) as client:
        for listener in range(LISTENERS):
            play(client, listener, seat=False)
            clock.tick(1)
        for number in range(SEATS):
            play(client, f"seat-{number}", seat=True)
            clock.tick(1)
        for shown in client.get("/experiments").json()["experiments"]:
            assert shown["listeners"] == LISTENERS
            assert shown["requests"] == 2 * LISTENERS
    return folder / "log"


@pytest.fixture(scope="module")
def without(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same log without the lines of seats."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "configs").symlink_to(log / "configs")
    for path in log.glob("events-*.jsonl"):
        lines = [line for line in path.read_text().splitlines() if '"seat":true' not in line]
        (folder / path.name).write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a config.yaml: the one of this checkout has plans of its own."""
    monkeypatch.chdir(tmp_path)


def test_each_line_of_a_seat_says_so(log: Path) -> None:
    lines = events_in(log.parent)
    seats = [line for line in lines if str(line["user"]).startswith("seat")]
    assert [line["message"] for line in seats] == list(LINES) * SEATS
    assert all(line["seat"] is True for line in seats)
    assert not [line for line in lines if line not in seats and "seat" in line]
    assert {line["forced"] for line in lines} == {False}


def test_no_analysis_counts_a_seat(log: Path, without: Path) -> None:
    whole, rest = (json.loads(segue("report", each, "--json").stdout) for each in (log, without))
    (found,), (expected,) = whole["experiments"], rest["experiments"]
    same = [key for key in found if key not in ("validity", "excluded", "window", "verdicts")]
    assert {key: found[key] for key in same} == {key: expected[key] for key in same}
    assert sum(arm["listeners"] for arm in found["arms"]) == LISTENERS
    assert found["excluded"] == {"forced": SEATS}
    assert found["verdicts"][0].startswith(expected["verdicts"][0])
    assert "13.0% of the listeners are left out" in found["verdicts"][0]


def test_no_check_alarms_because_of_a_seat(log: Path, without: Path) -> None:
    whole, rest = (json.loads(segue("verify", each, "--json").stdout) for each in (log, without))
    (found,), (expected,) = whole, rest
    statuses = {check["name"]: check["status"] for check in found["checks"]}
    # Over 5 % are left out, of which a reader is told. The ids have a gap without the seats.
    assert statuses.pop("forced") == "warning"
    assert statuses.pop("ids") == "passed"
    others = {check["name"]: check["status"] for check in expected["checks"]}
    assert statuses == {name: each for name, each in others.items() if name in statuses}


def test_every_turn_of_a_seat_is_replayed(log: Path) -> None:
    replayed = segue("replay", log, "--json")
    assert replayed.exit_code == 0
    found = json.loads(replayed.stdout)
    assert found["sound"]
    assert found["decisions"] == 2 * (LISTENERS + SEATS)


def test_a_copy_and_a_compacted_log_keep_the_mark(log: Path, tmp_path: Path) -> None:
    collected, compacted = tmp_path / "collected", tmp_path / "compacted"
    assert segue("logs", "collect", "--from", log, "--to", collected).exit_code == 0
    assert segue("logs", "compact", collected, "--to", compacted).exit_code == 0
    reports = [
        json.loads(segue("report", each, "--json").stdout)["experiments"][0]
        for each in (log, collected, compacted)
    ]
    for found in reports:
        assert found["excluded"] == {"forced": SEATS}
        assert found["primary"] == reports[0]["primary"]


def test_a_seat_never_makes_a_listener_count_as_having_entered(tmp_path: Path) -> None:
    """A seat resets no history either, as a listener's first turn in an experiment may."""
    state = {"reset_state_on_new_experiment": True}
    app = create_app(loaded(tmp_path, state=state), Clock(), hosts=("testserver",))
    with TestClient(app) as client:
        for seat in (True, True, False, False):
            play(client, "both", seat)
        (experiment,) = client.get("/experiments").json()["experiments"]
    assert experiment["listeners"] == 1
    turns = [(line["turn"], line.get("reset", False)) for line in events_in(tmp_path)]
    assert turns == [
        *((turn, False) for turn in range(1, 7)),
        (1, True),
        *((turn, False) for turn in range(2, 7)),
    ]
    assert segue("replay", tmp_path / "log").exit_code == 0


@needs.program("redis-server")
def test_a_seat_over_shared_state_is_a_seat_too(tmp_path: Path) -> None:
    with running_redis(tmp_path / "redis") as server:
        state = {"backend": "redis", "url": server.url, "timeout_ms": 60_000}
        runtime = loaded(tmp_path, state=state)
        with TestClient(create_app(runtime, Clock(), hosts=("testserver",))) as client:
            play(client, 7, seat=False)
            body = {"listener": 7, "track": 1010, "time": 0.5}
            compared = client.post("/board/api/seat/compare", json=body).json()["arms"]
            again = client.post("/board/api/seat/compare", json=body).json()["arms"]
            turn = client.post("/board/api/seat", json=body).json()
            (experiment,) = client.get("/experiments").json()["experiments"]
    (own,) = [arm for arm in compared if arm["own"]]
    assert compared == again
    assert (own["candidates"], own["answered_by"]) == (turn["candidates"], turn["answered_by"])
    assert (turn["turn"], experiment["listeners"], experiment["requests"]) == (4, 1, 2)
    assert events_in(tmp_path)[-1]["seat"] is True
    assert segue("replay", tmp_path / "log").exit_code == 0
