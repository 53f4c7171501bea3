"""Query engines: tables and views by name, tables of a workspace's own, functions over rows."""

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from events.duckdb_engine import DuckDbEngine
from events.queries import NamedQuery, read_named
from events.query_engine import QueryEngine, QueryError


@pytest.fixture
def engine() -> Iterator[QueryEngine]:
    opened = DuckDbEngine(duckdb.connect())
    opened.add("plays", pa.table({"listener": ["a", "a", "b"], "heard": [1, 2, None]}))
    yield opened
    opened.close()


def _double(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        doubled = [None if value is None else 2 * value for value in batch.column(0).to_pylist()]
        yield pa.record_batch([pa.array(doubled, pa.int64())], names=["doubled"])


def test_a_query_gets_its_parameters_by_place_or_by_name(engine: QueryEngine) -> None:
    assert engine.rows("SELECT heard FROM plays WHERE heard > ?", [1]) == [(2,)]
    assert engine.rows("SELECT heard FROM plays WHERE heard > $1 AND heard > $1", [1]) == [(2,)]
    named = engine.rows("SELECT heard FROM plays WHERE heard > $least", {"least": 1})
    assert named == [(2,)]


def test_a_table_keeps_its_rows_and_a_view_does_not(engine: QueryEngine) -> None:
    counted = "SELECT count(*) AS n FROM plays"
    engine.create(NamedQuery("table", "kept", counted))
    assert engine.arrow("SELECT n FROM kept").to_pylist() == [{"n": 3}]
    engine.add("gone", pa.table({"listener": ["a"]}))
    engine.remove("plays", "gone", ["listener"])
    assert engine.rows("SELECT listener, heard FROM plays") == [("b", None)]
    assert engine.rows("SELECT n FROM kept") == [(3,)]
    assert engine.arrays("SELECT heard FROM plays")["heard"].mask.tolist() == [True]


def test_a_workspace_hides_a_table_until_it_is_closed(engine: QueryEngine) -> None:
    one, other = engine.workspace(), engine.workspace()
    one.create(NamedQuery("table", "plays", "SELECT * FROM plays WHERE heard = 2"))
    assert one.rows("SELECT listener, heard FROM plays") == [("a", 2)]
    assert other.rows("SELECT count(*) FROM plays") == [(3,)]
    assert engine.rows("SELECT count(*) FROM plays") == [(3,)]
    one.close()
    assert other.rows("SELECT count(*) FROM plays") == [(3,)]


def test_a_function_runs_over_all_rows(engine: QueryEngine) -> None:
    schema = pa.schema([("doubled", pa.int64())])
    found = engine.map_batches("SELECT heard FROM plays WHERE heard > ?", _double, schema, [0])
    assert sorted(found.column("doubled").to_pylist()) == [2, 4]


def test_a_faulty_query_says_what_is_wrong_in_a_line(engine: QueryEngine) -> None:
    with pytest.raises(QueryError, match=r"nothing_of_this_name[^\n]*$"):
        engine.rows("SELECT * FROM nothing_of_this_name")


def test_a_file_names_its_tables_and_views_in_order() -> None:
    found = read_named("events", "sessions", gap_ms=1, skip_below=0.1)
    kinds = [(query.kind, query.name) for query in found]
    assert kinds == [
        ("table", "pieces"),
        ("table", "sessions"),
        ("view", "variety"),
        ("table", "session_arms"),
    ]
    assert not any("CREATE" in query.text or query.text.endswith(";") for query in found)
