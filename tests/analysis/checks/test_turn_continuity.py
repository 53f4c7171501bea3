"""The checks `turns`, `state` and `clock`: losses, and what only looks like a loss."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import Status
from audit.log_faults import CleanLog, LogLines
from tests.analysis.trial_log import check_log, trial_log

Base = tuple[CleanLog, ArchivedConfigs]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"), sessions=300, listeners=60)


def restarted(clean: CleanLog) -> LogLines:
    """The process is replaced in the middle, and its successor knows no listener."""
    middle = len(clean.events) // 2
    turns: dict[str, int] = {}
    sessions: dict[str, str] = {}
    written: LogLines = [("events-1.jsonl", {**event}) for event in clean.events[:middle]]
    for event in clean.events[middle:]:
        user = str(event["user"])
        turns[user] = turns.get(user, 0) + 1
        session = sessions.setdefault(user, event["decision"])
        if event["message"] == "last":
            del sessions[user]
        written.append(("events-2.jsonl", {**event, "turn": turns[user], "session": session}))
    return written


def reset(clean: CleanLog) -> LogLines:
    """The same, but the server restarted every listener on purpose, and the log tells it."""
    return [
        ("events-1.jsonl", {**event, **({"reset": True} if event["turn"] == 1 else {})})
        for _, event in restarted(clean)
        if isinstance(event, dict)
    ]


def tail(clean: CleanLog) -> LogLines:
    """Only the second half was copied."""
    return [("events-1.jsonl", {**event}) for event in clean.events[len(clean.events) // 2 :]]


def backwards(clean: CleanLog) -> LogLines:
    """The clock is put back by a minute in the middle."""
    middle = len(clean.events) // 2
    return [
        ("events-1.jsonl", {**event, "timestamp": event["timestamp"] - 60_000 * (n >= middle)})
        for n, event in enumerate(clean.events)
    ]


def same_millisecond(clean: CleanLog) -> LogLines:
    """All in the same second: turns order them all the same."""
    return [
        ("events-1.jsonl", {**event, "timestamp": event["timestamp"] // 1000 * 1000})
        for event in clean.events
    ]


@pytest.mark.parametrize(
    ("change", "warnings"),
    [
        (restarted, {"state": "It restarted with its state in memory"}),
        (reset, {}),
        (tail, {"turns": "The log begins after the first turn"}),
        (backwards, {"clock": "The clock went back between two turns"}),
        (same_millisecond, {}),
    ],
)
def test_an_apparent_loss_is_only_a_warning(
    change: Callable[[CleanLog], LogLines], warnings: dict[str, str], base: Base, tmp_path: Path
) -> None:
    clean, archived_configs = base

    validity = check_log(change(clean), tmp_path, archived_configs)

    for name in ("turns", "state", "clock"):
        check = validity.check(name)
        assert check.status is (Status.WARNING if name in warnings else Status.PASSED)
        assert warnings.get(name, "") in check.explanation


def test_missing_turns_are_counted_and_shown(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base
    written = clean.copy()
    one = next(
        n for n, (_, e) in enumerate(written) if isinstance(e, dict) and e["turn"] == 2
    )  # fmt: skip
    gone: Any = written.pop(one)[1]
    after = next(
        (n, e["turn"])
        for n, (_, e) in enumerate(written)
        if isinstance(e, dict) and e["user"] == gone["user"] and e["turn"] > 2
    )

    check = check_log(written, tmp_path, archived_configs).check("turns")

    assert check.status is Status.FAILED
    assert check.figure == f"at least 1 turns missing; {len(written):,} turns are there"
    (example,) = check.examples
    assert example.where == f"{tmp_path}/events-1.jsonl:{after[0] + 1}"
    assert example.what == f"listener {gone['user']}: turn 3 comes after turn 1"


def test_doubled_and_missing_turns_are_counted_apart(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base
    lines = clean.copy()
    turns = [place for place, (_, e) in enumerate(lines) if isinstance(e, dict) and e["turn"] == 2]
    missing: Any = lines[turns[0]][1]
    doubled: Any = lines[turns[-1]][1]
    lines[turns[0]] = lines[turns[0]][0], {**doubled, "decision": missing["decision"]}

    check = check_log(lines, tmp_path, archived_configs).check("turns")

    assert check.status is Status.FAILED
    assert (check.numbers["missing"], check.numbers["doubled"]) == (1, 1)
    assert check.figure == (
        f"at least 1 turns missing, 1 turns doubled; {len(lines) - 1:,} turns are there"
    )
