"""The window of a report: an impossible stamp neither widens it nor takes part in its charts."""

from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.effects.results import ExperimentResult
from analysis.report import LogSelection, ReportRequest, make_report
from tests.logs import DAY_MS, START_MS, Plan, listening, write_ours

YEAR_2099 = 4_086_547_200_000


def result(folder: Path) -> ExperimentResult:
    report = make_report(
        LogSelection([folder]), ReportRequest(even_if_invalid=True), ArchivedConfigs(), "1", ""
    )
    (found,) = report.experiments
    return found


@pytest.mark.parametrize("stamp", [YEAR_2099, START_MS - 400 * DAY_MS])
@pytest.mark.parametrize("place", [0, 50, -1])
def test_one_impossible_stamp_does_not_widen_the_window(
    stamp: int, place: int, tmp_path: Path
) -> None:
    events: list[dict[str, Any]] = listening(Plan(listeners=100))
    rest = [e["timestamp"] for e in events if e is not events[place]]
    events[place] = {**events[place], "timestamp": stamp}
    write_ours(tmp_path, events)

    found = result(tmp_path)

    assert found.window == (min(rest), max(rest))
    assert found.charts is not None
    assert {at // DAY_MS for at, _ in found.charts.arrivals} <= {
        at // DAY_MS for at in (min(rest), max(rest))
    }


def test_a_log_of_impossible_stamps_alone_has_their_window(tmp_path: Path) -> None:
    events = [{**e, "timestamp": e["timestamp"] // 1000} for e in listening(Plan(listeners=100))]
    write_ours(tmp_path, events)
    stamps = [e["timestamp"] for e in events]

    assert result(tmp_path).window == (min(stamps), max(stamps))
