"""What leaves the tables is sums: no query of a report fetches a row for each listener."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.checks import arm_counts
from analysis.checks.archived_configs import ArchivedConfigs
from analysis.effects import arm_summary
from analysis.report import LogSelection, ReportRequest, report_of
from events.duckdb_engine import DuckDbEngine
from events.reader import open_log
from tests import logs

MOST = 500
"""Rows that a query may fetch here, far fewer than listeners: the numbers of 3 arms of botify,
modulo 2 to 16, are the most."""
SAMPLED = 400
"""Answers of an arm from which the p99's bootstrap takes a sample, instead of two million."""
LOOKS = 20
"""Looks of the watched sample ratio, instead of 2,000."""


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Count the rows of each query that passes through an engine."""
    found: list[tuple[int, str]] = []

    def counting(name: str, count: Callable[[Any], int]) -> None:
        fetch = getattr(DuckDbEngine, name)

        def fetch_and_count(self: DuckDbEngine, query: str, *more: Any) -> Any:
            rows = fetch(self, query, *more)
            found.append((count(rows), query))
            return rows

        monkeypatch.setattr(DuckDbEngine, name, fetch_and_count)

    for name in ("rows", "arrow", "map_batches"):
        counting(name, len)
    counting("arrays", lambda columns: max(map(len, columns.values())))
    monkeypatch.setattr(arm_summary, "MOST_ANSWERS", SAMPLED)
    monkeypatch.setattr(arm_counts, "LOOKS", LOOKS)
    return found


def _report(
    log: Path, listeners: int, write: Callable[[Path, Sequence[dict[str, Any]]], object]
) -> None:
    arms = {"C": logs.Effect(), "T1": logs.Effect(lift=0.3), "T2": logs.Effect(lift=-0.2)}
    plan = logs.Plan(arms=arms, listeners=listeners, sessions=3, days=4, before_days=3)
    write(log, logs.listening(plan))
    with open_log([log], threads=1) as opened:
        request = ReportRequest(even_if_invalid=True, segments=("listener", "day"))
        report_of(opened, LogSelection([log]), request, ArchivedConfigs(), "1", "segue report")


@pytest.mark.parametrize("write", [logs.write_ours, logs.write_botify])
def test_no_query_of_a_report_fetches_a_row_for_each_listener(
    write: Callable[[Path, Sequence[dict[str, Any]]], object],
    fetched: list[tuple[int, str]],
    tmp_path: Path,
) -> None:
    for place, listeners in enumerate((900, 1800)):  # no arm is small enough for a bootstrap
        _report(tmp_path / str(place), listeners, write)
        large = [(rows, query) for rows, query in fetched if rows > MOST]
        assert large == []
        assert len(fetched) > 100
        fetched.clear()
