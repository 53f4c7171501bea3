"""The HTTP contract: answers, errors, and requests that change nothing because of an error."""

import dataclasses
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import TypeAdapter, ValidationError
from starlette.testclient import TestClient

from app.application import create_app
from app.bodies import check_size, read_recommend
from app.errors import ApiError
from app.requests import MAX_BODY, RecommendRequest
from core.candidates import Candidates
from core.listener import Listener
from engine.runtime import Chain, Propose
from segue.testing import small_world
from tests import service
from tests.service import events_in, running


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path) as made:
        made.headers["Content-Type"] = "application/json"
        yield made


def test_a_first_visit_gets_a_track_of_the_catalog(client: TestClient) -> None:
    response = client.post("/recommend", json={"user": 7})

    assert response.status_code == 200
    answer = response.json()
    assert set(answer) == {
        "user", "track", "tracks", "decision", "experiments", "strategy", "answered_by",
    }  # fmt: skip
    assert answer["user"] == 7
    assert answer["tracks"] == [answer["track"]]
    assert answer["track"] in small_world.small_catalog().ids
    assert answer["answered_by"] == "random"


def test_ids_come_back_as_they_were_sent(client: TestClient) -> None:
    assert client.post("/recommend", json={"user": "7"}).json()["user"] == "7"
    assert client.post("/recommend", json={"user": 7}).json()["user"] == 7


def test_a_number_and_its_digits_are_one_listener(client: TestClient, tmp_path: Path) -> None:
    client.post("/recommend", json={"user": 7})
    client.post("/recommend", json={"user": "7"})

    assert [event["turn"] for event in events_in(tmp_path)] == [1, 2]


def test_n_tracks_are_all_different(client: TestClient, tmp_path: Path) -> None:
    answer = client.post("/recommend", json={"user": 7, "n": 20}).json()

    assert len(set(answer["tracks"])) == 20
    assert answer["track"] == answer["tracks"][0]
    assert events_in(tmp_path)[0]["recommendations"] == answer["tracks"]


def test_fewer_tracks_come_when_fewer_are_proposed(client: TestClient) -> None:
    body = {"user": 7, "track": 1000, "time": 0.5, "n": 100}

    assert len(client.post("/recommend", json=body).json()["tracks"]) == len(small_world.list_of(0))


def test_excluded_tracks_are_not_recommended(client: TestClient) -> None:
    catalog = small_world.small_catalog()
    keep, *drop = [catalog.ids[track] for track in small_world.list_of(0)]
    body = {"user": 7, "track": 1000, "time": 0.5, "exclude": [*drop, "no such track"]}

    assert client.post("/recommend", json=body).json()["tracks"] == [keep]


def test_excluding_everything_is_refused_and_changes_nothing(
    client: TestClient, tmp_path: Path
) -> None:
    everything = small_world.small_catalog().ids

    response = client.post("/recommend", json={"user": 7, "exclude": everything})

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "nothing_left"
    assert events_in(tmp_path) == []
    client.post("/recommend", json={"user": 7})
    assert events_in(tmp_path)[0]["turn"] == 1


def test_an_unknown_track_is_no_error(client: TestClient, tmp_path: Path) -> None:
    response = client.post("/recommend", json={"user": 7, "track": "elsewhere", "time": 0.5})

    assert response.status_code == 200
    assert response.json()["answered_by"] == "random"
    assert events_in(tmp_path)[0]["track"] == "elsewhere"


def test_explain_names_the_strategy_that_abstained_and_its_reason(client: TestClient) -> None:
    answer = client.post("/recommend", json={"user": 7, "explain": True}).json()

    assert any("contextual: abstained" in reason for reason in answer["why"]) or any(
        "improved: abstained" in reason for reason in answer["why"]
    )
    assert answer["why"][-1] == "drawn from 24 candidates, propensity 0.04167"


def test_an_experiments_arm_answers_with_its_strategy(client: TestClient) -> None:
    named = {"C": "contextual", "T1": "improved"}
    seen = set()
    for user in range(40):
        answer = client.post("/recommend", json={"user": user}).json()
        arm = answer["experiments"]["fallback"]
        assert answer["strategy"] == named[arm]
        seen.add(arm)
    assert seen == {"C", "T1"}


def test_the_event_agrees_with_the_response(client: TestClient, tmp_path: Path) -> None:
    answer = client.post(
        "/recommend",
        json={"user": 7, "track": 1000, "time": 0.5, "attributes": {"country": "NL"}},
    ).json()

    (event,) = events_in(tmp_path)
    assert event["message"] == "next"
    assert event["timestamp"] == service.START_MS
    assert (event["user"], event["track"], event["time"]) == (7, 1000, 0.5)
    assert event["recommendation"] == answer["track"]
    for key in ("decision", "experiments", "strategy", "answered_by"):
        assert event[key] == answer[key]
    assert event["attributes"] == {"country": "NL"}
    assert event["propensity"] == pytest.approx(1 / event["candidates"])
    assert event["schema"] == 2
    assert 0 < event["took_us"] <= event["latency"] * 1e6 + 0.1
    assert event["turn"] == 1
    assert event["session"] == event["decision"]
    assert event["config"] == client.get("/readyz").json()["config"]
    assert event["forced"] is False
    assert 0 < event["latency"] < 10


def test_feedback_is_remembered_and_logged(client: TestClient, tmp_path: Path) -> None:
    client.post("/recommend", json={"user": 7})
    answer = client.post("/feedback", json={"user": 7, "track": 1000, "time": 0.4})
    client.post("/recommend", json={"user": 7})

    assert (answer.status_code, answer.json()) == (200, {"user": 7})
    first, heard, second = events_in(tmp_path)
    assert heard["message"] == "heard"
    assert heard["session"] == first["session"] == second["session"]
    assert second["candidates"] == len(small_world.list_of(0))  # it used the feedback


def test_final_feedback_ends_the_session(client: TestClient, tmp_path: Path) -> None:
    client.post("/recommend", json={"user": 7})
    client.post("/feedback", json={"user": 7, "track": 1000, "time": 0.4, "final": True})
    client.post("/recommend", json={"user": 7})

    first, last, second = events_in(tmp_path)
    assert last["message"] == "last"
    assert last["session"] == first["session"]
    assert second["session"] == second["decision"] != first["session"]
    assert second["answered_by"] == "random"  # no listen in the new session


def test_silence_ends_the_session(tmp_path: Path) -> None:
    clock = service.Clock()
    with running(tmp_path, clock=clock, state={"session_gap_s": 60}) as client:
        client.post("/recommend", json={"user": 7})
        clock.tick(60)
        client.post("/recommend", json={"user": 7})
        clock.tick(60.001)
        client.post("/recommend", json={"user": 7})

    first, second, third = events_in(tmp_path)
    assert second["session"] == first["session"] != third["session"]


def test_a_retried_request_gets_the_same_answer_and_one_line(
    client: TestClient, tmp_path: Path
) -> None:
    once = client.post("/recommend", json={"user": 7}, headers={"Idempotency-Key": "a"})
    again = client.post("/recommend", json={"user": 7}, headers={"Idempotency-Key": "a"})
    other = client.post("/recommend", json={"user": 8}, headers={"Idempotency-Key": "a"})

    assert once.content == again.content
    assert other.json()["user"] == 8
    assert [event["user"] for event in events_in(tmp_path)] == [7, 8]


def test_a_key_makes_a_fresh_server_answer_the_same(tmp_path: Path) -> None:
    answers = []
    for run in ("one", "two"):
        with running(tmp_path / run) as client:
            if run == "two":
                client.post("/recommend", json={"user": 99})  # a second listener changes nothing
            response = client.post("/recommend", json={"user": 7}, headers={"Idempotency-Key": "k"})
            answers.append(response.json()["track"])
    assert answers[0] == answers[1]


def test_a_key_with_a_different_body_is_refused(client: TestClient, tmp_path: Path) -> None:
    client.post("/recommend", json={"user": 7}, headers={"Idempotency-Key": "a"})

    response = client.post("/recommend", json={"user": 7, "n": 2}, headers={"Idempotency-Key": "a"})

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "idempotency_key_reused"
    assert len(events_in(tmp_path)) == 1


NESTED = b'{"user": 7, "attributes": {"a": ' + b"[" * 1000 + b"]" * 1000 + b"}}"
RECOMMEND_FAULTS: dict[str, tuple[bytes, int, str | None]] = {
    "no-json": (b"{user: 7}", 400, None),
    "empty-body": (b"", 400, None),
    "cut-json": (b'{"user": 7', 400, None),
    "not-utf-8": (b'{"user": "\xff"}', 400, None),
    "an-array": (b"[7]", 422, None),
    "null": (b"null", 422, None),
    "no-user": (b"{}", 422, "user"),
    "null-user": (b'{"user": null}', 422, "user"),
    "float-user": (b'{"user": 7.0}', 422, "user"),
    "boolean-user": (b'{"user": true}', 422, "user"),
    "empty-user": (b'{"user": ""}', 422, "user"),
    "padded-user": (b'{"user": "7 "}', 422, "user"),
    "long-user": (b'{"user": "' + b"x" * 257 + b'"}', 422, "user"),
    "huge-user": (b'{"user": 9223372036854775808}', 422, "user"),
    "long-track": (b'{"user": 7, "time": 0, "track": "' + b"x" * 257 + b'"}', 422, "track"),
    "time-below-0": (b'{"user": 7, "track": 1000, "time": -0.01}', 422, "time"),
    "time-above-1": (b'{"user": 7, "track": 1000, "time": 1.01}', 422, "time"),
    "time-nan": (b'{"user": 7, "track": 1000, "time": NaN}', 422, "time"),
    "time-infinite": (b'{"user": 7, "track": 1000, "time": Infinity}', 422, "time"),
    "time-overflowing": (b'{"user": 7, "track": 1000, "time": 1e999}', 422, "time"),
    "time-a-string": (b'{"user": 7, "track": 1000, "time": "0.5"}', 422, "time"),
    "time-a-boolean": (b'{"user": 7, "track": 1000, "time": true}', 422, "time"),
    "time-without-track": (b'{"user": 7, "time": 0.5}', 422, None),
    "track-without-time": (b'{"user": 7, "track": 1000}', 422, None),
    "n-0": (b'{"user": 7, "n": 0}', 422, "n"),
    "n-101": (b'{"user": 7, "n": 101}', 422, "n"),
    "n-a-float": (b'{"user": 7, "n": 1.5}', 422, "n"),
    "n-a-boolean": (b'{"user": 7, "n": true}', 422, "n"),
    "exclude-no-array": (b'{"user": 7, "exclude": 1000}', 422, "exclude"),
    "exclude-of-nulls": (b'{"user": 7, "exclude": [null]}', 422, "exclude.0"),
    "attribute-nan": (b'{"user": 7, "attributes": {"a": NaN}}', 422, "attributes.a"),
    "attribute-nested": (b'{"user": 7, "attributes": {"a": {}}}', 422, "attributes.a"),
    "attribute-very-nested": (NESTED, 400, None),
    "unknown-field": (b'{"user": 7, "tracc": 1}', 422, "tracc"),
    "very-long-unknown-field": (b'{"user": 7, "' + b"x" * 60_000 + b'": 1}', 422, "x" * 128),
    "user-twice": (b'{"user": 7, "user": 8}', 422, "user"),
    "user-twice-the-same": (b'{"user": 7, "user": 7}', 422, "user"),
    "time-twice": (b'{"user": 7, "track": 1000, "time": 0.5, "time": 0.5}', 422, "time"),
    "n-twice": (b'{"user": 7, "n": 1, "n": 1}', 422, "n"),
    "spelt-in-two-ways": (b'{"user": 7, "\\u0075ser": 8}', 422, "user"),
    "spelt-in-two-odd-ways": (b'{"us\\u0065r": 7, "\\u0075ser": 8}', 422, "user"),
    "attribute-twice": (b'{"user": 7, "attributes": {"a": 1, "a": 2}}', 422, "a"),
    "attribute-twice-no-latin": ('{"user": 7, "attributes": {"Ŝ": 1, "Ŝ": 2}}'.encode(), 422, "Ŝ"),
    "filter-twice": (b'{"user": 7, "filter": {"year": 1}, "filter": {"year": 1}}', 422, "filter"),
    "condition-twice": (b'{"user": 7, "filter": {"year": 1, "year": 2}}', 422, "year"),
    "bound-twice": (b'{"user": 7, "filter": {"year": {"min": 1, "min": 2}}}', 422, "min"),
    "attributes-twice": (b'{"user": 7, "attributes": {"a": 1}, "attributes": {}}', 422, None),
    "many-unknown-fields": (
        b"{" + b",".join(b'"%d": 1' % number for number in range(6000)) + b"}",
        422,
        None,
    ),
}


@pytest.mark.parametrize(
    ("body", "status", "field"), RECOMMEND_FAULTS.values(), ids=RECOMMEND_FAULTS.keys()
)
def test_a_faulty_body_is_refused_and_changes_nothing(
    client: TestClient, tmp_path: Path, body: bytes, status: int, field: str | None
) -> None:
    response = client.post("/recommend", content=body)

    assert_error(response, status, field)
    assert events_in(tmp_path) == []
    client.post("/recommend", json={"user": 7})
    assert events_in(tmp_path)[0]["turn"] == 1


OTHER_FAULTS: dict[str, tuple[str, str, bytes | None, dict[str, str], int]] = {
    "body-too-large": ("POST", "/recommend", b" " * (MAX_BODY + 1), {}, 413),
    "feedback-too-large": ("POST", "/feedback", b" " * (MAX_BODY + 1), {}, 413),
    "no-content-type": ("POST", "/recommend", b'{"user": 7}', {"Content-Type": ""}, 415),
    "gzip": (
        "POST", "/recommend", gzip.compress(b'{"user": 7}'), {"Content-Encoding": "gzip"}, 415,
    ),
    "next-with-a-key-twice": ("POST", "/next/7", b'{"track": 1, "time": 1, "time": 0}', {}, 422),
    "feedback-with-a-key-twice": (
        "POST", "/feedback", b'{"user": 7, "track": 1, "time": 1, "track": 2}', {}, 422,
    ),
    "next-no-utf-8": ("POST", "/next/%FF%FE", b'{"track": 1000, "time": 1}', {}, 422),
    "a-form": ("POST", "/recommend", b"user=7", {"Content-Type": "text/plain"}, 415),
    "get-recommend": ("GET", "/recommend", None, {}, 405),
    "delete-feedback": ("DELETE", "/feedback", None, {}, 405),
    "post-experiments": ("POST", "/experiments", b"{}", {}, 405),
    "unknown-path": ("GET", "/nowhere", None, {}, 404),
    "unknown-track": ("GET", "/tracks/4211", None, {}, 404),
    "unknown-track-of-old": ("GET", "/track/4211", None, {}, 404),
    "empty-key": ("POST", "/recommend", b'{"user": 7}', {"Idempotency-Key": ""}, 422),
    "long-key": ("POST", "/recommend", b'{"user": 7}', {"Idempotency-Key": "k" * 257}, 422),
    "feedback-without-track": ("POST", "/feedback", b'{"user": 7}', {}, 422),
    "feedback-null-track": ("POST", "/feedback", b'{"user":7,"track":null,"time":1}', {}, 422),
    "feedback-final-a-number": (
        "POST", "/feedback", b'{"user": 7, "track": 1, "time": 1, "final": 1}', {}, 422,
    ),
    "next-without-time": ("POST", "/next/7", b'{"track": 1000}', {}, 422),
    "next-time-above-1": ("POST", "/next/7", b'{"track": 1000, "time": 2}', {}, 422),
    "next-padded-user": ("POST", "/next/%207", b'{"track": 1000, "time": 1}', {}, 422),
    "next-long-user": ("POST", f"/next/{'x' * 257}", b'{"track": 1000, "time": 1}', {}, 422),
    "last-no-json": ("POST", "/last/7", b"track", {}, 400),
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"), OTHER_FAULTS.values(), ids=OTHER_FAULTS.keys()
)
def test_every_error_has_the_same_shape(
    client: TestClient,
    tmp_path: Path,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    status: int,
) -> None:
    response = client.request(method, path, content=body, headers=headers)

    assert_error(response, status)
    assert events_in(tmp_path) == []


def assert_error(response: Any, status: int, field: str | None = None) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"code", "message", "field"}
    assert answer["error"]["message"]
    if field is not None:
        assert answer["error"]["field"] == field


ACCEPTED: dict[str, bytes] = {
    "a-value-like-a-key": b'{"user": "user", "track": "track", "time": 0.5}',
    "ids-with-colons": b'{"user": "spotify:user:7", "track": "spotify:track:9", "time": 0.5}',
    "defaults": b'{"user": 7, "track": null, "time": null, "exclude": [], "explain": false}',
    "an-attribute-named-as-a-field": b'{"user": 7, "attributes": {"user": 1, "n": 2}}',
    "escapes": b'{"us\\u0065r": "a\\"b\\\\", "exclude": ["\\ud83d\\ude00"]}',
    "quotes-with-colons": b'{"user": "\\"n\\": 1, \\"n\\": 2"}',
    "many-colons": json.dumps({"user": 7, "exclude": [f"spotify:track:{n}" for n in range(999)]}
    ).encode(),
    "all-attributes": json.dumps({"user": 7, "attributes": {f"a{n}": "x" * 200 for n in range(32)}}
    ).encode(),
}  # fmt: skip


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_body_in_which_no_key_stands_twice_is_accepted(client: TestClient, body: bytes) -> None:
    assert client.post("/recommend", content=body).status_code == 200


@given(
    some.lists(
        some.tuples(
            some.sampled_from(
                ["user", "track", "time", "n", "exclude", "explain", "attributes", "filter"]
            ),
            some.integers(0, 2),
        ),
        max_size=8,
    )
)
def test_a_body_is_refused_for_a_key_twice_exactly_if_it_has_one(
    fields: list[tuple[str, int]],
) -> None:
    values: dict[str, list[Any]] = {
        "user": [7, "user", "a:b"], "track": [1000, "n", ":"], "time": [0.5, 0, 1],
        "n": [1, 2, 3], "exclude": [[], [1000], ["user", "n:", '"n":']],
        "explain": [True, False, False], "attributes": [{}, {"n": 1}, {"user": ":", '"n"': 2}],
        "filter": [{}, {"year": {"min": 1, "not": 3}}, {"n": [":", "n"], "max": {"max": 1}}],
    }  # fmt: skip
    fields = [("user", 0), *(each for each in fields if each[0] != "user")]
    if ("track" in dict(fields)) != ("time" in dict(fields)):
        fields += [("track", 0)] if "time" in dict(fields) else [("time", 0)]
    pairs = [f"{json.dumps(key)}: {json.dumps(values[key][which])}" for key, which in fields]
    body = ("{" + ", ".join(pairs) + "}").encode()
    if len(dict(fields)) == len(fields):
        read_recommend("", body)
    else:
        with pytest.raises(ApiError, match="stands twice"):
            read_recommend("", body)


FULL_OF_FAULTS = {
    "one-attribute": b'{"user": 7, "attributes": {' + b",".join([b'"": []'] * 9_000) + b"}}",
    "fields": b"{" + b",".join(b'"%d": 1' % number for number in range(6_000)) + b"}",
    "small": b'{"attributes": {' + b",".join(b'"%d":[]' % n for n in range(110)) + b"}}",
}


@pytest.mark.parametrize("name", FULL_OF_FAULTS)
def test_a_body_full_of_faults_is_answered_in_few_words(client: TestClient, name: str) -> None:
    """Listing 50,000 faults took 0.4 s, for an answer that names the first."""
    response = client.post("/recommend", content=FULL_OF_FAULTS[name])
    assert_error(response, 422)
    assert "at most 32 keys" in response.json()["error"]["message"]
    assert len(response.content) < 400


def test_a_body_far_too_wide_is_refused_before_it_is_validated() -> None:
    for name in ("one-attribute", "fields"):
        with pytest.raises(ApiError, match="at most 32 keys"):
            check_size(FULL_OF_FAULTS[name])
    many = b",".join([b"[]"] * 20_000)
    for body in (
        b'{"user": 7, "filter": {"year": [%b]}}' % many,
        b'{"user": 7, "filter": {"year": {"min": [%b]}}}' % many,
        b'{"user": 7, "exclude": [[%b]]}' % many,
        b'{"user": [%b]}' % many,
    ):
        with pytest.raises(ApiError, match="at most 1,000 items beside those of exclude"):
            check_size(body)
    check_size(b'{"user": 7, "exclude": [' + b",".join([b"1000"] * 10_000) + b"]}")


LONG_LISTS = {
    "exclude.0": b'{"user": 7, "exclude": [' + b",".join([b"true"] * 10_700) + b"]}",
    "filter.year": b'{"user": 7, "filter": {"year": [' + b",".join([b"[]"] * 300) + b"]}}",
}


@pytest.mark.parametrize("field", LONG_LISTS)
def test_validation_stops_at_the_first_fault_of_a_list(client: TestClient, field: str) -> None:
    body = LONG_LISTS[field]
    response = client.post("/recommend", content=body)
    assert_error(response, 422)
    assert response.json()["error"]["field"].startswith(field)
    with pytest.raises(ValidationError) as error:
        TypeAdapter(RecommendRequest).validate_json(body)
    assert error.value.error_count() <= 10


@pytest.mark.parametrize("name", ["AC/DC", "a/b/c", "/", "50%", "ä/ö"])
def test_ids_with_a_slash_work_in_paths(tmp_path: Path, name: str) -> None:
    with running(tmp_path) as client:
        path = quote(name, safe="")
        heard = {"track": 1000, "time": 1.0}
        assert client.post(f"/next/{path}", json=heard).json()["user"] == name
        assert client.post(f"/last/{path}", json=heard).json() == {"user": name}
    assert [event["user"] for event in events_in(tmp_path)] == [name, name]


def test_a_track_with_a_slash_is_found(tmp_path: Path) -> None:
    service.write_config(tmp_path)
    with (tmp_path / "tracks.jsonl").open("a") as catalog:
        catalog.write('{"track": "AC/DC", "artist": "a", "title": "b"}\n')
    with running(tmp_path) as client:
        for path in ("/tracks/AC%2FDC", "/track/AC%2FDC", "/tracks/AC/DC"):
            assert client.get(path).json()["track"] == "AC/DC"


def test_a_wrong_method_names_the_right_one(client: TestClient) -> None:
    assert client.get("/recommend").headers["allow"] == "POST"


def test_a_body_in_many_parts_is_put_together(client: TestClient) -> None:
    whole = json.dumps({"user": 7, "exclude": list(range(500))}).encode()

    def parts() -> Iterator[bytes]:
        for start in range(0, len(whole), 100):
            yield whole[start : start + 100]

    assert client.post("/recommend", content=parts()).status_code == 200


def test_a_charset_does_not_change_the_content_type(client: TestClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}

    assert client.post("/recommend", content=b'{"user": 7}', headers=headers).status_code == 200


def test_botify_clients_work_unchanged(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/").json()["status"] == "alive"
    assert client.get("/track/1010").json() == {
        "track": 1010, "artist": "Artist a", "title": "Title 1",
    }  # fmt: skip
    played = client.post("/next/7", json={"track": 1000, "time": 1.0})
    last = client.post("/last/7", json={"track": 1010, "time": 0.25})

    assert set(played.json()) == {"user", "track"}
    assert played.json()["user"] == 7
    assert last.json() == {"user": 7}
    assert [(e["message"], e["user"], e["track"]) for e in events_in(tmp_path)] == [
        ("next", 7, 1000),
        ("last", 7, 1010),
    ]


@pytest.mark.parametrize("path", ["/tracks/1010", "/tracks/01010"], ids=["known", "other-digits"])
def test_a_track_is_found_by_its_id_alone(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == (200 if path == "/tracks/1010" else 404)


def test_the_server_says_that_it_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json()["status"] == "ready"


def test_metrics_count_answers_and_refusals(client: TestClient) -> None:
    client.post("/recommend", json={"user": 7})
    client.post("/recommend", content=b"{")

    text = client.get("/metrics").text
    assert 'segue_rejections_total{code="invalid_json"} 1.0' in text
    assert "segue_listeners 1.0" in text
    assert sum(
        float(line.split()[-1]) for line in text.splitlines() if "segue_answers_total{" in line
    ) == pytest.approx(1.0)


def test_openapi_documents_every_route(client: TestClient) -> None:
    described = client.get("/openapi.json").json()

    assert {"/recommend", "/feedback", "/tracks/{track}", "/experiments", "/next/{user}"} <= set(
        described["paths"]
    )
    body = described["paths"]["/recommend"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["schema"]["properties"]) == {
        "user", "track", "time", "n", "exclude", "attributes", "explain", "filter",
    }  # fmt: skip
    assert client.get("/docs").status_code == 200


def serve_with(folder: Path, propose: Propose) -> TestClient:
    """Run a server in which every chain asks this one function, under the name `random`."""
    runtime = service.loaded(folder)
    chain = Chain((("random", propose),), frozenset({"random"}))
    app = create_app(
        dataclasses.replace(runtime, chains=dict.fromkeys(runtime.chains, chain)), service.Clock()
    )
    return TestClient(app, raise_server_exceptions=False)


def test_an_exception_is_a_500_of_the_same_shape_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[Candidates | None] = [None, Candidates([0])]

    def fails_once(listener: Listener) -> Candidates:
        found = outcomes.pop(0)
        if found is None:
            raise ZeroDivisionError
        return found

    with serve_with(tmp_path, fails_once) as client:
        response = client.post("/recommend", json={"user": 7})
        client.post("/recommend", json={"user": 7})

    assert_error(response, 500)
    assert response.json()["error"]["code"] == "strategies_failed"
    assert "ZeroDivisionError" in caplog.text
    assert [(event["message"], event["turn"]) for event in events_in(tmp_path)] == [
        ("error", None), ("next", 1),
    ]  # fmt: skip


def test_an_answer_that_the_arm_does_not_declare_is_a_failure(tmp_path: Path) -> None:
    with serve_with(tmp_path, lambda listener: Candidates([0], None, "elsewhere")) as client:
        response = client.post("/recommend", json={"user": 7})

    assert_error(response, 500)
    (event,) = events_in(tmp_path)
    assert event["message"] == "error"
    assert [each["error"] for each in event["failed"]] == ["UndeclaredAnswer"]


def test_the_faults_of_a_filter_are_few() -> None:
    """Each member of a union finds its own fault; a list finds one in its first wrong item."""
    with pytest.raises(ValidationError) as error:
        TypeAdapter(RecommendRequest).validate_json(LONG_LISTS["filter.year"])
    assert error.value.error_count() <= 12
