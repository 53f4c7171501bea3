"""State carried over from one experiment into the next: exposure of a history, and its reset."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service import CONFIG, Clock, events_in, running, write_config

FIRST: dict[str, Any] = CONFIG["experiments"][0]
RESET = {"reset_state_on_new_experiment": True}
TOKEN = {"Authorization": "Bearer token"}


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")


def heard_by_7(client: TestClient, track: int, **headers: str) -> Any:
    body = {"user": 7, "track": track, "time": 0.9}
    response = client.post("/recommend", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def reload(client: TestClient, folder: Path, **sections: Any) -> None:
    write_config(folder, **sections)
    response = client.post("/admin/reload", headers=TOKEN)
    assert response.status_code == 200, response.text


def turns(folder: Path) -> list[tuple[int, bool]]:
    return [(event["turn"], event.get("reset", False)) for event in events_in(folder)]


@pytest.fixture
def resetting(tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path, state=RESET) as client:
        yield client


SECOND = {**FIRST, "version": 2}
LABEL = {"name": "label", "layer": "client", "arms": {"A": {"weight": 1}}}


@pytest.mark.parametrize(
    ("after", "resets"),
    [
        ([FIRST], False),
        ([{**FIRST, "forced": {"8": "C"}, "planned": {"listeners": 9}}], False),
        ([SECOND], True),
        ([{**FIRST, "name": "another"}], True),
        ([FIRST, LABEL], True),
        ([{**FIRST, "traffic": 0}], False),
        ([], False),
        ([{**SECOND, "traffic": 0}], False),
    ],
    ids=[
        "nothing-new", "testers-and-plans", "a-new-version", "another-name", "one-more-layer",
        "stopped", "removed", "a-version-without-traffic",
    ],
)  # fmt: skip
def test_a_listener_is_forgotten_on_entering_a_new_experiment(
    resetting: TestClient, tmp_path: Path, after: list[dict[str, Any]], resets: bool
) -> None:
    heard_by_7(resetting, 1000)
    heard_by_7(resetting, 1010)
    reload(resetting, tmp_path, state=RESET, experiments=after)
    heard_by_7(resetting, 1020)
    heard_by_7(resetting, 1030)
    third = [(1, True), (2, False)] if resets else [(3, False), (4, False)]
    assert turns(tmp_path) == [(1, False), (2, False), *third]
    sessions = [event["session"] for event in events_in(tmp_path)]
    assert (sessions[2] != sessions[1]) is resets
    assert sessions[2] == sessions[3]


def test_the_listen_of_the_entering_request_is_known(tmp_path: Path) -> None:
    """The request's own listen belongs to the new experiment; earlier listens are forgotten."""

    def unheard(config: dict[str, Any]) -> None:
        config["strategies"]["contextual"] = {
            "type": "top_pop", "top": 10, "unheard": "history", "fallback": "random",
        }  # fmt: skip
        config["state"] = RESET
        config["experiments"] = []

    def with_label(config: dict[str, Any]) -> None:
        unheard(config)
        config["experiments"] = [LABEL]

    with running(tmp_path, unheard) as client:
        heard_by_7(client, 1030)
        heard_by_7(client, 1000)
        write_config(tmp_path, with_label)
        client.post("/admin/reload", headers=TOKEN)
        body = {"user": 7, "track": 1080, "time": 0.9, "n": 10}
        proposed = client.post("/recommend", json=body).json()["tracks"]
    assert 1080 not in proposed
    assert {1030, 1000} <= set(proposed)
    assert turns(tmp_path)[-1] == (1, True)


def test_by_default_no_listener_is_forgotten(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        heard_by_7(client, 1000)
        reload(client, tmp_path, experiments=[SECOND])
        heard_by_7(client, 1010)
    assert turns(tmp_path) == [(1, False), (2, False)]


def test_a_listener_who_enters_by_a_ramp_is_forgotten_once(tmp_path: Path) -> None:
    def ramp(traffic: float) -> dict[str, Any]:
        return {"state": RESET, "experiments": [{**FIRST, "traffic": traffic}]}

    with running(tmp_path, **ramp(0.3)) as client:
        for traffic in (0.3, 0.6, 0.6, 1.0):
            reload(client, tmp_path, **ramp(traffic))
            for user in range(50):
                client.post("/recommend", json={"user": user, "track": 1000, "time": 0.5})
    was_in: dict[int, bool] = {}
    resets = 0
    for event in events_in(tmp_path):
        inside = "fallback" in event["experiments"]
        entered = inside and was_in.get(event["user"]) is False
        assert event.get("reset", False) is entered
        was_in[event["user"]] = inside
        resets += entered
    assert resets > 20


def test_a_listener_who_leaves_and_returns_is_not_forgotten(tmp_path: Path) -> None:
    targeted = {**FIRST, "targeting": {"country": "nl"}}
    with running(tmp_path, state=RESET, experiments=[targeted]) as client:
        for attributes in ({"country": "nl"}, {}, {"country": "nl"}):
            client.post("/recommend", json={"user": 7, "attributes": attributes})
    assert turns(tmp_path) == [(1, False), (2, False), (3, False)]


def test_a_tester_enters_no_experiment(resetting: TestClient, tmp_path: Path) -> None:
    heard_by_7(resetting, 1000)
    reload(resetting, tmp_path, state=RESET, experiments=[SECOND])
    heard_by_7(resetting, 1010, **TOKEN, **{"Segue-Force": "fallback=C"})
    heard_by_7(resetting, 1020)
    assert turns(tmp_path) == [(1, False), (2, False), (1, True)]


def test_feedback_enters_an_experiment_too(resetting: TestClient, tmp_path: Path) -> None:
    heard_by_7(resetting, 1000)
    reload(resetting, tmp_path, state=RESET, experiments=[SECOND])
    resetting.post("/feedback", json={"user": 7, "track": 1010, "time": 0.5})
    heard_by_7(resetting, 1020)
    assert turns(tmp_path) == [(1, False), (1, True), (2, False)]


def test_a_refused_request_forgets_no_listener(resetting: TestClient, tmp_path: Path) -> None:
    heard_by_7(resetting, 1000)
    heard_by_7(resetting, 1010)
    reload(resetting, tmp_path, state=RESET, experiments=[SECOND])
    everything = [1000 + 10 * index for index in range(24)]
    refused = resetting.post("/recommend", json={"user": 7, "exclude": everything})
    assert refused.status_code == 422
    reload(resetting, tmp_path, state=RESET, experiments=[])
    heard_by_7(resetting, 1020)
    assert turns(tmp_path) == [(1, False), (2, False), (3, False)]


def test_a_new_session_is_not_a_new_experiment(tmp_path: Path) -> None:
    clock = Clock()
    with running(tmp_path, clock=clock, state=RESET) as client:
        heard_by_7(client, 1000)
        clock.tick(10_000)
        heard_by_7(client, 1010)
    assert turns(tmp_path) == [(1, False), (2, False)]
