"""The query engine: whoever runs the SQL over a log's tables, DuckDB or Spark.

The engines understand one SQL text. Where they have no common expression, each has a function of
the same name (`duckdb_engine.py`, `spark_engine.py`; tests/events/test_query_engines.py holds them
equal).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy.typing as npt

from events.queries import NamedQuery

if TYPE_CHECKING:
    import pyarrow as pa

EngineName = Literal["duckdb", "spark"]

Params = Sequence[Any] | Mapping[str, Any]
"""Values of a query's parameters: a sequence for `?`, or $1, $2 ...; a mapping for `$name`."""

BatchFunction = Callable[[Iterator["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]
"""A function over the rows of a query, in batches; it may run in several processes at once."""


class QueryError(Exception):
    """A query that the engine refuses, or that fails; the message is the engine's first line."""


class QueryEngine(Protocol):
    """Tables of a log, and queries over them.

    Attributes:
        name: Which engine it is.
    """

    name: EngineName

    def create(self, query: NamedQuery, params: Params = ()) -> None:
        """Name the rows of a query; a table of this name in the same engine is replaced.

        Raises:
            QueryError: The query is faulty, as for all methods with a query.
        """

    def add(self, name: str, rows: "pa.Table") -> None:
        """Make a table of rows that Python has."""

    def remove(self, table: str, gone: str, keys: Sequence[str]) -> None:
        """Delete the rows of a table whose keys are among those of the table `gone`."""

    def drop(self, name: str) -> None:
        """Delete a table of this engine."""

    def rows(self, query: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as plain Python values."""

    def arrow(self, query: str, params: Params = ()) -> "pa.Table":
        """All rows of a query, as an Arrow table."""

    def arrays(self, query: str, params: Params = ()) -> dict[str, npt.NDArray[Any]]:
        """The columns of a query by name; masked arrays where values are NULL."""

    def map_batches(
        self, query: str, function: BatchFunction, schema: "pa.Schema", params: Params = ()
    ) -> "pa.Table":
        """Run a Python function over all rows of a query, where the rows are.

        Spark runs it on its executors, once for each partition. So the function sees a part of the
        rows, and what it yields is all that comes back.

        Args:
            query: The query.
            function: Takes the batches and yields batches of `schema`; it must be picklable.
            schema: Of the result.
            params: Of the query.
        """

    def workspace(self) -> "QueryEngine":
        """Open an engine over the same tables, with tables of its own that nobody else sees.

        A table of its own hides the log's table of that name.
        """

    def close(self) -> None:
        """Delete this engine's own tables."""
