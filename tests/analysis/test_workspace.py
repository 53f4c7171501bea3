"""Temporary tables beside a log: each object has its own, and drops them when it is closed."""

from collections.abc import Iterator

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.context import CheckContext
from analysis.effects.arm_summary import coverages
from analysis.effects.listener_table import ListenerTable
from analysis.effects.metrics import SESSION_TIME
from analysis.workspace import Workspace
from events.query_engine import QueryError
from events.reader import EventLog, open_log
from tests import logs


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    """Two experiments: every listener is in `fallback`, every third one in `sleep` too."""
    folder = tmp_path_factory.mktemp("two")
    arms = {"C": logs.Effect(), "T1": logs.Effect(lift=0.8)}
    events = logs.listening(logs.Plan(arms=arms, listeners=120))
    for event in events:
        if event["user"] % 3 == 0:
            event["experiments"] = {**event["experiments"], "sleep": "C"}
    logs.write_ours(folder, events)
    with open_log([folder]) as opened:
        yield opened


def test_two_listener_tables_over_one_log_keep_their_own_listeners(log: EventLog) -> None:
    with ListenerTable(log, "fallback", ["C", "T1"]) as alone:
        expected = alone.column(SESSION_TIME).sample("C")
        reached = coverages(alone)
    with ListenerTable(log, "fallback", ["C", "T1"]) as first:
        with ListenerTable(log, "sleep", ["C"]) as second:
            assert first.column(SESSION_TIME).sample("C") == expected
            assert coverages(first) == reached
            assert second.column(SESSION_TIME).sample("C") != expected
        assert first.column(SESSION_TIME).sample("C") == expected


def test_a_closed_listener_table_leaves_no_table_in_the_log(log: EventLog) -> None:
    before = log.query("SELECT table_name FROM duckdb_tables() ORDER BY ALL")
    with ListenerTable(log, "fallback", ["C", "T1"]) as listeners:
        listeners.query("SELECT count(*) FROM answers")
    assert log.query("SELECT table_name FROM duckdb_tables() ORDER BY ALL") == before
    with pytest.raises(QueryError, match="Connection already closed"):
        listeners.query("SELECT count(*) FROM answers")


def test_two_check_contexts_over_one_log_keep_their_own_tables(log: EventLog) -> None:
    with CheckContext(log, ArchivedConfigs()) as first:
        listeners = first.one("SELECT count(*) FROM first_seen")
        with CheckContext(log, ArchivedConfigs()) as second:
            second.query("DELETE FROM first_seen")
        assert first.one("SELECT count(*) FROM first_seen") == listeners


def test_a_query_that_fails_closes_its_workspace(log: EventLog) -> None:
    with pytest.raises(FileNotFoundError, match=r"no_such_query\.sql"):
        Workspace(log, ("no_such_query",))
    assert log.one("SELECT count(*) FROM events") > 0
