"""Checks that had nothing to look at: they are not made, and never count as passed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.checks.suite import EXPERIMENT_CHECKS, find_experiments, run_checks
from analysis.rendering import cells
from cli.check_tables import show_checks
from events.reader import open_log
from tests import logs

Lines = Sequence[Mapping[str, Any]]


def checked(
    folder: Path, ours: Lines, experiment: str, botify: Lines = (), **window: int
) -> ValidityReport:
    logs.write_ours(folder / "ours", ours)
    if botify:
        logs.write_botify(folder / "botify", botify)
    with open_log([folder], threads=1, **window) as log:  # type: ignore[arg-type]
        return run_checks(log, ArchivedConfigs(botify={"old": ["C", "T1"]}), experiment)


def statuses(report: ValidityReport, names: Sequence[str]) -> dict[str, Status]:
    return {name: report.check(name).status for name in names}


def test_a_check_that_was_not_made_is_counted_apart_and_forbids_nothing() -> None:
    report = ValidityReport(
        "demo",
        (
            CheckResult("lines", "Can every line be read?", Status.PASSED, "9 lines"),
            CheckResult("played", "Was it played?", Status.NOT_MADE, "turns tell more"),
        ),
    )

    assert report.valid
    assert cells.check_counts(report) == "1 passed, 1 not made"
    assert report.to_dict()["checks"][1]["status"] == "not made"
    console = Console(width=80)
    with console.capture() as capture:
        show_checks("The log", report.checks, console)
    assert "not made" in capture.get()


def test_without_a_listen_after_a_recommendation_the_check_of_played_tracks_is_not_made(
    tmp_path: Path,
) -> None:
    first = [event for event in logs.listening(logs.Plan(listeners=20)) if event["turn"] == 1]

    report = checked(tmp_path, first, "fallback")

    assert report.check("played").status is Status.NOT_MADE
    assert report.check("played-by-arm").status is Status.NOT_MADE


def test_with_a_single_arm_no_comparison_of_arms_is_made(tmp_path: Path) -> None:
    ours = logs.listening(logs.Plan(arms={"C": logs.Effect()}, listeners=20))

    report = checked(tmp_path, ours, "fallback")

    names = ("unfinished", "outcomes", "events-per-listener", "latency")
    assert set(statuses(report, names).values()) == {Status.NOT_MADE}


def test_an_experiment_that_only_botify_logged_is_not_proved_by_our_lines(tmp_path: Path) -> None:
    """The log also has an experiment of ours, whose lines prove nothing about botify's."""
    ours = logs.listening(logs.Plan(listeners=20))
    old = logs.listening(logs.Plan(listeners=40, experiment="old", seed=2))
    for event in old:
        event["user"] += 1000

    report = checked(tmp_path, ours, "old", botify=old)

    names = ("config", "served", "fallback")
    assert set(statuses(report, names).values()) == {Status.UNKNOWN}


@pytest.mark.parametrize("name", EXPERIMENT_CHECKS)
def test_no_check_passes_on_an_experiment_without_events_in_the_window(
    name: str, tmp_path: Path
) -> None:
    early = logs.listening(logs.Plan(listeners=20, experiment="early", days=1))
    late = logs.listening(logs.Plan(listeners=20, days=4))
    for event in early:
        event["user"] += 1000

    report = checked(tmp_path, [*early, *late], "early", since_ms=logs.START_MS + 2 * logs.DAY_MS)

    assert report.check(name).status in (Status.NOT_MADE, Status.UNKNOWN)


def test_an_experiment_without_events_in_the_window_is_not_in_the_log(tmp_path: Path) -> None:
    early = logs.listening(logs.Plan(listeners=20, experiment="early", days=1))
    late = logs.listening(logs.Plan(listeners=20, days=4))
    for event in early:
        event["user"] += 1000
    logs.write_ours(tmp_path, [*early, *late])
    with open_log([tmp_path], threads=1) as log:
        assert find_experiments(log) == ["early", "fallback"]
    with open_log([tmp_path], threads=1, since_ms=logs.START_MS + 2 * logs.DAY_MS) as log:
        assert find_experiments(log) == ["fallback"]


@pytest.mark.parametrize(
    "absent", ["experiments", "config", "latency", "forced", "strategy", "answered_by", "depth"]
)
def test_lines_without_a_field_that_readers_do_not_need_are_checked(
    absent: str, tmp_path: Path
) -> None:
    """Such lines do not come from our writer; a tool that filters a log may leave a field out."""
    events = logs.listening(logs.Plan(listeners=20))
    without = [
        event if number % 3 else _without(event, absent) for number, event in enumerate(events)
    ]

    report = checked(tmp_path, without, "fallback")

    assert report.check("lines").status is Status.PASSED


def _without(event: Mapping[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != field}
