"""The board's content: patches, tables, decisions, tracks, lists and the config file."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.testclient import TestClient

from audit.board.answers import Answers, answer_of
from audit.board.config_file import differences
from audit.board.json_patch import Operation, patch_between
from audit.board.sources import BoardSources
from audit.board.tables import BoardTable
from core.lists import save_lists
from segue.testing import small_world
from tests.service import events_in, running, write_config

TOKEN = {"Authorization": "Bearer token"}
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-2, 2) | some.sampled_from(["", "a", "~/"]),
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(some.sampled_from(["a", "b", "~1", "/"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def patched(document: Any, operations: list[Operation]) -> Any:
    """Apply operations as RFC 6902 has them."""
    root = {"": json.loads(json.dumps(document))}
    for operation in operations:
        parts = operation["path"].split("/")
        names = [part.replace("~1", "/").replace("~0", "~") for part in parts]
        at: Any = root
        for name in names[:-1]:
            at = at[int(name)] if isinstance(at, list) else at[name]
        last = names[-1]
        if isinstance(at, list):
            if operation["op"] == "add":
                at.insert(len(at) if last == "-" else int(last), operation["value"])
            elif operation["op"] == "remove":
                del at[int(last)]
            else:
                at[int(last)] = operation["value"]
        elif operation["op"] == "remove":
            del at[last]
        else:
            assert (last in at) == (operation["op"] == "replace")
            at[last] = operation["value"]
    return root[""]


@given(VALUES, VALUES)
def test_a_patch_makes_the_one_value_of_the_other(before: Any, after: Any) -> None:
    found = patched(before, patch_between(before, after))
    assert json.dumps(found, sort_keys=True) == json.dumps(after, sort_keys=True)


def test_a_series_that_grows_costs_only_what_is_new() -> None:
    before, after = (
        {"series": [{"at": 1}, {"at": 2}]},
        {"series": [{"at": 1}, {"at": 2}, {"at": 3}]},
    )
    assert patch_between(before, after) == [{"op": "add", "path": "/series/-", "value": {"at": 3}}]


def test_a_title_cannot_be_a_formula_or_break_a_table() -> None:
    table = BoardTable(("title", "share"), [["=1+2", 0.5], ["a|b\n*c*", -0.25], [None, True]])
    rows = list(csv.reader(io.StringIO(table.written("csv"))))
    assert rows == [["title", "share"], ["'=1+2", "0.5"], ["a|b\n*c*", "-0.25"], ["", "true"]]
    assert table.written("md").splitlines()[3] == r"| a\|b \*c\* | -0.25 |"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    with running(tmp_path) as made:
        yield made


def asked(folder: Path, what: str, **question: Any) -> dict[str, Any]:
    """Ask the board of a config's log, and expect an answer."""
    sources = BoardSources((folder / "log",), folder / "config.yaml")
    found = answer_of(Answers(sources), {"what": what, **question})
    assert found.status == 200, found.body
    return dict(json.loads(found.body))


def refused(folder: Path, what: str, **question: Any) -> tuple[int, str]:
    """Ask the board what it has no answer to; give the status and the field at fault."""
    sources = BoardSources((folder / "log",), folder / "config.yaml")
    found = answer_of(Answers(sources), {"what": what, **question})
    return found.status, json.loads(found.body)["error"]["field"]


def play(client: TestClient, users: range) -> None:
    for user in users:
        for heard in ({}, {"track": 1000, "time": 0.9}, {"track": 1010, "time": 0.1}):
            assert client.post("/recommend", json={"user": user, **heard}).status_code == 200


def test_the_latest_decisions_come_first(client: TestClient, tmp_path: Path) -> None:
    play(client, range(5))
    client.post("/feedback", json={"user": 4, "track": 1020, "time": 1, "final": True})
    decided = [event for event in events_in(tmp_path) if event["message"] == "next"]
    found = asked(tmp_path, "decisions", limit=4)
    ids = [each["decision"] for each in found["decisions"]]
    assert ids == [event["decision"] for event in reversed(decided)][:4]
    assert found["has_more"]
    assert found["decisions"][0]["heard"]["track"] == 1010
    assert found["decisions"][0]["heard"]["title"]


def test_the_decisions_of_one_listener_are_found(client: TestClient, tmp_path: Path) -> None:
    play(client, range(20))
    client.post("/recommend", json={"user": "7"})  # 7 and "7" are one listener
    found = asked(tmp_path, "decisions", listener="7", limit=10)
    assert [str(each["user"]) for each in found["decisions"]] == ["7"] * 4
    assert [each["turn"] for each in found["decisions"]] == [4, 3, 2, 1]
    assert not found["has_more"]
    assert asked(tmp_path, "decisions", listener="nobody", limit=10)["decisions"] == []


@pytest.mark.parametrize(
    "listener", ["jürgen 😀", "\u202eevil", '"quoted" \\', "<b>&amp;</b>", "a/b?c=d&e#f%20"]
)
def test_a_listener_of_any_name_is_found_and_their_decision_made_again(
    listener: str, client: TestClient, tmp_path: Path
) -> None:
    for heard in ({}, {"track": 1000, "time": 0.9}):
        client.post("/recommend", json={"user": listener, **heard})
    found = asked(tmp_path, "decisions", listener=listener, limit=10)["decisions"]
    assert [(each["user"], each["turn"]) for each in found] == [(listener, 2), (listener, 1)]
    assert asked(tmp_path, "decision", decision=found[0]["decision"])["made_again"]["same"]


def test_every_decision_comes_out_the_same(client: TestClient, tmp_path: Path) -> None:
    play(client, range(3))
    for event in events_in(tmp_path):
        found = asked(tmp_path, "decision", decision=event["decision"])
        assert found["made_again"] == {"same": True, "differing": []}
        assert found["where"].startswith("log/events-"), "from the log folder on"
        assert found["event"] == event
        assert found["draw"]["tracks"][0]["track"] == event["recommendation"]
        drawn = [each["track"] for each in found["candidates"]["first"] if each["drawn"]]
        assert drawn == [event["recommendation"]][: len(drawn)]
        assert len(found["heard"]) == found["heard_count"] == event["turn"] - 1
        outcomes = [member["outcome"] for member in found["chain"]]
        assert outcomes[event["depth"]] == "answered"
        assert outcomes[: event["depth"]] == ["abstained"] * event["depth"]
        assert set(outcomes[event["depth"] + 1 :]) <= {"not asked"}


def test_a_changed_line_does_not_come_out_the_same(client: TestClient, tmp_path: Path) -> None:
    play(client, range(3))
    (path,) = (tmp_path / "log").glob("events-*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[-1]["propensity"] = 0.123
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    again = asked(tmp_path, "decision", decision=lines[-1]["decision"])["made_again"]
    assert not again["same"]
    (differing,) = again["differing"]
    assert (differing["field"], differing["logged"]) == ("propensity", 0.123)


@pytest.mark.parametrize(
    ("what", "question", "expected"),
    [
        ("decision", {"decision": "nope"}, (404, "decision")),
        ("decision", {"decision": '"'}, (404, "decision")),
        ("track", {"track": "nope"}, (404, "track")),
        ("list", {"name": "nope", "id": "1000"}, (404, "name")),
        ("list", {"name": "contextual", "id": "nope"}, (404, "id")),
        ("list", {"name": "personal", "id": "nobody"}, (404, "id")),
        ("overlap", {"a": "nope", "b": "personal", "k": 10}, (404, "a")),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(
    client: TestClient, tmp_path: Path, what: str, question: Any, expected: tuple[int, str]
) -> None:
    play(client, range(1))
    assert refused(tmp_path, what, **question) == expected


def test_tracks_are_found_by_their_words(client: TestClient, tmp_path: Path) -> None:
    play(client, range(1))
    one = client.get("/tracks/1030").json()
    words = f"{one['title'].upper()} {one['artist'][:4].lower()}"
    found = asked(tmp_path, "tracks", q=words, limit=100)
    assert one in found["tracks"]
    assert asked(tmp_path, "tracks", q="1030", limit=1)["tracks"] == [one]
    everything = asked(tmp_path, "tracks", q="", limit=2)
    assert len(everything["tracks"]) == 2 < everything["total"]
    assert asked(tmp_path, "tracks", q="no such words", limit=2) == {"tracks": [], "total": 0}


def test_a_list_has_titles(client: TestClient, tmp_path: Path) -> None:
    play(client, range(1))
    listed = json.loads((tmp_path / "contextual.jsonl").read_text().splitlines()[0])
    found = asked(tmp_path, "list", name="contextual", id=str(listed["track"]))
    assert [each["track"] for each in found["tracks"]] == listed["recommendations"]
    assert found["of"] == client.get(f"/tracks/{listed['track']}").json()
    personal = asked(tmp_path, "list", name="personal", id="1")
    assert personal["of"] is None
    assert [each["rank"] for each in personal["tracks"]][:2] == [1, 2]


def test_a_list_shows_its_scores(tmp_path: Path) -> None:
    catalog = small_world.small_catalog()
    write_config(tmp_path)
    save_lists(
        tmp_path / "scored.npz", "track", {0: [3, 1, 2]}, catalog, {}, {0: [0.75, 0.5, 0.25]}
    )

    def change(config: dict[str, Any]) -> None:
        config["catalog"]["lists"]["scored"] = "scored.npz"

    with running(tmp_path, change):
        found = asked(tmp_path, "list", name="scored", id="1000")
        plain = asked(tmp_path, "list", name="contextual", id="1000")
    assert [(each["track"], each["score"]) for each in found["tracks"]] == [
        (1030, 0.75),
        (1010, 0.5),
        (1020, 0.25),
    ]
    assert {each["score"] for each in plain["tracks"]} == {None}


def test_the_overlap_counts_what_two_files_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "contextual.jsonl").read_text().splitlines()]
    other = [{**row, "recommendations": row["recommendations"][1:]} for row in rows[1:]]
    (tmp_path / "other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))

    def change(config: dict[str, Any]) -> None:
        config["catalog"]["lists"]["other"] = "other.jsonl"

    with running(tmp_path, change):
        found = asked(tmp_path, "overlap", a="contextual", b="other", k=3)
        same = asked(tmp_path, "overlap", a="other", b="other", k=3)
    sizes = [
        len(set(row["recommendations"][:3]) & set(row["recommendations"][1:4])) for row in rows[1:]
    ]
    assert (found["both"], found["only_a"], found["only_b"]) == (len(rows) - 1, 1, 0)
    assert found["histogram"] == [{"shared": each, "rows": sizes.count(each)} for each in range(4)]
    assert (same["overlap"], same["jaccard"]) == (1.0, 1.0)


def test_the_artifacts_are_those_in_use(client: TestClient, tmp_path: Path) -> None:
    found = asked(tmp_path, "artifacts")
    used = {each["name"]: each["used_by"] for each in found["lists"]}
    assert used == {"contextual": ["contextual", "improved"], "personal": []}
    assert found["config"] == client.get("/readyz").json()["config"]
    assert found["top"]["path"] == str(tmp_path / "top_tracks.json")


def test_the_config_page_tells_a_changed_file_from_the_served_one(
    client: TestClient, tmp_path: Path
) -> None:
    same = asked(tmp_path, "config")
    assert (same["file"]["same"], same["diff"], same["check"]["faults"]) == (True, [], [])

    def ramp(config: dict[str, Any]) -> None:
        config["strategies"]["popular"]["top"] = 9
        config["experiments"][0]["question"] = "Do listeners stay longer?"

    write_config(tmp_path, ramp)
    changed = asked(tmp_path, "config")
    assert {"key": "strategies.popular.top", "served": 8, "file": 9} in changed["diff"]
    assert {each["key"] for each in changed["diff"]} == {
        "strategies.popular.top",
        "questions.fallback",
    }
    (refused_start,) = changed["check"]["faults"]  # the experiment has started with the old top
    assert "version" in refused_start["what"]
    assert not changed["file"]["same"]
    (tmp_path / "config.yaml").write_text("strategies: 7\n")
    faulty = asked(tmp_path, "config")
    assert not faulty["check"]["sound"]
    assert faulty["check"]["faults"]
    assert faulty["file"] == {"config": None, "same": False, "text": "strategies: 7\n"}


def test_differences_name_each_key() -> None:
    before, after = {"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1, "c": [2]}, "e": 3}
    assert list(differences(before, after)) == [
        {"key": "a.c", "served": [1], "file": [2]},
        {"key": "d", "served": 2, "file": None},
        {"key": "e", "served": None, "file": 3},
    ]
