"""Query engines: tables and views by name, tables of a workspace's own, functions over rows."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import database
from events.queries import NamedQuery, read_named
from events.query_engine import QueryEngine, QueryError
from tests.spark_local import ENGINES, opened_engine

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[QueryEngine]:
    opened = opened_engine(request.param)
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


def test_rows_come_in_the_order_of_a_column_that_is_not_selected(engine: QueryEngine) -> None:
    engine.add("turns", pa.table({"user": ["c", "a", "b"], "turn": [3, 1, 2]}))
    found = engine.rows('SELECT t.turn FROM turns AS t ORDER BY t."user"')
    assert found == [(1,), (2,), (3,)]


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/sql/*.sql")), ids=lambda path: path.name)
def test_a_query_that_sorts_by_listeners_says_whose(path: Path) -> None:
    """In Spark, `"user"` alone is who asks wherever the query does not select a column "user"."""
    text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
    while (outside := re.sub(r"\((?!\s*(?:SELECT|WITH))[^()]*\)", "", text)) != text:
        text = outside
    assert not re.search(r'ORDER BY (?:[^;()]*,)?\s*"user"', text)


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


ATTRIBUTES = (
    '{"a b": "x \\"q\\" \u00e9", "n": 1.5, "i": 10, "yes": true, "none": null, "o": {"k":1}}'
)

FUNCTIONS: dict[str, tuple[str, list[object], object]] = {
    "day": ("day_of(?)", [1_700_000_000_000], "2023-11-14"),
    "joined": ("array_join(array_sort(?), ', ')", [["b", "a"]], "a, b"),
    "hex": ("hex_number(?)", ["ff"], 255),
    "no hex, too long": ("hex_number(?)", ["f" * 20], None),
    "a text": ("json_text(?, ?)", [ATTRIBUTES, "a b"], 'x "q" \u00e9'),
    "a fraction": ("json_text(?, ?)", [ATTRIBUTES, "n"], "1.5"),
    "a number": ("json_text(?, ?)", [ATTRIBUTES, "i"], "10"),
    "a boolean": ("json_text(?, ?)", [ATTRIBUTES, "yes"], "true"),
    "null": ("json_text(?, ?)", [ATTRIBUTES, "none"], None),
    "an object": ("json_text(?, ?)", [ATTRIBUTES, "o"], '{"k":1}'),
    "a missing key": ("json_text(?, ?)", [ATTRIBUTES, "away"], None),
    "texts": ("json_texts(?)", ['["7", "a"]'], ["7", "a"]),
    "those there": ("known_of(?, ?, ?)", ["a", None, "c"], ["a", "c"]),
    "a text is in a list": ("array_contains(?, ?)", [["a"], "a"], True),
    "a quotation mark": ("concat(?, 'it''s')", ["it's \\ "], "it's \\ it's"),
    "a pattern": (r"regexp_extract(?, '^([^/\\]+)\.json$', 1)", ["a.json"], "a"),
    "a median": ("(SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY heard) FROM plays)", [], 1.5),
    "the last one that is there": (
        "(SELECT max_by(listener, heard) FILTER (WHERE listener IS NOT NULL) FROM plays)",
        [],
        "a",
    ),
}


def test_functions_give_the_same_on_every_engine(engine: QueryEngine) -> None:
    found = {
        name: engine.rows(f"SELECT {expression} AS it", params)[0][0]
        for name, (expression, params, _) in FUNCTIONS.items()
    }
    assert found == {name: value for name, (_, _, value) in FUNCTIONS.items()}


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


def test_a_sort_that_many_threads_have_no_memory_for_is_done_by_one(tmp_path: Path) -> None:
    """Each thread of a sort holds some of the memory: a machine of many cores has too little."""
    con = database(tmp_path / "log.duckdb", memory_mb=20, threads=16)
    query = """
        SELECT *, lag(text) OVER (PARTITION BY i % 1000 ORDER BY place) AS before
        FROM (
            SELECT i, CAST(hash(i) AS VARCHAR) AS text, hash(i + 1) AS place
            FROM range(500000) AS r(i)
        )
    """
    settings = "SELECT current_setting('threads'), current_setting('memory_limit')"
    with contextlib.closing(DuckDbEngine(con)) as engine:
        given = engine.rows(settings)
        engine.create(NamedQuery("table", "sorted", query))
        assert engine.rows("SELECT count(*), count(before) FROM sorted") == [(500_000, 499_000)]
        assert engine.rows(settings) == given


def test_a_query_that_cannot_go_to_the_disk_gets_the_memory_that_it_needs(tmp_path: Path) -> None:
    con = database(tmp_path / "log.duckdb", memory_mb=20, threads=2)
    with contextlib.closing(DuckDbEngine(con)) as engine:
        given = engine.rows("SELECT current_setting('threads'), current_setting('memory_limit')")
        # Ten million numbers of 8 bytes in one list: more than twice the 20 MB.
        assert engine.rows("SELECT len(list(i)) FROM range(10000000) AS r(i)") == [(10_000_000,)]
        assert given == engine.rows(
            "SELECT current_setting('threads'), current_setting('memory_limit')"
        )
