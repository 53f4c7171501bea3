"""A connection to a log with temporary tables of its own."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy.typing as npt

from events.queries import read_query
from events.reader import EventLog


class Workspace:
    """Temporary tables beside a log's own tables. Close it, or use `with`.

    DuckDB keeps temporary tables by connection. Each workspace has a connection of its own, so two
    workspaces over one log may both have a table `answers`, and neither reads the other's.

    Args:
        log: The log that was read. Closing it closes its workspaces too.
        tables: Queries of the folder `analysis/sql/` that each create one temporary table.
        params: The queries' parameters.
        shadows: Queries to run first, with their parameters. A temporary table hides the log's
            table of its name.

    Attributes:
        log: The log.
        con: The connection.
    """

    def __init__(
        self,
        log: EventLog,
        tables: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        shadows: Sequence[tuple[str, Mapping[str, Any] | None]] = (),
    ) -> None:
        self.log = log
        self.con = log.con.cursor()
        try:
            for query, values in shadows:
                self.con.execute(query, values)
            for name in tables:
                self.con.execute(read_query("analysis", name), params)
        except BaseException:
            self.close()
            raise

    def query(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.con.execute(query, params or None).fetchall()

    def one(self, query: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The single value of a query."""
        (row,) = self.query(query, params)
        return row[0]

    def arrays(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] = ()
    ) -> dict[str, npt.NDArray[Any]]:
        """The columns of a query, by name."""
        return self.con.execute(query, params or None).fetchnumpy()

    def close(self) -> None:
        """Drop the temporary tables."""
        self.con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
