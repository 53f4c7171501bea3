"""The admin token, and the arms that a tester with it may choose."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from core.allocation import Allocation
from tests.service import CONFIG, events_in, loaded, running

TOKEN = "correct horse battery staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

TWO_LAYERS: list[dict[str, Any]] = [
    {**CONFIG["experiments"][0], "slots": [0, 5000]},
    {**CONFIG["experiments"][0], "name": "beside", "slots": [5000, 10_000]},
    {"name": "label", "layer": "client", "arms": {"A": {"weight": 1}, "B": {"weight": 0}}},
]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", TOKEN)
    with running(tmp_path, experiments=TWO_LAYERS) as made:
        yield made


def recommend(client: TestClient, user: int, force: str, **headers: str) -> Any:
    sent = {**BEARER, "Segue-Force": force, **headers}
    return client.post("/recommend", json={"user": user}, headers=sent)


@pytest.mark.parametrize("arm", ["C", "T1"])
def test_a_tester_gets_the_requested_arm(client: TestClient, tmp_path: Path, arm: str) -> None:
    for user in range(20):
        answer = recommend(client, user, f"fallback={arm}").json()
        assert answer["experiments"]["fallback"] == arm
        assert answer["strategy"] == {"C": "contextual", "T1": "improved"}[arm]
    assert all(event["forced"] for event in events_in(tmp_path))


def test_a_forced_arm_takes_its_layer_alone(client: TestClient) -> None:
    for user in range(20):
        assert recommend(client, user, "beside=C").json()["experiments"] == {
            "beside": "C",
            "label": "A",
        }


def test_a_tester_can_request_arms_of_several_layers(client: TestClient) -> None:
    answer = recommend(client, 7, "fallback=T1, label=B").json()
    assert answer["experiments"] == {"fallback": "T1", "label": "B"}


def test_the_next_request_without_the_header_is_not_forced(
    client: TestClient, tmp_path: Path
) -> None:
    before = client.post("/recommend", json={"user": 7}).json()["experiments"]
    for arm in ("C", "T1"):
        recommend(client, 7, f"fallback={arm}")
    assert client.post("/recommend", json={"user": 7}).json()["experiments"] == before
    assert [event["forced"] for event in events_in(tmp_path)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/feedback", {"user": 7, "track": 1000, "time": 0.5}),
        ("/next/7", {"track": 1000, "time": 0.5}),
        ("/last/7", {"track": 1000, "time": 0.5}),
    ],
)
def test_every_route_that_logs_can_be_forced(
    client: TestClient, tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    for arm, time in (("C", 0.5), ("T1", 0.6)):  # the same end again would be no turn
        sent = {**body, "time": time}
        client.post(path, json=sent, headers={**BEARER, "Segue-Force": f"beside={arm}"})
    assert [event["experiments"]["beside"] for event in events_in(tmp_path)] == ["C", "T1"]
    assert all(event["forced"] for event in events_in(tmp_path))


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer gültig",
    ],
    ids=[
        "absent", "empty", "no-token", "wrong", "longer", "shorter", "basic", "bare", "not-ascii",
    ],
)  # fmt: skip
def test_a_request_without_the_token_forces_no_arm(
    client: TestClient, tmp_path: Path, authorization: str | None
) -> None:
    headers = {"Segue-Force": "fallback=T1"}
    sent: Any = dict(headers)
    if authorization is not None:
        sent = {k: v.encode("latin-1") for k, v in headers.items()}
        sent["Authorization"] = authorization.encode("latin-1")
    response = client.post("/recommend", json={"user": 7}, headers=sent)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "unauthorized"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert events_in(tmp_path) == []


@pytest.mark.parametrize(
    ("force", "message"),
    [
        ("", "must be experiment=arm"),
        ("T1", "must be experiment=arm"),
        ("fallback=T2", "experiment 'fallback': unknown arm 'T2'. Known: C, T1"),
        ("fallback=", "unknown arm ''"),
        ("fall=T1", "unknown experiment 'fall'. Did you mean 'fallback'?"),
        ("fallback=T1,beside=C", "'fallback' and 'beside' share layer 'serving'"),
        ("fallback=T1,fallback=C", "share layer 'serving'"),
    ],
    ids=[
        "empty", "no-experiment", "unknown-arm", "no-arm", "unknown-experiment", "one-layer",
        "both-arms",
    ],
)  # fmt: skip
def test_an_arm_that_does_not_exist_is_refused(
    client: TestClient, tmp_path: Path, force: str, message: str
) -> None:
    response = recommend(client, 7, force)
    assert response.status_code == 422
    assert response.json()["error"]["field"] == "Segue-Force"
    assert message in response.json()["error"]["message"]
    assert events_in(tmp_path) == []


def test_one_idempotency_key_is_for_one_arm(client: TestClient) -> None:
    first = recommend(client, 7, "fallback=T1", **{"Idempotency-Key": "k"})
    again = recommend(client, 7, "fallback=T1", **{"Idempotency-Key": "k"})
    other = recommend(client, 7, "fallback=C", **{"Idempotency-Key": "k"})
    unforced = client.post("/recommend", json={"user": 7}, headers={"Idempotency-Key": "k"})
    assert again.json() == first.json()
    assert {other.status_code, unforced.status_code} == {422}


def test_without_a_token_in_the_environment_nobody_forces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTHER_TOKEN", raising=False)
    with running(tmp_path, admin={"token_env": "OTHER_TOKEN"}) as client:
        for authorization in ("Bearer", "Bearer ", "Bearer x"):
            response = client.post(
                "/recommend",
                json={"user": 7},
                headers={"Authorization": authorization, "Segue-Force": "fallback=T1"},
            )
            assert response.status_code == 403
            assert "OTHER_TOKEN" in response.json()["error"]["message"]


def test_the_token_is_in_no_copy_of_the_config(client: TestClient, tmp_path: Path) -> None:
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > 5
    assert all(TOKEN.encode() not in path.read_bytes() for path in kept)
    assert TOKEN not in client.get("/experiments").text


def test_listed_testers_need_no_token(tmp_path: Path) -> None:
    forced = {**CONFIG["experiments"][0], "forced": {"7": "T1", "8": "C"}}
    with running(tmp_path, experiments=[forced]) as client:
        for user in (7, 8, 9):
            client.post("/recommend", json={"user": user})
    events = events_in(tmp_path)
    assert [event["forced"] for event in events] == [True, True, False]
    assert [event["experiments"]["fallback"] for event in events[:2]] == ["T1", "C"]


def test_forced_turns_can_be_assigned_again_from_the_log(
    client: TestClient, tmp_path: Path
) -> None:
    """Replay requests the same arms again and gets the logged arms."""
    for user in range(10):
        recommend(client, user, "beside=T1")
    allocation: Allocation = loaded(tmp_path, experiments=TWO_LAYERS).allocation
    for event in events_in(tmp_path):
        assert event["asked"] == {"beside": "T1"}
        found = allocation.assign(str(event["user"]), {}, event["asked"])
        assert found.arms == event["experiments"]
