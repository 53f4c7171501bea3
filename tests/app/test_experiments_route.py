"""GET /experiments: the running experiments, with the same counts as the log."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.testclient import TestClient

from core.request import Request
from engine.dispatcher import Dispatcher
from engine.metrics import STEPS_S, LatencyHistogram, ServerMetrics
from engine.prometheus import BOUNDS_S
from engine.state import MemoryState
from events.writer import EventWriter
from tests.service import CONFIG, START_MS, Clock, events_in, loaded, running, write_config

FIRST: dict[str, Any] = CONFIG["experiments"][0]
LABEL = {
    "name": "label",
    "layer": "client",
    "arms": {"A": {"weight": 80}, "B": {"weight": 20}},
    "slots": [0, 5000],
    "traffic": 0.5,
    "planned": {"listeners_per_arm": 1000},
}
TOKEN = {"Authorization": "Bearer token"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    holdout = {"share": 0.1, "salt": "h"}
    with running(tmp_path, experiments=[FIRST, LABEL], holdout=holdout) as made:
        yield made


def play(client: TestClient, users: range) -> None:
    for user in users:
        for track in (None, 1000, 1200):  # no track, a track with a list, one without
            heard = {} if track is None else {"track": track, "time": 1.0}
            assert client.post("/recommend", json={"user": user, **heard}).status_code == 200


def experiment_in(client: TestClient, name: str) -> dict[str, Any]:
    shown = client.get("/experiments").json()["experiments"]
    (found,) = [each for each in shown if each["name"] == name]
    return dict(found)


def test_the_route_gives_definitions_and_plans(client: TestClient) -> None:
    shown = client.get("/experiments").json()
    assert shown["config"] == client.get("/readyz").json()["config"]
    assert shown["since_ms"] == START_MS
    assert shown["default"] == "contextual"
    assert shown["holdout"] == {"share": 0.1, "salt": "h"}
    first, label = shown["experiments"]
    assert (first["name"], first["version"], first["salt"]) == ("fallback", 1, "2026-11")
    assert [(arm["name"], arm["strategy"]) for arm in first["arms"]] == [
        ("C", "contextual"),
        ("T1", "improved"),
    ]
    assert first["digest"] != label["digest"]
    assert first["planned_share"] == pytest.approx(0.9)
    assert label["planned_share"] == pytest.approx(0.9 * 0.5 * 0.5)
    assert [arm["planned_share"] for arm in label["arms"]] == [0.8, 0.2]
    assert label["planned"] == {"listeners_per_arm": 1000}


def test_a_started_experiment_has_its_start_time(client: TestClient, tmp_path: Path) -> None:
    assert experiment_in(client, "fallback")["started_ms"] == START_MS
    dormant = {**LABEL, "version": 2, "traffic": 0}
    write_config(tmp_path, experiments=[FIRST, dormant])
    assert client.post("/admin/reload", headers=TOKEN).status_code == 200
    assert experiment_in(client, "fallback")["started_ms"] == START_MS
    assert experiment_in(client, "label")["started_ms"] is None


def test_shares_and_latencies_are_null_before_the_first_request(client: TestClient) -> None:
    for arm in experiment_in(client, "fallback")["arms"]:
        assert (arm["listeners"], arm["requests"]) == (0, 0)
        for key in ("seen_share", "fallback_share", "mean_s", "p99_s"):
            assert arm[key] is None


def test_counts_are_those_of_the_log(client: TestClient, tmp_path: Path) -> None:
    play(client, range(60))
    play(client, range(30))
    seen: dict[tuple[str, str], set[int]] = defaultdict(set)
    requests: Counter[tuple[str, str]] = Counter()
    fallen_back: Counter[tuple[str, str]] = Counter()
    by: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for event in events_in(tmp_path):
        for arm in event["experiments"].items():
            seen[arm].add(event["user"])
            requests[arm] += 1
            fallen_back[arm] += event["depth"] > 0
            by[arm][event["answered_by"]] += 1
    for name in ("fallback", "label"):
        found = experiment_in(client, name)
        keys = [(name, arm["name"]) for arm in found["arms"]]
        assert found["listeners"] == sum(len(seen[key]) for key in keys) > 5
        assert found["requests"] == sum(requests[key] for key in keys)
        for key, arm in zip(keys, found["arms"], strict=True):
            assert arm["listeners"] == len(seen[key])
            assert arm["seen_share"] == len(seen[key]) / found["listeners"]
            assert arm["requests"] == requests[key]
            assert arm["fallback_share"] == fallen_back[key] / requests[key] > 0
            assert arm["answered_by"] == by[key]
    assert client.get("/experiments").json()["requests"] == 3 * 90


def test_latencies_are_those_of_the_log(client: TestClient, tmp_path: Path) -> None:
    play(client, range(20))
    for arm in experiment_in(client, "fallback")["arms"]:
        logged = sorted(
            event["latency"]
            for event in events_in(tmp_path)
            if event["experiments"].get("fallback") == arm["name"]
        )
        assert arm["mean_s"] == pytest.approx(sum(logged) / len(logged))
        assert logged[-3] / 1.3 <= arm["p99_s"] <= logged[-1] * 1.3


def test_forced_requests_are_left_out(client: TestClient) -> None:
    for _ in range(5):
        client.post("/recommend", json={"user": 7}, headers={**TOKEN, "Segue-Force": "fallback=C"})
    found = experiment_in(client, "fallback")
    assert (found["listeners"], found["requests"]) == (0, 0)
    shown = client.get("/experiments").json()
    assert (shown["requests"], shown["forced_requests"]) == (5, 5)


def test_counts_continue_through_a_ramp_and_restart_with_a_version(
    client: TestClient, tmp_path: Path
) -> None:
    play(client, range(40))
    before = {name: experiment_in(client, name) for name in ("fallback", "label")}
    write_config(tmp_path, experiments=[{**FIRST, "version": 2}, {**LABEL, "traffic": 1.0}])
    assert client.post("/admin/reload", headers=TOKEN).status_code == 200

    assert experiment_in(client, "fallback")["requests"] == 0
    assert experiment_in(client, "label")["requests"] == before["label"]["requests"]
    play(client, range(40))
    users = {event["user"] for event in events_in(tmp_path) if "label" in event["experiments"]}
    assert experiment_in(client, "label")["listeners"] == len(users) > before["label"]["listeners"]
    assert experiment_in(client, "fallback")["listeners"] == 40  # the holdout has ended, too


def test_many_reloads_leave_one_group_of_answers_per_set_of_labels(tmp_path: Path) -> None:
    runtime = loaded(tmp_path)
    log = EventWriter(tmp_path / "log", 10**9, Clock())
    metrics = ServerMetrics()
    dispatcher = Dispatcher(runtime, MemoryState(9, 9, lambda: 0.0), log, metrics, Clock())
    for number in range(200):
        dispatcher.serve(dataclasses.replace(runtime, digest=f"config {number}"))
        for user in range(5):
            dispatcher.recommend(Request(user=user), 0.0)
    log.close()
    assert len(metrics.answers) == 2
    assert sum(answers.count for answers in metrics.answers.values()) == 1000


def test_the_answer_fits_its_description_in_openapi(client: TestClient) -> None:
    play(client, range(5))
    described = client.get("/openapi.json").json()
    answer = described["paths"]["/experiments"]["get"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    jsonschema.validate(
        client.get("/experiments").json(), {**schema, "components": described["components"]}
    )


def test_every_bound_for_prometheus_is_a_bound_that_is_counted() -> None:
    assert set(BOUNDS_S) <= set(STEPS_S)
    assert list(STEPS_S) == sorted(STEPS_S)


def test_prometheus_adds_the_answers_of_several_configs(client: TestClient, tmp_path: Path) -> None:
    play(client, range(10))
    write_config(tmp_path, experiments=[FIRST, {**LABEL, "traffic": 1.0}])
    client.post("/admin/reload", headers=TOKEN)
    play(client, range(10))
    lines = [
        line for line in client.get("/metrics").text.splitlines() if "segue_answers_total{" in line
    ]
    assert sum(float(line.split()[-1]) for line in lines) == 60
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))


@given(some.lists(some.floats(1.1e-6, 0.9), min_size=1, max_size=50), some.floats(0.01, 1))
def test_a_quantile_is_within_a_quarter_of_a_latency_of_its_rank(
    latencies: list[float], share: float
) -> None:
    answers = LatencyHistogram()
    for latency in latencies:
        answers.add(latency)
    rank = max(1, -(-share * len(latencies) // 1))
    at_rank = sorted(latencies)[int(rank) - 1]
    found = answers.quantile_s(share)
    assert found is not None
    assert at_rank / 1.3 <= found <= at_rank * 1.3


LAYERS: list[dict[str, Any]] = [
    {**FIRST, "arms": {arm: {"strategy": "random", "weight": 25} for arm in "ABCD"}},
    *(
        {"name": f"label{number}", "layer": f"layer{number}", "salt": f"{number}",
         "arms": {arm: {"weight": 25} for arm in "ABCD"}}
        for number in range(4)
    ),
]  # fmt: skip


def test_metrics_grow_with_the_arms_and_not_with_their_combinations(tmp_path: Path) -> None:
    """Five layers of four arms have 20 arms, and 1,024 combinations of them."""
    with running(tmp_path, experiments=LAYERS) as client:
        sizes = []
        for users in (range(60), range(60, 600)):
            for user in users:
                client.post("/recommend", json={"user": user})
            sizes.append(client.get("/metrics").text.count("\n"))
        arms = [arm for each in client.get("/experiments").json()["experiments"]
                for arm in each["arms"]]  # fmt: skip
        answers = client.get("/metrics").text
    assert sizes[0] == sizes[1] < 500
    assert len(arms) == 20
    assert sum(arm["requests"] for arm in arms) == 5 * 600
    assert counted(answers, "segue_arm_answers_total") == 5 * 600
    assert counted(answers, "segue_answers_total") == 600
    assert counted(answers, "segue_arm_answer_seconds_count") == 5 * 600
    assert 'segue_arm_answers_total{answered_by="random",arm="A",depth="0",' in answers


def counted(text: str, name: str) -> float:
    """Add up the samples of this name."""
    lines = [line for line in text.splitlines() if line.startswith(name + "{")]
    return sum(float(line.split()[-1]) for line in lines)


def test_a_listener_in_no_experiment_counts_once_and_in_no_arm(tmp_path: Path) -> None:
    with running(tmp_path, experiments=[]) as client:
        play(client, range(3))
        answers = client.get("/metrics").text
        assert client.get("/experiments").json()["requests"] == 9
    assert counted(answers, "segue_answers_total") == 9
    assert counted(answers, "segue_arm_answers_total") == 0
