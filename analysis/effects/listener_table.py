"""The listener table of one experiment: values of any metric, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from analysis.effects.metrics import Metric
from analysis.statistics.sample_moments import SampleMoments, Values
from analysis.workspace import Workspace
from core.errors import InputError
from events.reader import EventLog


@dataclass(frozen=True, slots=True)
class Column:
    """One metric's values, by arm; listeners without a value are left out.

    Attributes:
        values: Arm -> float64, (listeners,), in the order of the listeners' ids.
        per: Arm -> denominators of a ratio, in the same order; None for a plain mean.
        rows: Arm -> row of each listener in the listener table.
    """

    values: dict[str, Values]
    per: dict[str, Values] | None
    rows: dict[str, npt.NDArray[np.int64]]

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
    """

    def __init__(self, log: EventLog, experiment: str, arms: Sequence[str]) -> None:
        super().__init__(log, ("listener_table", "answers"), {"experiment": experiment})
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
        value = self.numbers(metric.value, metric.name)
        per = self.numbers(metric.per, metric.name) if metric.per else None
        known = ~np.isnan(value) if per is None else ~np.isnan(value) & ~np.isnan(per)
        rows = {arm: places[known[places]] for arm, places in self.arm_of.items()}
        return Column(
            {arm: value[places] for arm, places in rows.items()},
            None if per is None else {arm: per[places] for arm, places in rows.items()},
            rows,
        )

    def numbers(self, expression: str, name: str) -> Values:
        """Read one float64 per listener, nan for NULL, in the order of the listeners' ids.

        Raises:
            InputError: As for `column`.
        """
        try:
            found = self._fetch(f"CAST(({expression}) AS DOUBLE)")
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            columns = ", ".join(
                row[0] for row in self.query("DESCRIBE listener_table") if row[0] != "arm"
            )
            raise InputError.one(
                f"metric {name}",
                f"must be an SQL expression over the listener table, got {expression!r}: {reason}. "
                f"Its columns: {columns}",
            ) from error
        values: Values = np.ma.filled(np.ma.asarray(found, dtype=np.float64), np.nan)
        return values

    def labels(self, expression: str) -> npt.NDArray[np.object_]:
        """Read one text per listener, in the same order; NULL is "(none)"."""
        found = self._fetch(f"coalesce(CAST(({expression}) AS VARCHAR), '(none)')")
        return np.asarray(found, dtype=object)

    def _fetch(self, expression: str) -> npt.NDArray[np.generic]:
        query = f'SELECT {expression} AS it FROM listener_table ORDER BY "user"'  # noqa: S608
        return self.arrays(query)["it"]
