"""Gates on parity, and the test behind them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.parity import Clustered, heterogeneity
from analysis.checks.result import Status
from analysis.checks.suite import run_checks
from analysis.statistics.sample_moments import SampleMoments
from audit.log_faults import CleanLog
from core.rng import Stream
from events.reader import open_log
from tests import logs
from tests.analysis.trial_log import check_log, trial_log

Base = tuple[CleanLog, ArchivedConfigs]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"), sessions=600, listeners=200)


def clustered(name: str, x: Any, y: Any) -> Clustered:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    return Clustered(name, len(x), x.sum(), y.sum(), (x * x).sum(), (x * y).sum(), (y * y).sum())


def test_the_variance_is_that_of_a_ratio_of_totals() -> None:
    random = np.random.default_rng(3)
    y = random.integers(1, 9, 50).astype(float)
    x = np.minimum(y, random.integers(0, 5, 50)).astype(float)

    group = clustered("C", x, y)

    sample = SampleMoments.of_ratio(x, y)
    assert group.ratio == pytest.approx(sample.mean)
    assert group.variance == pytest.approx(sample.standard_error**2)


def test_two_groups_are_compared_as_by_z() -> None:
    random = np.random.default_rng(4)
    groups = [
        clustered(name, random.binomial(5, share, 80), np.full(80, 5.0))
        for name, share in (("C", 0.3), ("T1", 0.4))
    ]

    one, other = groups
    z = (one.ratio - other.ratio) / (one.variance + other.variance) ** 0.5
    assert heterogeneity(groups) == pytest.approx(2 * stats.norm.sf(abs(z)))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([(0, 10), (0, 12)], 1.0),
        ([(0, 10)], 1.0),
        ([], 1.0),
        # One listener of ten differs in each: 0.9 and 0.1, each with variance 0.01; Q = 32.
        ([(10, 10), (0, 10)], stats.chi2.sf(32, 1)),
        ([(2, 2), (0, 2)], 1.0),
        ([(0, 0), (3, 10)], 1.0),
        ([(1, 1), (3, 10)], 1.0),
    ],
    ids=[
        "nothing-anywhere",
        "one-arm",
        "no-arm",
        "all-and-none",
        "two-and-two",
        "an-empty-arm",
        "one-listener",
    ],
)
def test_groups_without_variance_are_no_error(
    counts: list[tuple[int, int]], expected: float
) -> None:
    groups = [
        clustered(str(n), [1] * some_ + [0] * (all_ - some_), [1] * all_)
        for n, (some_, all_) in enumerate(counts)
    ]

    assert heterogeneity(groups) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("x", "y"), [(1, 2), (1, 3), (7, 11), (2, 1)])
def test_an_arm_whose_listeners_all_have_one_share_is_compared(x: int, y: int) -> None:
    """One listener of the first arm is taken to have x - 1, as no arm is without variance."""
    alike, other = clustered("C", [x] * 50, [y] * 50), clustered("T1", [0, 0, 0, y] * 20, [y] * 80)

    one_differs = clustered("C", [x] * 49 + [x - 1], [y] * 50)
    assert heterogeneity([alike, other]) == pytest.approx(heterogeneity([one_differs, other]))


@given(some.lists(some.tuples(some.integers(0, 3), some.integers(1, 3)), min_size=4, max_size=30))
def test_the_p_value_ignores_the_order(pairs: list[tuple[int, int]]) -> None:
    groups = [
        clustered(str(n), [x for x, _ in part], [y for _, y in part])
        for n, part in enumerate((pairs[0::2], pairs[1::2]))
    ]

    p = heterogeneity(groups)

    assert 0 <= p <= 1
    assert p == pytest.approx(heterogeneity(groups[::-1]))


def changed(base: Base, folder: Path, change: Any) -> Any:
    clean, archived_configs = base
    written = []
    for file, event in clean.copy():
        kept = change(event)
        if kept is not None:
            written.append((file, kept))
    return check_log(written, folder, archived_configs)


def arm(event: dict[str, Any]) -> str:
    return str(event["experiments"]["fallback"])


def test_silent_listeners_in_one_arm_are_an_alarm(base: Base, tmp_path: Path) -> None:
    """As if the client of one arm crashed on its first track, for every third listener."""

    def mute(event: dict[str, Any]) -> Any:
        lost = arm(event) == "T1" and Stream(f"mute {event['user']}").below(3) == 0
        return None if lost and event["turn"] > 1 else event

    check = changed(base, tmp_path, mute).check("outcomes")

    assert check.status is Status.FAILED
    assert check.numbers["T1"] > 0.2
    assert check.numbers["C"] == 0


def test_an_arm_with_more_events_is_only_a_warning(base: Base, tmp_path: Path) -> None:
    def short(event: dict[str, Any]) -> Any:
        return None if arm(event) == "T1" and event["turn"] > 6 else event

    validity = changed(base, tmp_path, short)

    assert validity.check("events-per-listener").status is Status.WARNING
    assert "may be the effect itself" in validity.check("events-per-listener").explanation


def test_a_slow_arm_is_a_warning(base: Base, tmp_path: Path) -> None:
    def slow(event: dict[str, Any]) -> Any:
        slow = arm(event) == "T1"
        return {**event, "latency": 0.03, "took_us": 20_000 if slow else 1_000}

    check = changed(base, tmp_path, slow).check("latency")

    assert check.status is Status.WARNING
    assert check.figure == "p99 C 1.00 ms, T1 20.00 ms"


def test_answers_without_a_latency_are_compared_by_arm(base: Base, tmp_path: Path) -> None:
    def silent(event: dict[str, Any]) -> Any:
        if arm(event) == "T1" and event["turn"] % 2:
            return {**event, "latency": None, "took_us": None}
        return {**event, "latency": 0.001, "took_us": None}

    check = changed(base, tmp_path, silent).check("latency")

    assert check.status is Status.WARNING
    assert check.figure.startswith("without one: C 0.0%, T1 ")
    assert check.numbers["C"]["mean_s"] == pytest.approx(0.001)
    assert check.numbers["T1"]["mean_s"] == pytest.approx(0.001)


def test_an_arm_that_falls_back_more_is_a_warning(base: Base, tmp_path: Path) -> None:
    def declared(event: dict[str, Any]) -> Any:
        if event["message"] != "next":
            return event
        own = {"C": "contextual", "T1": "improved"}[arm(event)]
        fallen = arm(event) == "T1" and event["turn"] % 3 == 0
        return event | {"depth": int(fallen), "answered_by": "popular" if fallen else own}

    check = changed(base, tmp_path, declared).check("fallback")

    assert check.status is Status.WARNING
    assert check.figure.startswith("C 0.0%, T1 3")
    assert "Arm T1 gives more of its answers by a fallback" in check.explanation


def test_many_forced_events_are_a_warning_and_count_nowhere(base: Base, tmp_path: Path) -> None:
    def forced(event: dict[str, Any]) -> Any:
        if Stream(f"forced {event['user']}").below(4):
            return event
        arms = {"fallback": "T1"}
        return event | {"forced": True, "asked": arms, "experiments": arms, "strategy": "improved"}

    validity = changed(base, tmp_path, forced)

    assert validity.check("forced").status is Status.WARNING
    assert validity.check("assignment").status is Status.PASSED
    assert validity.check("one-arm").status is Status.PASSED
    listeners = validity.check("sample-ratio").numbers["listeners"]
    assert sum(listeners.values()) < 170


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_sessions_that_begin_at_once_the_one_with_later_turns_is_the_later(
    order: int, tmp_path: Path
) -> None:
    """The first session of each listener has no `last`, and is over since there is a next one."""
    events = []
    for user in range(40):
        common = {
            "timestamp": logs.START_MS, "user": user, "schema": 1, "config": "0123456789ab",
            "experiments": {"fallback": ("C", "T1")[user % 2]}, "forced": False,
        }  # fmt: skip
        answer = {"message": "next", "recommendation": 2, "strategy": "of", "answered_by": "of",
                  "depth": 0, "candidates": 9, "propensity": 0.5}  # fmt: skip
        one, two = f"s{user}-1", f"s{user}-2"
        events += [
            common | answer | {"session": one, "turn": 1, "decision": f"d{user}-1"},
            common | answer | {"session": two, "turn": 2, "decision": f"d{user}-2"},
            common | {"message": "last", "session": two, "turn": 3, "decision": f"d{user}-3"},
        ][::order]
    logs.write_ours(tmp_path, events)
    with open_log([tmp_path]) as log:
        found = run_checks(log, ArchivedConfigs(), "fallback").check("unfinished")

    assert (found.numbers["C"], found.numbers["T1"]) == (0.5, 0.5)
