"""DuckDB as query engine: one process, on disk, with bounded memory. It is the default."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import numpy.typing as npt

from events.queries import NamedQuery
from events.query_engine import BatchFunction, EngineName, Params, QueryError

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

MACROS = (
    "array_join(texts, sep) AS array_to_string(texts, sep)",
    "day_of(ms) AS strftime(make_timestamp(CAST(ms AS BIGINT) * 1000), '%Y-%m-%d')",
    "hex_number(text) AS TRY_CAST('0x' || text AS BIGINT)",
    "json_text(text, name) AS json_extract_string(text, [concat('$.\"', name, '\"')])[1]",
    "json_texts(text) AS from_json(text, '[\"VARCHAR\"]')",
    "known_of(a, b, c) AS list_filter([a, b, c], lambda x: x IS NOT NULL)",
)
"""Functions that Spark has, or that `spark_engine.FUNCTIONS` defines there."""

BATCH = 50_000
"""Rows that a function of `map_batches` gets at once."""
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
"""The units of DuckDB's sizes, each 1,024 times the one before it."""


class DuckDbEngine:
    """Tables in a database of DuckDB; see `QueryEngine`.

    Args:
        con: The connection.
        is_temporary: Whether the tables are temporary ones of this connection.
    """

    name: EngineName = "duckdb"

    def __init__(self, con: duckdb.DuckDBPyConnection, is_temporary: bool = False) -> None:
        self.con = con
        if not is_temporary:
            for macro in MACROS:
                con.execute(f"CREATE OR REPLACE MACRO {macro}")
        self._head = "CREATE OR REPLACE TEMP" if is_temporary else "CREATE OR REPLACE"

    def create(self, query: NamedQuery, params: Params = ()) -> None:
        """Create a table or a view."""
        self._execute(f"{self._head} {query.kind} {query.name} AS {query.text}", params)

    def add(self, name: str, rows: "pa.Table") -> None:
        """Copy rows into a table."""
        self.con.register("incoming_rows", rows)
        self.create(NamedQuery("table", name, "SELECT * FROM incoming_rows"))
        self.con.unregister("incoming_rows")

    def remove(self, table: str, gone: str, keys: Sequence[str]) -> None:
        """Delete rows."""
        same = " AND ".join(f"{table}.{key} = gone.{key}" for key in keys)
        self._execute(f"DELETE FROM {table} USING {gone} AS gone WHERE {same}", ())  # noqa: S608

    def drop(self, name: str) -> None:
        """Drop a table."""
        self._execute(f"DROP TABLE {name}", ())

    def rows(self, query: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Fetch all rows."""
        return self._run(lambda: self.con.execute(query, params or None).fetchall())

    def arrow(self, query: str, params: Params = ()) -> "pa.Table":
        """Fetch all rows as Arrow."""
        return self._run(lambda: self.con.sql(query, params=params or None).to_arrow_table())

    def arrays(self, query: str, params: Params = ()) -> dict[str, npt.NDArray[Any]]:
        """Fetch all columns."""
        return self._run(lambda: self.con.execute(query, params or None).fetchnumpy())

    def map_batches(
        self, query: str, function: BatchFunction, schema: "pa.Schema", params: Params = ()
    ) -> "pa.Table":
        """Run a function over all rows, here, while DuckDB still computes the rest of them."""
        import pyarrow as pa

        return pa.Table.from_batches(list(function(self.batches(query, BATCH, params))), schema)

    def batches(self, query: str, rows: int, params: Params = ()) -> "Iterator[pa.RecordBatch]":
        """Yield the rows of a query, so many at once, while DuckDB computes the rest of them."""
        with self.con.cursor() as cursor:
            incoming: Any = _guard(
                lambda: cursor.sql(query, params=params or None).to_arrow_reader(rows)
            )
            yield from incoming

    def workspace(self) -> "DuckDbEngine":
        """Open a connection, because DuckDB keeps temporary tables by connection."""
        return DuckDbEngine(_guard(self.con.cursor), is_temporary=True)

    def close(self) -> None:
        """Close the connection, and with it drop what is temporary."""
        self.con.close()

    def _execute(self, query: str, params: Params) -> None:
        self._run(lambda: self.con.execute(query, params or None))

    def _run(self, work: Callable[[], T]) -> T:
        """Run a query; if the memory is too small for it, again with more."""
        return _guard(lambda: self._run_in_room(work))

    def _run_in_room(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except duckdb.OutOfMemoryException:
            with self._more_room() as limits:
                for limit in limits[:-1]:
                    self.con.execute(f"SET memory_limit = '{limit}MB'")
                    with suppress(duckdb.OutOfMemoryException):
                        return work()
                self.con.execute(f"SET memory_limit = '{limits[-1]}MB'")
                return work()

    @contextmanager
    def _more_room(self) -> Iterator[list[int]]:
        """Give one thread all memory, as each thread of a sort holds some; and limits, in MB.

        They begin at what it was, and double up to the four fifths of the machine that DuckDB has
        by default.
        """
        threads, limit = self._setting("threads"), self._setting("memory_limit")
        self.con.execute("SET threads = 1")
        self.con.execute("RESET memory_limit")
        given, most = _megabytes(limit), _megabytes(self._setting("memory_limit"))
        try:
            yield [*takewhile(lambda each: each < most, (given << n for n in count())), most]
        finally:
            self.con.execute(f"SET threads = {threads}")
            self.con.execute(f"SET memory_limit = '{limit}'")

    def _setting(self, name: str) -> str:
        return str(self.con.execute("SELECT current_setting(?)", [name]).fetchall()[0][0])


def _megabytes(size: str) -> int:
    """Read DuckDB's "476.8 MiB" as whole MB."""
    number, unit = size.split()
    return max(1, int(float(number) * 1024 ** UNITS.index(unit) / 1e6))


def _guard(work: Callable[[], T]) -> T:
    try:
        return work()
    except duckdb.Error as error:
        raise QueryError(str(error).splitlines()[0]) from error
