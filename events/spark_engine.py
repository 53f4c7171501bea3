"""Spark as query engine: the same SQL over many machines."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from events.queries import NamedQuery
from events.query_engine import BatchFunction, EngineName, Params, QueryError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

T = TypeVar("T")

FUNCTIONS = (
    "day_of(ms BIGINT) RETURNS STRING RETURN date_format(timestamp_millis(ms), 'yyyy-MM-dd')",
    # 15 digits are below 2^63; the ids of a process never come near.
    "hex_number(text STRING) RETURNS BIGINT RETURN CASE WHEN length(ltrim('0', text)) <= 15 "
    "THEN CAST(conv(text, 16, 10) AS BIGINT) END",
    "json_text(text STRING, name STRING) RETURNS STRING "
    "RETURN try_element_at(from_json(text, 'MAP<STRING, STRING>'), name)",
    "json_texts(text STRING) RETURNS ARRAY<STRING> RETURN from_json(text, 'ARRAY<STRING>')",
    "known_of(a STRING, b STRING, c STRING) RETURNS ARRAY<STRING> "
    "RETURN filter(array(a, b, c), x -> x IS NOT NULL)",
)
"""Functions without a common expression; `duckdb_engine.MACROS` has the same ones."""

SMALL_BYTES = 1 << 20
"""Up to so many bytes, rows that Python has travel with each plan that reads them."""

_SPARED = re.compile(r"""('(?:[^']|'')*'|"[^"]*"|--[^\n]*)""")
_PARAMETER = re.compile(r"\$(\w+)")


class SparkEngine:
    """Temporary views of a Spark session; see `QueryEngine`.

    Every engine over one session has tables of its own. The session knows only one view of a name,
    so before a query the engine puts its own views there; a query that was made already keeps the
    rows that it saw.

    Args:
        session: The session.
        parent: The engine whose tables this one sees too.
    """

    name: EngineName = "spark"

    def __init__(self, session: "SparkSession", parent: "SparkEngine | None" = None) -> None:
        self.session = session
        self._parent = parent
        self._own: dict[str, DataFrame] = {}
        self._kept: dict[str, DataFrame] = {}
        self._bound: dict[str, DataFrame] = parent._bound if parent else {}
        self._is_closed = False
        if parent is None:
            for function in FUNCTIONS:
                session.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {function}")

    def create(self, query: NamedQuery, params: Params = ()) -> None:
        """Name the rows of a query; those of a table stay in the executors' memory, or on disk."""
        frame = self.frame(query.text, params)
        self.name_frame(query.name, frame, is_kept=query.kind == "table")

    def name_frame(self, name: str, frame: "DataFrame", is_kept: bool = True) -> None:
        """Name a data frame."""
        before = self._kept.pop(name, None)
        if is_kept:
            self._kept[name] = frame = frame.persist()  # in memory, and on disk beyond that
            frame = _leaf(frame)
        self._own[name] = frame
        if before is not None:
            before.unpersist()

    def add(self, name: str, rows: "pa.Table") -> None:
        """Make a table of rows; Spark plans with a small one, and joins it without a shuffle."""
        is_kept = rows.nbytes > SMALL_BYTES
        self.name_frame(name, self.session.createDataFrame(rows), is_kept)

    def remove(self, table: str, gone: str, keys: Sequence[str]) -> None:
        """Make the table the rest of its rows."""
        same = " AND ".join(f"kept.{key} = gone.{key}" for key in keys)
        rest = f"SELECT kept.* FROM {table} AS kept LEFT ANTI JOIN {gone} AS gone ON {same}"  # noqa: S608
        self._own[table] = self.frame(rest, ())

    def drop(self, name: str) -> None:
        """Forget a table."""
        del self._own[name]
        if name in self._kept:
            self._kept.pop(name).unpersist()

    def rows(self, query: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Collect all rows."""
        frame = self.frame(query, params)
        return [tuple(row) for row in _guard(frame.collect)]

    def arrow(self, query: str, params: Params = ()) -> "pa.Table":
        """Collect all rows as Arrow."""
        return _guard(self.frame(query, params).toArrow)

    def arrays(self, query: str, params: Params = ()) -> dict[str, npt.NDArray[Any]]:
        """Collect all columns."""
        found = self.arrow(query, params)
        return {name: _array(found.column(name)) for name in found.column_names}

    def map_batches(
        self, query: str, function: BatchFunction, schema: "pa.Schema", params: Params = ()
    ) -> "pa.Table":
        """Run a function on the executors, and collect what it yields."""
        frame = map_in_arrow(self.frame(query, params), function, schema)
        return _guard(frame.toArrow)

    def frame(self, query: str, params: Params = ()) -> "DataFrame":
        """Make the data frame of a query; nothing runs yet."""
        if self._is_closed:
            raise QueryError("the tables are closed already")
        self._bind()
        if isinstance(params, Mapping):
            args: Any = dict(params)
        elif _PARAMETER.search(query):
            args = {f"p{place}": value for place, value in enumerate(params, start=1)}
        else:
            args = list(params)
        return _guard(lambda: self.session.sql(_as_spark_writes(query), args=args or None))

    def workspace(self) -> "SparkEngine":
        """Open an engine over the same session."""
        return SparkEngine(self.session, self)

    def close(self) -> None:
        """Forget this engine's tables; the session goes on."""
        for frame in self._kept.values():
            frame.unpersist()
        self._own.clear()
        self._kept.clear()
        self._is_closed = True
        if self._parent is None:
            for name in self._bound:
                self.session.catalog.dropTempView(name)
            self._bound.clear()

    def _bind(self) -> None:
        """Let the session know the views that this engine sees, and no further ones."""
        visible = self._visible()
        for name, frame in visible.items():
            if self._bound.get(name) is not frame:
                frame.createOrReplaceTempView(name)
                self._bound[name] = frame
        for name in self._bound.keys() - visible.keys():
            self.session.catalog.dropTempView(name)
            del self._bound[name]

    def _visible(self) -> "dict[str, DataFrame]":
        return {**(self._parent._visible() if self._parent else {}), **self._own}


def _leaf(kept: "DataFrame") -> "DataFrame":
    """Read a kept frame as if it were a table of its own.

    A plan otherwise contains the plans of all tables that it was made of: those of `listeners` had
    read `loaded` 40 times, and analysing such plans took longer than running them. The rows can
    still be computed again if an executor is lost, which `localCheckpoint` could not.
    """
    from pyspark.sql.classic.dataframe import DataFrame

    session: Any = kept.sparkSession
    plan: Any = kept.select("*")
    rows = plan._jdf.queryExecution().toRdd()
    java = session._jsparkSession.internalCreateDataFrame(rows, plan._jdf.schema(), False)
    return DataFrame(java, session)


def map_in_arrow(frame: "DataFrame", function: BatchFunction, schema: "pa.Schema") -> "DataFrame":
    """Run a function over each partition of a frame, on the executors."""
    from pyspark.sql.pandas.types import from_arrow_schema

    def run(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        yield from function(batches)

    return frame.mapInArrow(run, from_arrow_schema(schema))


def _as_spark_writes(query: str) -> str:
    """Write `$name` as `:name`, `$1` as `:p1`, and backslashes in texts twice.

    `spark.sql.parser.escapedStringLiterals` would spare the backslashes, but with it Spark 4.3 cuts
    the value of a parameter at a quotation mark.
    """
    parts = _SPARED.split(query)
    for place, part in enumerate(parts):
        if place % 2 == 0:
            parts[place] = _PARAMETER.sub(
                lambda found: f":p{found[1]}" if found[1].isdigit() else f":{found[1]}", part
            )
        elif part.startswith("'"):
            inside = part[1:-1].replace("\\", r"\\").replace("''", r"\'")
            parts[place] = f"'{inside}'"
    return "".join(parts)


def _array(column: Any) -> npt.NDArray[Any]:
    """A column as numpy array, masked where it has NULL, as DuckDB gives it."""
    import pyarrow.compute as pc

    if not column.null_count:
        return np.asarray(column.to_numpy())
    mask = pc.is_null(column).to_numpy()
    kind = column.type.to_pandas_dtype()
    values = np.zeros(len(mask), dtype=object if kind in (str, np.str_, np.object_) else kind)
    values[~mask] = column.drop_null().to_numpy()
    return np.ma.MaskedArray(values, mask)


def _guard(work: Callable[[], T]) -> T:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException, PythonException

    try:
        return work()
    except PythonException as error:  # its last line names the error in our code
        raise QueryError(str(error).strip().splitlines()[-1]) from error
    except (PySparkException, Py4JError) as error:
        raise QueryError(str(error).splitlines()[0]) from error
