"""A strategy that raises: the chain goes on, and log, metrics and operator hear of it."""

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.application import create_app
from audit.replay import Replayer
from core.candidates import Candidates
from core.listener import Listener
from engine.failure_log import EVERY_S, FailureLog
from engine.runtime import Chain, Propose, Runtime
from tests.service import Clock, events_in, loaded


def weighted(*weights: float) -> Candidates:
    return Candidates(list(range(len(weights))), np.array(weights))


def raises(listener: Listener) -> Candidates:
    raise KeyError("no such listener")


FAULTY: dict[str, tuple[Propose, str]] = {
    "raises": (raises, "KeyError"),
    "negative-index": (lambda listener: Candidates([-1]), "InvalidCandidates"),
    "index-beyond-the-catalog": (lambda listener: Candidates([24]), "IndexError"),
    "no-track": (lambda listener: Candidates([]), "IndexError"),
    "not-a-number": (lambda listener: weighted(float("nan"), 1), "InvalidCandidates"),
    "infinite-weight": (lambda listener: weighted(float("inf"), 1), "InvalidCandidates"),
    "weights-of-nothing": (lambda listener: weighted(0, 0), "ZeroDivisionError"),
    "a-negative-weight": (lambda listener: weighted(3, -1), "InvalidCandidates"),
    "undeclared": (lambda listener: Candidates([0], None, "elsewhere"), "UndeclaredAnswer"),
    "no-candidates-at-all": (lambda listener: 7, "AttributeError"),  # type: ignore[dict-item, return-value]
}


def with_faulty(runtime: Runtime, propose: Propose, alone: bool = False) -> Runtime:
    """Every chain asks a faulty strategy first; `alone`, and nobody else."""
    chains = {
        name: Chain(
            (("popular", propose), *(() if alone else chain.members)), chain.declared | {"popular"}
        )
        for name, chain in runtime.chains.items()
    }
    return dataclasses.replace(runtime, chains=chains)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return loaded(tmp_path)


def serve(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime, Clock())) as client:
        yield client


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("fault", FAULTY)
def test_the_chain_goes_on_and_the_event_names_who_failed(
    tmp_path: Path, runtime: Runtime, fault: str
) -> None:
    propose, error = FAULTY[fault]
    for client in serve(with_faulty(runtime, propose)):
        answer = client.post("/recommend", json={"user": 7, "track": 1000, "time": 1}).json()
    (event,) = events_in(tmp_path)
    assert event["failed"] == [{"strategy": "popular", "error": error}]
    assert (event["answered_by"], event["depth"]) == (event["strategy"], 1)
    assert event["recommendation"] == answer["track"]


def test_a_turn_that_nobody_answers_is_an_error_line_and_changes_nothing(
    tmp_path: Path, runtime: Runtime
) -> None:
    body = {"user": 7, "track": 1000, "time": 0.5, "attributes": {"country": "NL"}}
    headers = {"Idempotency-Key": "k"}
    for client in serve(with_faulty(runtime, raises, alone=True)):
        refused = client.post("/recommend", json=body, headers=headers)
        handlers = client.app.handlers  # type: ignore[attr-defined]
        assert len(handlers.dispatcher.state) == 0
        handlers.dispatcher.serve(runtime)
        answered = client.post("/recommend", json=body, headers=headers)
    assert refused.status_code == 500
    assert refused.json()["error"]["code"] == "strategies_failed"
    assert "'popular' (KeyError)" in refused.json()["error"]["message"]
    assert answered.status_code == 200, "no answer was kept under the key"
    failed, decided = events_in(tmp_path)
    assert failed["message"] == "error"
    assert (failed["session"], failed["turn"]) == (None, None)
    assert failed["failed"] == [{"strategy": "popular", "error": "KeyError"}]
    assert failed["experiments"] == decided["experiments"]
    assert (failed["key"], failed["attributes"]) == ("k", {"country": "NL"})
    assert decided["turn"] == 1
    ids = [int(event["decision"].partition("-")[2], 16) for event in (failed, decided)]
    assert ids == [1, 2], "ids count the lines that are on file"


def test_failures_are_replayed_as_they_were(tmp_path: Path, runtime: Runtime) -> None:
    """The strategy answers again by now, and is not asked."""
    turns = [0]

    def fails_at_times(listener: Listener) -> Candidates | None:
        turns[0] += 1
        if turns[0] % 3 == 0:
            raise KeyError
        return Candidates([5])

    chains = {
        name: Chain(((name, fails_at_times), *chain.members[1:]), chain.declared)
        for name, chain in runtime.chains.items()
    }
    for client in serve(dataclasses.replace(runtime, chains=chains)):
        for turn in range(30):
            client.post("/recommend", json={"user": turn % 4, "track": 1000, "time": 0.5})
    works = {
        name: Chain(((name, lambda listener: Candidates([5])), *chain.members[1:]), chain.declared)
        for name, chain in runtime.chains.items()
    }
    replayer = Replayer(lambda digest: dataclasses.replace(runtime, chains=works))
    for number, event in enumerate(events_in(tmp_path)):
        replayer.take(event, f"line {number}")
    result = replayer.finish()
    assert result.sound, result.mismatches
    assert sum("failed" in event for event in events_in(tmp_path)) == 10


def test_failures_are_counted_by_arm(tmp_path: Path, runtime: Runtime) -> None:
    improved = runtime.chains["improved"]
    chains = runtime.chains | {
        "improved": Chain((("improved", raises), *improved.members[1:]), improved.declared)
    }
    for client in serve(dataclasses.replace(runtime, chains=chains)):
        for user in range(40):
            client.post("/recommend", json={"user": user})
        status = client.get("/experiments").json()
        metrics = client.get("/metrics").text
    arms = {arm["name"]: arm for arm in status["experiments"][0]["arms"]}
    assert arms["C"]["failures"] == 0
    assert arms["T1"]["failures"] == arms["T1"]["requests"] > 10
    assert (
        'segue_strategy_failures_total{arm="T1",error="KeyError",experiment="fallback",'
        f'strategy="improved"}} {arms["T1"]["requests"]}.0' in metrics
    )


def test_a_traceback_is_logged_once_a_minute_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    log = FailureLog(lambda: now[0])
    with caplog.at_level(logging.ERROR, "segue"):
        for strategy, at_s in (
            ("a", 0.0), ("a", 1.0), ("b", 2.0), ("a", EVERY_S - 1), ("a", EVERY_S), ("a", 200.0)
        ):  # fmt: skip
            now[0] = at_s
            log.record(strategy, ValueError("x"))
    assert [record.getMessage() for record in caplog.records] == [
        "strategy 'a' failed",
        "strategy 'b' failed",
        "strategy 'a' failed; 2 more failures since the last traceback",
        "strategy 'a' failed",
    ]
    assert all(record.exc_info for record in caplog.records)


def test_an_explained_answer_names_who_failed(runtime: Runtime) -> None:
    why: Any = None
    for client in serve(with_faulty(runtime, raises)):
        why = client.post("/recommend", json={"user": 7, "explain": True}).json()["why"]
    assert why[0] == "popular: failed with KeyError: 'no such listener'"
