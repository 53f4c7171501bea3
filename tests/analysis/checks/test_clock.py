"""The clock: impossible times are named, and a few unclear ties withhold nothing."""

from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from analysis.checks.suite import run_all_checks
from events.reader import open_log
from tests import logs, needs

YEAR_2099 = 4_086_547_200_000
CASES = needs.SHARED / "cases" / "logs"


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return logs.listening(logs.Plan(listeners=200))


def check(folder: Path) -> CheckResult:
    with open_log([folder]) as log:
        (report, *_) = run_all_checks(log, ArchivedConfigs())
    return report.check("clock")


def test_one_event_of_2099_is_named(events: list[dict[str, Any]], tmp_path: Path) -> None:
    changed = [{**e, "timestamp": YEAR_2099} if n == 100 else e for n, e in enumerate(events)]
    (path,) = logs.write_ours(tmp_path, changed)

    found = check(tmp_path)

    assert found.status is Status.WARNING
    assert found.figure.startswith(f"1 of {len(events):,} lines have impossible times")
    assert found.examples[0].where == f"{path}:101"
    assert found.examples[0].what == "is stamped 2099-07-01 00:00:00"


@pytest.mark.parametrize("servers", [1, 2], ids=["all in 1970", "one server in seconds"])
def test_seconds_for_milliseconds_fail(
    servers: int, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    changed = [
        e if n % servers else {**e, "timestamp": e["timestamp"] // 1000}
        for n, e in enumerate(events)
    ]
    logs.write_ours(tmp_path, changed, servers=servers)

    found = check(tmp_path)

    assert found.status is Status.FAILED
    assert found.numbers["odd"] == -(-len(events) // servers)
    assert found.examples[0].what.startswith("is stamped 1970-01-")


def tied(events: list[dict[str, Any]], ties: int) -> list[dict[str, Any]]:
    """Give so many pairs of a listener's turns one stamp, and the wrong order in the file."""
    changed, last, made = [dict(event) for event in events], dict[Any, int](), 0
    for place, event in enumerate(changed):
        before = last.get(event["user"])
        last[event["user"]] = place
        if before is None or made == ties or "recommendation" not in event:
            continue
        one = changed[before]
        if one["session"] == event["session"] and one["turn"] % 4 == 1:
            one["timestamp"] = event["timestamp"]
            changed[before], changed[place] = changed[place], changed[before]
            del last[event["user"]]
            made += 1
    assert made == ties
    return changed


@pytest.mark.parametrize(("ties", "status"), [(1, Status.WARNING), (60, Status.FAILED)])
def test_unclear_ties_are_tolerated_up_to_1_percent(
    ties: int, status: Status, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    logs.write_botify(tmp_path, tied(events, ties), servers=1)

    found = check(tmp_path)

    assert found.status is status
    assert found.numbers["unclear"] >= ties
    assert f"of {len(events):,} events" in found.figure


@needs.shared("cases/logs/clock", "cases/logs/clock3")
def test_the_reported_log_ends_where_it_ended_without_the_odd_event() -> None:
    query = "SELECT ended_by, count(*) FROM sessions GROUP BY ALL ORDER BY ALL"
    with open_log([CASES / "clock"]) as log:
        before = log.query(query)
    with open_log([CASES / "clock3"]) as log:
        assert log.query(query) == before

    assert check(CASES / "clock").status is Status.PASSED
    assert check(CASES / "clock3").status is Status.WARNING
