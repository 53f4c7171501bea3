"""Lines that a process wrote and that are not there: gaps of its ids, and files cut off."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from analysis.checks.suite import LOG_CHECKS, run_all_checks
from events.reader import open_log
from tests import logs


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    made = logs.listening(logs.Plan(listeners=40))
    return [
        {**event, "schema": 2, "decision": f"0123456789ab-{number:x}"}
        for number, event in enumerate(made, start=1)
    ]


def check(folder: Path, *files: list[dict[str, Any]], end: dict[str, Any] | None) -> CheckResult:
    folder.mkdir(exist_ok=True)
    for number, lines in enumerate(files):
        (folder / f"events-a-1-{number:04}.jsonl").write_bytes(logs.text(lines))
    if end is not None:
        last = folder / f"events-a-1-{len(files) - 1:04}.end.json"
        last.write_bytes(orjson.dumps(end))
    with open_log([folder]) as log:
        (report, *_) = run_all_checks(log, ArchivedConfigs())
    return report.check("ids")


def end_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    return {"lines": len(events), "bytes": 0, "last": events[-1]["decision"]}


def test_all_lines_of_a_stopped_process_are_there(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    found = check(tmp_path, events[:50], events[50:], end=end_of(events[50:]))

    assert (found.status, found.explanation) == (Status.PASSED, "")
    assert found.figure == f"{len(events):,} lines, no gap"


def test_a_killed_process_is_said_and_does_not_fail(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    found = check(tmp_path, events[:50], events[50:], end=None)

    assert found.status is Status.PASSED
    assert "1 of 1 processes left no end" in found.explanation


def test_a_line_lost_at_the_end_of_a_file_that_goes_on_in_the_next(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    found = check(tmp_path, events[:40], events[50:], end=end_of(events[50:]))

    assert found.status is Status.FAILED
    assert (found.numbers["missing"], found.numbers["cut_off"]) == (10, 0)


def test_lines_lost_at_the_very_end(events: list[dict[str, Any]], tmp_path: Path) -> None:
    kept = events[: len(events) * 9 // 10]

    found = check(tmp_path, kept, end=end_of(events))

    lost = len(events) - len(kept)
    assert found.status is Status.FAILED
    assert (found.numbers["missing"], found.numbers["cut_off"]) == (0, lost)
    (example,) = found.examples
    assert example.where == f"{tmp_path}/events-a-1-0000.jsonl"
    assert example.what.endswith(f"ended at {len(events):x}")


def test_a_log_that_begins_later_is_a_warning(events: list[dict[str, Any]], tmp_path: Path) -> None:
    found = check(tmp_path, events[50:], end=end_of(events))

    assert found.status is Status.WARNING
    assert "The first lines of 1 processes are not in these files" in found.explanation


def test_schema_1_is_not_judged(events: list[dict[str, Any]], tmp_path: Path) -> None:
    found = check(tmp_path, [{**event, "schema": 1} for event in events[::2]], end=None)

    assert found.status is Status.UNKNOWN
    assert list(LOG_CHECKS).index("ids") < list(LOG_CHECKS).index("turns")


@pytest.mark.parametrize(("every", "status"), [(2000, Status.PASSED), (100, Status.FAILED)])
def test_lines_of_retried_requests_are_tolerated_while_they_are_few(
    every: int, status: Status, tmp_path: Path
) -> None:
    made = logs.listening(logs.Plan(listeners=600))
    lines = [
        {**event, "key": f"k{number}", "decision": f"0123456789ab-{number + 1:x}"}
        for number, event in enumerate(made)
        for _ in range(1 if number % every else 2)
    ]
    logs.write_ours(tmp_path, lines)
    with open_log([tmp_path]) as log:
        (report,) = run_all_checks(log, ArchivedConfigs())

    found = report.check("duplicates")
    assert found.status is status
    assert found.numbers["retried"] == -(-len(made) // every)


def by_process(name: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make events those of one process, each of a request with a key."""
    return [
        {**event, "key": f"{name}{number}", "decision": f"{name * 12}-{number:x}"}
        for number, event in enumerate(events, start=1)
    ]


@pytest.mark.parametrize(
    ("turns", "status"), [(40, Status.PASSED), (256, Status.PASSED), (257, Status.FAILED)]
)
def test_the_turns_under_way_at_a_killed_process_may_be_decided_again_by_another(
    turns: int, status: Status, tmp_path: Path
) -> None:
    made = logs.listening(logs.Plan())
    half = len(made) // 2
    killed, other = by_process("a", made[:half]), by_process("b", made[half:])
    (tmp_path / "events-a-1-0000.jsonl").write_bytes(logs.text(killed))
    (tmp_path / "events-b-1-0000.jsonl").write_bytes(logs.text([*killed[-turns:], *other]))
    with open_log([tmp_path]) as log:
        (report,) = run_all_checks(log, ArchivedConfigs())

    found = report.check("duplicates")
    assert found.status is status
    assert found.numbers["retried"] == turns
    if status is Status.PASSED:
        assert found.figure == f"{turns:,} retries, each counted once"
    else:
        assert {example.what for example in found.examples} == {
            "retried decision of another process"
        }


def test_a_copy_of_half_a_file_is_no_retry_of_another_process(tmp_path: Path) -> None:
    """A copy that was made while the file grew: each of its lines is of the same process."""
    made = by_process("a", logs.listening(logs.Plan()))
    (tmp_path / "events-a-1-0000.jsonl").write_bytes(logs.text(made))
    (tmp_path / "copied.jsonl").write_bytes(logs.text(made[:100]))
    with open_log([tmp_path]) as log:
        (report,) = run_all_checks(log, ArchivedConfigs())

    assert report.check("duplicates").status is Status.FAILED
