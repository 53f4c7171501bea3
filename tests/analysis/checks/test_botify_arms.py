"""Checks of botify's logs: inferred or given arms, and lines that must be missing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs, botify_experiment
from analysis.checks.result import Status, ValidityReport
from analysis.checks.suite import run_checks
from core.allocation import Allocation
from core.rng import Stream
from events.reader import open_log
from tests.logs import text

NAME = "STICKY_ARTIST"


def sessions(
    arms: Sequence[str], hashed_by: str = NAME, listeners: int = 120
) -> list[dict[str, Any]]:
    """Sessions of four tracks, as botify logs them; arms by the hash of a name."""
    allocation = Allocation([botify_experiment(hashed_by, arms)])
    events: list[dict[str, Any]] = []
    at_ms = 1_708_000_000_000
    for user in range(listeners):
        stream = Stream(f"session {user}")
        arm = allocation.assign(str(user)).arms[hashed_by]
        track, time = stream.below(500), 1.0
        for step in range(5):
            at_ms += 7
            event: dict[str, Any] = {
                "message": "next" if step < 4 else "last",
                "timestamp": at_ms,
                "user": user,
                "track": track,
                "time": time,
                "latency": 0.001,
                "recommendation": stream.below(500) if step < 4 else None,
                "experiments": {NAME: arm},
            }
            events.append(event)
            track, time = event["recommendation"], stream.below(100) / 100
    return events


def check_log(
    events: Sequence[Mapping[str, Any]],
    folder: Path,
    botify: Mapping[str, Sequence[str]] | None = None,
) -> ValidityReport:
    for server in range(2):
        (folder / f"recommender-{server}.json").write_bytes(text(events[server::2]))
    with open_log([folder], threads=1) as log:
        return run_checks(log, ArchivedConfigs(botify=botify), NAME)


def test_arms_with_botify_names_are_inferred(tmp_path: Path) -> None:
    validity = check_log(sessions(["C", "T1", "T2", "T3"]), tmp_path)

    check = validity.check("assignment")
    assert validity.valid
    assert check.status is Status.PASSED
    assert check.figure == "600 of 600 lines agree"
    assert "one listener in 4 agrees; here all 120 do" in check.explanation


def test_an_arm_without_listeners_is_inferred_from_the_numbers(tmp_path: Path) -> None:
    events = [e for e in sessions(["C", "T1", "T2"]) if e["experiments"][NAME] != "T1"]

    validity = check_log(events, tmp_path)

    assert "taken to be C, T1, T2" in validity.check("assignment").explanation
    assert validity.check("assignment").status is Status.PASSED
    assert validity.check("sample-ratio").status is Status.FAILED


def test_arms_in_a_different_order_are_inferred_with_a_warning(tmp_path: Path) -> None:
    check = check_log(sessions(["T1", "C"]), tmp_path).check("assignment")

    assert check.status is Status.PASSED
    assert "in the order T1, C" in check.explanation
    assert "swapped names stay unnoticed" in check.explanation


def test_an_arm_with_a_digit_that_is_no_number_is_an_arm_like_others(tmp_path: Path) -> None:
    check = check_log(sessions(["C", "T²"]), tmp_path).check("assignment")

    assert check.status is Status.PASSED
    assert "T²" in check.explanation


def test_given_arms_take_precedence(tmp_path: Path) -> None:
    check = check_log(sessions(["T1", "C"]), tmp_path, {NAME: ["C", "T1"]}).check("assignment")

    assert check.status is Status.FAILED
    assert check.figure == "0 of 600 lines agree"


def test_arms_by_the_hash_of_a_different_experiment_are_recognised(tmp_path: Path) -> None:
    """Botify's bug: one experiment's hash served, and a different one's was logged."""
    events = sessions(["C", "T1"], hashed_by="PERSONALIZED", listeners=1000)

    validity = check_log(events, tmp_path)

    check = validity.check("assignment")
    assert check.status is Status.FAILED
    assert "No order of 2 to 16 arms" in check.explanation
    assert "is what two unrelated hashes give" in check.explanation
    assert validity.check("sample-ratio").status is Status.PASSED  # so the bug stayed unnoticed


def test_missing_servers_fail_the_check_of_played_tracks(tmp_path: Path) -> None:
    stream = Stream("servers")
    events = [event for event in sessions(["C", "T1"]) if stream.below(2)]

    check = check_log(events, tmp_path).check("played")

    assert check.status is Status.FAILED
    assert f"at least {check.numbers['broken']:,} lines are not in these files" in check.explanation
    assert check.numbers["misplaced"] < check.numbers["broken"] / 2
    assert check.examples[0].what.startswith("listener ")


def test_two_simulators_of_the_same_listener_are_distinguished_from_lost_lines(
    tmp_path: Path,
) -> None:
    """The origin's `multi` mode: no worker was seeded, so all drew the same listeners."""
    first = sessions(["C", "T1"])
    second = [
        {**event, "timestamp": event["timestamp"] + 3, "track": (event["track"] or 0) + 1000,
         "recommendation": event["recommendation"] and event["recommendation"] + 1000}
        for event in sessions(["C", "T1"])
    ]  # fmt: skip
    both = sorted([*first, *second], key=lambda event: event["timestamp"])

    check = check_log(both, tmp_path).check("played")

    assert check.status is Status.FAILED
    assert "two simulators play the same listener at once" in check.explanation


def test_a_whole_file_that_is_there_twice_is_a_warning(tmp_path: Path) -> None:
    events = sessions(["C", "T1"])
    (tmp_path / "copy.json").write_bytes(text(events[0::2]))

    check = check_log(events, tmp_path).check("duplicates")

    assert check.status is Status.WARNING
    assert check.numbers["in_copied_files"] == 300


@pytest.mark.parametrize("strange", ["T7", "T99", "treatment"])
def test_an_arm_that_the_experiment_does_not_have_is_named_as_unknown(
    strange: str, tmp_path: Path
) -> None:
    events = sessions(["C", "T1", "T2", "T3"])
    for event in events[100:103]:
        event["experiments"] = {NAME: strange}

    check = check_log(events, tmp_path).check("assignment")

    assert check.status is Status.FAILED
    assert check.figure == "597 of 600 lines agree"
    assert "taken to be C, T1, T2, T3 in this order" in check.explanation
    assert f"Unknown arm {strange}: 1 listener is logged in it" in check.explanation
    assert all(f"is logged in {strange}, the hash gives " in each.what for each in check.examples)


def test_an_unknown_arm_is_named_where_the_arms_were_computed_elsewhere(tmp_path: Path) -> None:
    events = sessions(["C", "T1", "T2", "T3"], hashed_by="ANOTHER")
    events[100]["experiments"] = {NAME: "T7"}

    check = check_log(events, tmp_path).check("assignment")

    assert check.status is Status.FAILED
    assert "Unknown arm T7: 1 listener" in check.explanation
    assert "T4" not in check.explanation
    assert "two unrelated hashes" in check.explanation


def test_an_unknown_arm_is_named_beside_the_arms_that_were_given(tmp_path: Path) -> None:
    events = sessions(["C", "T1"])
    events[3]["experiments"] = {NAME: "T2"}

    check = check_log(events, tmp_path, {NAME: ["C", "T1"]}).check("assignment")

    assert "Unknown arm T2: 1 listener is logged in it" in check.explanation
