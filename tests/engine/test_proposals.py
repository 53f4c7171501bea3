"""Proposals of a server: their time is measured, a late one is discarded, all can be checked."""

import dataclasses
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.application import create_app
from audit.archived_runtimes import runtimes_by_digest
from audit.replay import Replayer
from core.candidates import Candidates
from core.errors import InputError
from core.listener import Listener
from core.mixture import Mixture
from core.request import Request
from engine.dispatcher import Dispatcher
from engine.experiment_ledger import ExperimentLedger
from engine.metrics import LatencyHistogram, ServerMetrics
from engine.metrics_snapshot import add_snapshot, snapshot_of
from engine.runtime import Chain, Propose, Runtime
from engine.state import MemoryState
from events.config_snapshots import snapshots_beside
from events.writer import EventWriter
from tests.service import START_MS, Clock, events_in, loaded

ALWAYS_LATE_MS = 1e-6
NEVER_LATE_MS = 1e9
Config = dict[str, Any]
BODY = {"user": 7, "track": 1000, "time": 1}


def with_timeout(timeout_ms: object, strategy: str = "contextual") -> Callable[[Config], None]:
    def change(config: Config) -> None:
        config["experiments"] = []
        config["strategies"][strategy]["timeout_ms"] = timeout_ms

    return change


def serve(runtime: Runtime, at_ms: int = START_MS) -> Iterator[TestClient]:
    with TestClient(create_app(runtime, Clock(at_ms))) as client:
        yield client


def asked_first(runtime: Runtime, propose: Propose) -> Runtime:
    """Every chain asks this one first, under the name `popular`."""
    chains = {
        name: Chain((("popular", propose), *chain.members), chain.declared | {"popular"})
        for name, chain in runtime.chains.items()
    }
    return dataclasses.replace(runtime, chains=chains)


def test_a_late_proposal_is_discarded_and_said_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "segue")
    for client in serve(loaded(tmp_path, with_timeout(ALWAYS_LATE_MS))):
        why = client.post("/recommend", json=BODY | {"explain": True}).json()["why"]
        metrics = client.get("/metrics").text
    (event,) = events_in(tmp_path)
    assert event["failed"] == [{"strategy": "contextual", "error": "timeout"}]
    assert (event["strategy"], event["answered_by"], event["depth"]) == ("contextual", "random", 1)
    late = r"strategy 'contextual' took \S+ ms to propose, and its timeout_ms is 1e-06"
    assert re.search(late, caplog.text)
    assert any(re.search(f"^contextual: failed with timeout: {late}", reason) for reason in why)
    assert (
        'segue_strategy_failures_total{arm="",error="timeout",experiment="",strategy="contextual"}'
        " 1.0" in metrics
    )


def test_late_proposals_are_replayed_as_they_were_whatever_the_time_is_now(tmp_path: Path) -> None:
    for number, timeout_ms in enumerate((ALWAYS_LATE_MS, NEVER_LATE_MS)):
        for client in serve(loaded(tmp_path, with_timeout(timeout_ms)), START_MS + number):
            for user in range(20):
                client.post("/recommend", json=BODY | {"user": user})
    events = events_in(tmp_path)
    assert ["failed" in event for event in events] == [True] * 20 + [False] * 20
    assert len({event["config"] for event in events}) == 2
    replayer = Replayer(runtimes_by_digest(snapshots_beside([tmp_path / "log"]), None))
    for number, event in enumerate(events):
        replayer.take(event, f"line {number}")
    result = replayer.finish()
    assert result.sound, result.mismatches


def test_a_timeout_that_is_not_given_is_in_no_digest(tmp_path: Path) -> None:
    plain = loaded(tmp_path, with_timeout(None))
    assert plain.described["strategies"]["contextual"] == {
        "type": "contextual", "fallback": "random", "list": "contextual",
    }  # fmt: skip
    bounded = loaded(tmp_path, with_timeout(20))
    assert bounded.described["strategies"]["contextual"]["timeout_ms"] == 20.0
    assert bounded.digest != plain.digest


def test_a_started_experiment_may_get_a_timeout(tmp_path: Path) -> None:
    """On a bad day an operator bounds a slow strategy, and the experiment goes on."""
    started = loaded(tmp_path)
    ExperimentLedger(started.settings.started_folder).record(started, 0)

    def bound(config: Config) -> None:
        config["strategies"]["contextual"]["timeout_ms"] = 20

    ExperimentLedger(started.settings.started_folder).check(loaded(tmp_path, bound))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (with_timeout(0), "contextual.timeout_ms: must be a number of ms above 0, got 0"),
        (with_timeout(True), "contextual.timeout_ms: must be a number, but YAML reads true as"),
        (with_timeout("20 ms"), "contextual.timeout_ms: must be a number of ms above 0, got '20"),
        (with_timeout(float("inf")), "contextual.timeout_ms: must be a number of ms above 0, got"),
        (
            with_timeout(20, "random"),
            "random.timeout_ms: must not stand at the strategy that ends the chain of 'contextual'",
        ),
        (
            lambda config: (
                with_timeout(20, "popular")(config),
                config.update(default="improved"),
            ),
            "popular.timeout_ms: must stand at a strategy that a chain asks; 'popular' is only "
            "used by 'improved'",
        ),
    ],
    ids=["zero", "true", "text", "infinite", "at-the-end-of-a-chain", "inside-of-a-strategy"],
)
def test_a_timeout_that_cannot_act_is_a_fault(
    tmp_path: Path, change: Callable[[Config], object], fault: str
) -> None:
    with pytest.raises(InputError) as raised:
        loaded(tmp_path, change)
    assert fault in str(raised.value)


def test_the_time_to_propose_is_measured_by_strategy(tmp_path: Path) -> None:
    runtime = loaded(tmp_path, with_timeout(NEVER_LATE_MS))
    for client in serve(runtime):
        for _ in range(3):
            client.post("/recommend", json=BODY)  # contextual answers
        client.post("/recommend", json={"user": 8})  # contextual abstains, random answers
        handlers = client.app.handlers  # type: ignore[attr-defined]
        handlers.dispatcher.serve(runtime)  # a reload: the counts go on
        client.post("/recommend", json={"user": 9})
        metrics = client.get("/metrics").text
    for line in (
        'segue_propose_seconds_count{strategy="contextual"} 5.0',
        'segue_propose_seconds_count{strategy="random"} 2.0',
        'segue_propose_seconds_bucket{le="+Inf",strategy="random"} 2.0',
    ):
        assert line in metrics
    assert 'segue_propose_seconds_count{strategy="popular"}' not in metrics
    times = handlers.dispatcher.metrics.proposals["contextual"]
    assert times.seconds > 0
    assert sum(times.buckets) == 5


def weighted(weights: list[float], tracks: int = 2) -> Propose:
    return lambda listener: Candidates(list(range(tracks)), np.array(weights))


FAULTY: dict[str, tuple[Propose, str]] = {
    "a-track-twice": (lambda listener: Candidates([3, 3, 5]), "proposes a track twice"),
    "one-index-beyond-the-catalog": (
        lambda listener: Candidates([*range(24), 24]),
        r"proposes \[24\], which are no indices",
    ),
    "one-negative-index": (lambda listener: Candidates([*range(24), -1]), r"proposes \[-1\]"),
    "weights-that-are-all-negative": (weighted([-1.0, -2.0]), r"gives the weight -1\.0"),
    "a-weight-of-zero": (weighted([1.0, 0.0]), r"gives the weight 0\.0"),
    "weights-that-sum-to-zero": (weighted([0.0, 0.0]), r"gives the weight 0\.0"),
    "a-weight-that-is-no-number": (weighted([1.0, float("nan")]), "gives the weight nan"),
    "an-infinite-weight": (weighted([1.0, float("inf")]), "gives the weight inf"),
    "too-few-weights": (weighted([1.0, 1.0], tracks=3), "gives 2 weights for 3 tracks"),
    "a-faulty-part-of-a-mixture": (
        lambda listener: Mixture(
            [(Candidates([1]), 0.5), (Candidates([2, 3], np.array([1.0, -0.5])), 0.5)]
        ),
        r"gives the weight -0\.5",
    ),
    "a-list": (lambda listener: [3, 5], "proposes a list; it must be"),  # type: ignore[dict-item, return-value]
}


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize(("propose", "fault"), FAULTY.values(), ids=FAULTY.keys())
def test_with_the_debug_switch_all_candidates_are_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, propose: Propose, fault: str
) -> None:
    caplog.set_level(logging.ERROR, "segue")
    checking = loaded(tmp_path, server={"check_candidates": True})
    for client in serve(asked_first(checking, propose)):
        client.post("/recommend", json=BODY)
    (event,) = events_in(tmp_path)
    assert event["failed"] == [{"strategy": "popular", "error": "InvalidCandidates"}]
    assert event["depth"] == 1
    assert re.search(f"strategy 'popular' {fault}", caplog.text)


def test_without_the_debug_switch_only_what_was_drawn_is_checked(tmp_path: Path) -> None:
    for client in serve(asked_first(loaded(tmp_path), FAULTY["a-track-twice"][0])):
        client.post("/recommend", json=BODY)
    (event,) = events_in(tmp_path)
    assert "failed" not in event


@pytest.mark.parametrize("strategy", ["contextual", "improved", "popular", "random"])
def test_sound_candidates_pass_the_debug_switch(tmp_path: Path, strategy: str) -> None:
    runtime = loaded(tmp_path, experiments=[], default=strategy, server={"check_candidates": True})
    for client in serve(runtime):
        for user in range(20):
            client.post("/recommend", json=BODY | {"user": user})
    assert not any("failed" in event for event in events_in(tmp_path))


def test_a_strategy_that_ends_the_process_fails_like_one_that_raises(tmp_path: Path) -> None:
    def leaves(listener: Listener) -> Candidates:
        raise SystemExit(3)

    for client in serve(asked_first(loaded(tmp_path), leaves)):
        assert client.post("/recommend", json=BODY).status_code == 200
    (event,) = events_in(tmp_path)
    assert event["failed"] == [{"strategy": "popular", "error": "SystemExit"}]


def test_times_to_propose_of_several_processes_add_up() -> None:
    counted, total = ServerMetrics(), ServerMetrics()
    counted.times_to_propose("popular").extend([0.001, 0.02, 5.0])
    for _ in range(2):
        add_snapshot(total, json.loads(json.dumps(snapshot_of(counted))))
    times = total.proposals["popular"]
    assert (times.count, round(times.seconds, 3)) == (6, 10.042)
    assert times.buckets[-1] == 2, "5 s is beyond the last bound"
    one_by_one = LatencyHistogram()
    for took_s in (0.001, 0.02, 5.0) * 2:
        one_by_one.add(took_s)
    assert times.buckets == one_by_one.buckets


def test_times_to_propose_do_not_pile_up_without_a_scrape(tmp_path: Path) -> None:
    log = EventWriter(tmp_path / "log", 10**9, Clock())
    dispatcher = Dispatcher(
        loaded(tmp_path, experiments=[]),
        MemoryState(100, 1000, lambda: 0.0),
        log,
        ServerMetrics(),
        Clock(),
    )
    times = dispatcher.metrics.times_to_propose("contextual")
    longest = 0
    for _ in range(2_100):
        dispatcher.recommend(Request(7, 1000, 0.5), 0.0)
        longest = max(longest, len(times))
    log.close()
    assert longest < 1_030
    assert dispatcher.metrics.proposals["contextual"].count == 2_100
