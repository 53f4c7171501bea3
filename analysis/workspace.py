"""A view of a log with temporary tables of its own."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy.typing as npt

from events.queries import NamedQuery, read_named
from events.reader import EventLog


class Workspace:
    """Temporary tables beside a log's own tables. Close it, or use `with`.

    Two workspaces over one log may both have a table `answers`, and neither reads the other's.

    Args:
        log: The log that was read. Closing it closes its workspaces too.
        tables: Files of the folder `analysis/sql/` with the named queries of temporary tables.
        params: The queries' parameters.
        shadows: Named queries to run first, with their parameters. A temporary table hides the
            log's table of its name.

    Attributes:
        log: The log.
        engine: The engine with the temporary tables.
    """

    def __init__(
        self,
        log: EventLog,
        tables: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        shadows: Sequence[tuple[NamedQuery, Mapping[str, Any] | None]] = (),
    ) -> None:
        self.log = log
        self.engine = log.engine.workspace()
        try:
            for query, values in shadows:
                self.engine.create(query, values or ())
            for name in tables:
                for query in read_named("analysis", name):
                    self.engine.create(query, params or ())
        except BaseException:
            self.close()
            raise

    def query(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.engine.rows(query, params)

    def one(self, query: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The single value of a query."""
        (row,) = self.query(query, params)
        return row[0]

    def arrays(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] = ()
    ) -> dict[str, npt.NDArray[Any]]:
        """The columns of a query, by name."""
        return self.engine.arrays(query, params)

    def close(self) -> None:
        """Drop the temporary tables."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
