"""The board over HTTP: who may see it, its files, and the seat."""

import base64
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from analysis.checks.suite import EXPERIMENT_CHECKS, LOG_CHECKS
from app.application import create_app
from app.board.assets import TYPES, assets
from tests.app.live import get, live
from tests.service import Clock, events_in, loaded, running

TOKEN = {"Authorization": "Bearer token"}
HEARD = {"listener": "me", "track": 1000, "time": 0.8}
API = "/board/api/seat/compare"


@contextmanager
def board(folder: Path, **sections: Any) -> Iterator[TestClient]:
    """Run a server that only this machine can reach."""
    app = create_app(loaded(folder, **sections), Clock(), hosts=("testserver",))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_the_page_and_its_files_have_their_types_and_a_strict_policy(tmp_path: Path) -> None:
    with board(tmp_path) as client:
        page = client.get("/board")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for name in assets():
            found = client.get(f"/board/assets/{name}")
            assert found.status_code == 200
            assert found.headers["content-type"] == TYPES[name.rpartition(".")[2]]
            assert found.headers["x-content-type-options"] == "nosniff"


def test_a_browser_that_has_a_file_does_not_get_it_again(tmp_path: Path) -> None:
    with board(tmp_path) as client:
        first = client.get("/board/assets/board.js")
        tag = first.headers["etag"]
        again = client.get("/board/assets/board.js", headers={"If-None-Match": f'"old", {tag}'})
        changed = client.get("/board/assets/board.js", headers={"If-None-Match": '"old"'})
    assert not tag.startswith("W/")
    assert (again.status_code, again.content) == (304, b"")
    assert (changed.status_code, changed.content) == (200, first.content)


def test_the_guide_explains_each_check_as_the_docs_do(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "verification.md").read_text()
    checks = re.findall(r"^\| `([\w-]+)` \| (.*?) \| (.*?) ?\|$", page, re.MULTILINE)
    with board(tmp_path) as client:
        guide = client.get("/board/guide")
    assert guide.headers["content-security-policy"]
    rows = re.findall(r'<tr id="([\w-]+)">.*?<td>(.*?)</td><td>(.*?)</td></tr>', guide.text)
    plain = [
        (name, *(html.unescape(re.sub("</?code>", "`", cell)) for cell in cells))
        for name, *cells in rows
    ]
    assert plain == checks
    known = {*LOG_CHECKS, *EXPERIMENT_CHECKS, "replay", "degraded"}
    assert known <= {name for name, _, _ in checks}


@pytest.mark.parametrize("name", ["nowhere.js", "../__init__.py", "%2e%2e/routes.py", ""])
def test_no_other_file_is_served(tmp_path: Path, name: str) -> None:
    with board(tmp_path) as client:
        assert client.get(f"/board/assets/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/board", "/board/assets/board.js", "/board/api/experiments"])
def test_config_switches_the_board_off(tmp_path: Path, path: str) -> None:
    with board(tmp_path, admin={"board": False}) as client:
        assert client.get(path).status_code == 404
        assert not [each for each in client.get("/openapi.json").json()["paths"] if "board" in each]


@pytest.mark.parametrize("path", ["/board", "/board/api/live", "/board/api/decisions"])
def test_where_other_machines_can_reach_it_there_is_no_board_without_a_token(
    tmp_path: Path, path: str
) -> None:
    with running(tmp_path) as client:
        refused = client.get(path, headers=TOKEN)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")


def test_where_other_machines_can_reach_it_a_browser_is_asked_for_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    with running(tmp_path) as client:
        asked = client.get("/board")
        assert asked.status_code == 401
        assert asked.headers["www-authenticate"].startswith("Basic ")
        assert client.get("/board", headers=TOKEN).status_code == 200
        assert client.get("/board", auth=("anybody", "token")).status_code == 200
        for wrong in ("wrong", "token:", ""):
            assert client.get("/board", auth=("anybody", wrong)).status_code == 401
        for faulty in ("Basic !", "Basic", f"Basic {base64.b64encode(b'token').decode()}"):
            assert client.get("/board", headers={"Authorization": faulty}).status_code == 401


def test_a_name_that_is_not_ours_gets_no_board(tmp_path: Path) -> None:
    with live(tmp_path, hosts=("127.0.0.1",)) as server:
        request = get("/board", "Connection: close")
        assert server.exchange(request).startswith(b"HTTP/1.1 200")
        foreign = request.replace(b"127.0.0.1", b"evil.example")
        assert server.exchange(foreign).startswith(b"HTTP/1.1 421")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil"])
def test_a_page_of_another_origin_takes_no_seat(tmp_path: Path, origin: str) -> None:
    with board(tmp_path) as client:
        refused = client.post("/board/api/seat", json=HEARD, headers={"Origin": origin})
        assert (refused.status_code, refused.json()["error"]["field"]) == (403, "Origin")
        own = {"Origin": "http://testserver"}
        assert client.post("/board/api/seat", json=HEARD, headers=own).status_code == 200
    assert len(events_in(tmp_path)) == 1


def test_a_form_of_any_page_takes_no_seat(tmp_path: Path) -> None:
    """A browser sends `text/plain` anywhere without asking the server first."""
    with board(tmp_path) as client:
        text = {"Content-Type": "text/plain"}
        assert client.post("/board/api/seat", content=b"{}", headers=text).status_code == 415
    assert events_in(tmp_path) == []


def test_a_seat_takes_a_turn_and_says_why(tmp_path: Path) -> None:
    with board(tmp_path) as client:
        turn = client.post("/board/api/seat", json=HEARD).json()
        following = {**HEARD, "track": turn["track"]["track"], "time": 0.1}
        second = client.post("/board/api/seat", json=following).json()
        end = {**HEARD, "track": second["track"]["track"], "end": True}
        ended = client.post("/board/api/seat", json=end).json()
    assert (turn["turn"], second["turn"], ended["turn"]) == (1, 2, 3)
    assert turn["session"] == second["session"] == ended["session"] == turn["decision"]
    assert turn["why"]
    assert turn["track"].keys() == {"track", "artist", "title"}
    assert ended["track"] is None
    lines = events_in(tmp_path)
    assert [line["message"] for line in lines] == ["next", "next", "last"]
    assert [line["seat"] for line in lines] == [True, True, True]
    assert lines[0]["recommendation"] == turn["track"]["track"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "listener"),
        ({"listener": 7.5}, "listener"),
        ({"listener": "me", "track": 1}, None),
        ({"listener": "me", "end": True}, None),
        ({"listener": "me", "track": 1, "time": 2}, "time"),
        ({"listener": "me", "more": 1}, "more"),
    ],
    ids=["no-listener", "no-id", "no-time", "an-end-of-nothing", "over-1", "unknown"],
)
@pytest.mark.parametrize("path", ["/board/api/seat", API])
def test_a_faulty_seat_changes_nothing(
    tmp_path: Path, path: str, body: dict[str, Any], field: str | None
) -> None:
    with board(tmp_path) as client:
        refused = client.post(path, json=body)
        assert refused.status_code == 422
        assert refused.json()["error"]["field"] == field
    assert events_in(tmp_path) == []


def test_a_comparison_changes_nothing(tmp_path: Path) -> None:
    with board(tmp_path) as client:
        client.post("/recommend", json={"user": "me"})
        compared = [client.post(API, json=HEARD).json() for _ in range(3)]
        after = client.post("/board/api/seat", json=HEARD).json()
    with board(tmp_path / "without") as client:
        client.post("/recommend", json={"user": "me"})
        without = client.post("/board/api/seat", json=HEARD).json()
    assert compared[0] == compared[1] == compared[2]
    assert after["turn"] == without["turn"] == 2
    assert after["candidates"] == without["candidates"]
    assert [event["message"] for event in events_in(tmp_path)] == ["next", "next"]


def test_a_comparison_proposes_what_the_turn_then_draws_from(tmp_path: Path) -> None:
    with board(tmp_path) as client:
        for user in range(20):
            sent = {**HEARD, "listener": user}
            arms = client.post(API, json=sent).json()["arms"]
            turn = client.post("/board/api/seat", json=sent).json()
            assert {(arm["experiment"], arm["arm"]) for arm in arms} == {
                ("fallback", "C"),
                ("fallback", "T1"),
            }
            (own,) = [arm for arm in arms if arm["own"]]
            assert own["arm"] == turn["experiments"]["fallback"]
            assert (own["answered_by"], own["depth"], own["candidates"]) == (
                turn["answered_by"], turn["depth"], turn["candidates"],
            )  # fmt: skip
            assert own["problem"] is None


def test_a_listener_in_no_experiment_is_compared_with_the_default(tmp_path: Path) -> None:
    with board(tmp_path, holdout={"share": 1.0}) as client:
        first = client.post(API, json=HEARD).json()["arms"][0]
    assert (first["experiment"], first["arm"], first["own"]) == (None, None, True)
    assert first["strategy"] == "contextual"


def test_without_a_process_the_board_says_what_to_run(tmp_path: Path) -> None:
    with board(tmp_path) as client:
        for path in ("/board/api/experiments", "/board/api/tracks", "/board/api/live"):
            refused = client.get(path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_board")
            assert "segue board LOG" in refused.json()["error"]["message"]
