"""The filter of a request: over HTTP, into the log, and back out of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from audit.replay import Replayer
from core.catalog import UNKNOWN
from segue.testing.small_world import fields_of, small_catalog
from tests.service import events_in, loaded, running

CATALOG = small_catalog()


def filtering(config: dict[str, Any]) -> None:
    config["strategies"] |= {
        "asked": {"type": "filter", "of": "popular", "request": True, "fallback": "random"}
    }
    config["default"] = "asked"
    config["experiments"] = []


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path, filtering) as made:
        yield made


CONDITIONS: list[dict[str, Any]] = [
    {"genre": "rock"},
    {"genre": ["rock", "jazz"], "year": {"max": 2000}},
    {"year": {"min": 1995, "max": 2005.5}},
    {"tags": {"not": "live"}},
]


def test_answers_keep_to_the_filter_and_the_log_has_it(client: TestClient, tmp_path: Path) -> None:
    for number, conditions in enumerate(CONDITIONS * 5):
        answer = client.post("/recommend", json={"user": number, "filter": conditions}).json()
        assert answer["answered_by"] == "popular"
        track = CATALOG.index_of(answer["track"])
        assert track != UNKNOWN
        facts = fields_of(track)
        assert conditions.get("genre") is None or facts["genre"] in conditions["genre"]
        assert "max" not in conditions.get("year", {}) or facts["year"] <= conditions["year"]["max"]
        assert "tags" not in conditions or "live" not in facts["tags"]

    assert [event["filter"] for event in events_in(tmp_path)] == CONDITIONS * 5


def test_replay_makes_filtered_decisions_again(client: TestClient, tmp_path: Path) -> None:
    for number, conditions in enumerate(CONDITIONS):
        client.post("/recommend", json={"user": number, "filter": conditions})
    runtime = loaded(tmp_path, filtering)
    events = list(events_in(tmp_path))

    replayer = Replayer(lambda digest: runtime)
    for event in events:
        replayer.take(event, "a line")
    assert (replayer.result.decisions, replayer.result.mismatched) == (4, 0)

    unfiltered = Replayer(lambda digest: runtime)
    for event in events:
        unfiltered.take({k: v for k, v in event.items() if k != "filter"}, "a line")
    assert unfiltered.result.mismatched > 0


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"genres": "rock"}, "unknown field of the catalog 'genres'. Did you mean 'genre'?"),
        ({"year": {}}, "must have `min`, `max` or `not`"),
        ({"year": {"least": 3}}, ""),
        ({"genre": []}, ""),
        ({"genre": None}, ""),
        ({"genre": {"min": "a"}}, ""),
        ({str(n): 1 for n in range(17)}, ""),
        ("rock", ""),
    ],
)
def test_a_faulty_filter_is_refused_and_changes_nothing(
    client: TestClient, tmp_path: Path, conditions: Any, said: str
) -> None:
    response = client.post("/recommend", json={"user": 7, "filter": conditions})

    assert response.status_code == 422
    error = response.json()["error"]
    assert said in error["message"]
    assert error["field"].startswith("filter")
    assert not events_in(tmp_path)


def test_a_config_that_reads_no_filter_refuses_one(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        response = client.post("/recommend", json={"user": 7, "filter": {"genre": "rock"}})

    assert response.status_code == 422
    assert "has no strategy that reads it" in response.json()["error"]["message"]


def test_fields_that_decide_are_in_the_digest(tmp_path: Path) -> None:
    plain, asked = loaded(tmp_path / "a"), loaded(tmp_path / "b", filtering)

    assert "fields" not in plain.described["catalog"]
    assert set(asked.described["catalog"]["fields"]) == {"genre", "year", "tags"}


def test_a_field_that_the_catalog_lacks_stops_the_start(tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["strategies"]["only"] = {"type": "filter", "of": "random", "where": {"mood": "sad"}}

    with pytest.raises(Exception, match=r"strategies\.only\.where\.mood: unknown field of the cat"):
        loaded(tmp_path, change)
