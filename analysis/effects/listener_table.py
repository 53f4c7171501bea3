"""The listener table of one experiment: values of any metric, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.effects.metrics import Metric
from analysis.statistics.concentration import is_heavy
from analysis.statistics.sample_moments import SampleMoments, Values
from analysis.workspace import Workspace
from core.errors import InputError
from events.queries import NamedQuery, read_named
from events.query_engine import QueryError
from events.reader import EventLog


@dataclass(frozen=True, slots=True)
class Column:
    """One metric's values, by arm; listeners without a finite value are left out.

    Attributes:
        values: Arm -> float64, (listeners,), in the order of the listeners' ids.
        per: Arm -> denominators of a ratio, in the same order; None for a plain mean.
        rows: Arm -> row of each listener in the listener table.
        infinite: Arm -> rows of the listeners whose value is infinite or no number.
    """

    values: dict[str, Values]
    per: dict[str, Values] | None
    rows: dict[str, npt.NDArray[np.int64]]
    infinite: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def heaviest(self, arm: str) -> tuple[int, float] | None:
        """The row of the listener who holds most of an arm's denominator, and that share.

        Returns:
            None where no share is heavy, and for a plain mean: every listener has one part in it.
        """
        if self.per is None or not len(self.per[arm]) or not self.per[arm].sum() > 0:
            return None
        place = int(self.per[arm].argmax())
        share = float(self.per[arm][place] / self.per[arm].sum())
        return (int(self.rows[arm][place]), share) if is_heavy(share, len(self.per[arm])) else None

    def sample(self, arm: str, where: npt.NDArray[np.bool_] | None = None) -> SampleMoments:
        """Sum up an arm, or only the listeners for whom `where` (over the table) is true."""
        keep = slice(None) if where is None else where[self.rows[arm]]
        if self.per is None:
            return SampleMoments.of(self.values[arm][keep])
        return SampleMoments.of_ratio(self.values[arm][keep], self.per[arm][keep])


class ListenerTable(Workspace):
    """The listener table of one experiment. Close it, or use `with`.

    Its temporary tables are `listener_table` and `answers` (every answer that a listener got).

    Args:
        log: The log that was read.
        experiment: Name of the experiment.
        arms: Its arms, in the order in which a report shows them.
        until_ms: Count only sessions that began up to then, Unix time in ms, and their listeners.
    """

    def __init__(
        self, log: EventLog, experiment: str, arms: Sequence[str], until_ms: int | None = None
    ) -> None:
        super().__init__(
            log,
            ("listener_table", "answers"),
            {"experiment": experiment},
            () if until_ms is None else _only_until(experiment, until_ms),
        )
        self.experiment = experiment
        self.arms = tuple(arms)
        names = self._fetch("arm")
        self.arm_of = {arm: np.flatnonzero(names == arm) for arm in self.arms}
        self.count = len(names)

    def column(self, metric: Metric) -> Column:
        """Read the values of a metric.

        Raises:
            InputError: Its expression is no SQL over the listener table, or gives no number.
        """
        both = [self._doubles(expression, metric.name) for expression in (metric.value, metric.per)
                if expression]  # fmt: skip
        value, per = both[0].filled(np.nan), both[1].filled(np.nan) if metric.per else None
        known = np.logical_and.reduce([np.isfinite(each.filled(np.nan)) for each in both])
        given = ~np.logical_or.reduce([np.ma.getmaskarray(each) for each in both])
        rows = {arm: places[known[places]] for arm, places in self.arm_of.items()}
        return Column(
            {arm: value[places] for arm, places in rows.items()},
            None if per is None else {arm: per[places] for arm, places in rows.items()},
            rows,
            {arm: places[(given & ~known)[places]] for arm, places in self.arm_of.items()},
        )

    def name_of(self, row: int) -> str:
        """The id of the listener in this row."""
        return str(self._fetch('"user"')[row])

    def numbers(self, expression: str, name: str) -> Values:
        """Read one float64 per listener, nan for NULL, in the order of the listeners' ids.

        Raises:
            InputError: As for `column`.
        """
        return np.asarray(self._doubles(expression, name).filled(np.nan), dtype=np.float64)

    def labels(self, expression: str) -> npt.NDArray[np.object_]:
        """Read one text per listener, in the same order; NULL is "(none)"."""
        found = self._fetch(f"coalesce(CAST(({expression}) AS STRING), '(none)')")
        return np.asarray(found, dtype=object)

    def _doubles(
        self, expression: str, name: str
    ) -> "np.ma.MaskedArray[Any, np.dtype[np.float64]]":
        """One float64 per listener, masked for NULL.

        Raises:
            InputError: As for `column`.
        """
        try:
            found = self._fetch(f"CAST(({expression}) AS DOUBLE)")
        except QueryError as error:
            columns = ", ".join(
                row[0] for row in self.query("DESCRIBE listener_table") if row[0] != "arm"
            )
            raise InputError.one(
                f"metric {name}",
                f"must be an SQL expression over the listener table, got {expression!r}: {error}. "
                f"Its columns: {columns}",
            ) from error
        return np.ma.asarray(found, dtype=np.float64)

    def _fetch(self, expression: str) -> npt.NDArray[np.generic]:
        query = f'SELECT {expression} AS it FROM listener_table ORDER BY "user"'  # noqa: S608
        return self.arrays(query)["it"]


def _only_until(
    experiment: str, until_ms: int
) -> Sequence[tuple[NamedQuery, Mapping[str, int | str] | None]]:
    """Return queries that hide the log's sessions and listeners behind those up to a moment."""
    sessions = (
        "SELECT * FROM arm_sessions WHERE experiment = $experiment AND started_ms <= $until_ms"
    )
    params: dict[str, int | str] = {"experiment": experiment, "until_ms": until_ms}
    (listeners,) = read_named("events", "listener_sums")
    return (NamedQuery("table", "arm_sessions", sessions), params), (listeners, None)
