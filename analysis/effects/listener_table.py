"""The listener table of one experiment: sums of any metric, made where the listeners are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from analysis.effects.metrics import Metric
from analysis.statistics.concentration import is_heavy
from analysis.statistics.cuped import PastSums
from analysis.statistics.listener_sums import ListenerSums
from analysis.statistics.sample_moments import SampleMoments, Values
from analysis.workspace import Workspace
from core.errors import InputError
from events.queries import NamedQuery, read_named, read_query
from events.query_engine import QueryError
from events.reader import EventLog


@dataclass(frozen=True, slots=True)
class Column:
    """One metric's sums, by arm; listeners without a finite value are left out.

    Attributes:
        metric: The metric.
        sums: Arm -> its sums.
        ended: Arm -> listeners with a value and an ended session.
        infinite: Arm -> listeners whose value is infinite or no number, and the first of their ids.
        heaviest: Arm -> the listener who holds most of its denominator, and that share; only where
            the share is heavy. A plain mean has none: every listener has one part in it.
        digits: Digits behind the point to which x and y are rounded.
        adjusted: Arm -> moments that are adjusted by the past; None for those of the sums.
    """

    metric: Metric
    sums: dict[str, ListenerSums]
    ended: dict[str, int]
    infinite: dict[str, tuple[int, str]]
    heaviest: dict[str, tuple[str, float]]
    digits: tuple[int, int] = (9, 9)
    adjusted: dict[str, SampleMoments] | None = None

    def sample(self, arm: str) -> SampleMoments:
        """Moments of an arm."""
        if self.adjusted is not None:
            return self.adjusted[arm]
        return moments_of(self.metric, self.sums[arm])


def moments_of(metric: Metric, sums: ListenerSums) -> SampleMoments:
    """Moments of a metric from its sums: a mean, or a ratio of totals."""
    return sums.ratio if metric.per else sums.mean


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
        counts = dict(self.query("SELECT arm, count(*) FROM listener_table GROUP BY arm"))
        self.counts = {arm: int(counts.get(arm, 0)) for arm in self.arms}
        self.count = sum(map(int, counts.values()))

    def column(self, metric: Metric) -> Column:
        """Sum up a metric.

        Raises:
            InputError: Its expression is no SQL over the listener table, or gives no number.
        """
        query = read_query("analysis", "metric_values")
        rows = self._of_metric(metric, query)
        largest = [max((abs(row[place] or 0.0) for row in rows), default=0.0) for place in (5, 6)]
        digits = (_digits(largest[0]), _digits(largest[1]))
        found = Column(
            metric,
            {arm: sums for (_, arm), sums in self.sums(metric, digits).items()},
            {arm: int(ended) for arm, _, ended, *_ in rows},
            {arm: (int(count), str(user)) for arm, _, _, count, user, *_ in rows if count},
            {
                arm: (str(user), most / total)
                for arm, n, _, _, _, _, most, total, user in rows
                if metric.per and total and total > 0 and is_heavy(most / total, n)
            },
            digits,
        )
        for arm in self.arms:
            found.sums.setdefault(arm, ListenerSums(x_digits=digits[0], y_digits=digits[1]))
            found.ended.setdefault(arm, 0)
        return found

    def sums(
        self,
        metric: Metric,
        digits: tuple[int, int],
        label: str = "''",
        source: str = "listener_table",
    ) -> dict[tuple[str, str], ListenerSums]:
        """Sum up a metric by label and arm.

        Args:
            metric: The metric.
            digits: Digits behind the point, from `column`.
            label: SQL over `source`.
            source: The listener table, or a query of it with more columns.
        """
        query = read_query("analysis", "metric_sums")
        scale = {"x_unit": repr(10.0 ** digits[0]), "y_unit": repr(10.0 ** digits[1])}
        rows = self._of_metric(metric, query, label=label, source=source, **scale)
        return {
            (str(name), arm): ListenerSums(
                int(n), int(x), int(xx), int(y), int(xy), int(yy), digits[0], digits[1]
            )
            for name, arm, n, x, xx, y, xy, yy in rows
        }

    def past_sums(self, column: Column) -> dict[str, PastSums]:
        """Arm -> sums of a metric's values and of mean session time before the experiment."""
        query, (digits, _) = read_query("analysis", "past_sums"), column.digits
        rows = self._of_metric(column.metric, query, x_unit=repr(10.0**digits), y_unit="1.0")
        unit, past = Fraction(10) ** -digits, Fraction(10) ** -9
        found = {
            arm: PastSums(
                n, y * unit, yy * unit**2, known, (x or 0) * past, (xx or 0) * past**2,
                (xy or 0) * past * unit, (without or 0) * unit,
            )
            for arm, n, y, yy, known, x, xx, xy, without in (
                (row[0], *(int(each or 0) for each in row[1:])) for row in rows
            )
        }  # fmt: skip
        zero = Fraction()
        nothing = PastSums(0, zero, zero, 0, zero, zero, zero, zero)
        return {arm: found.get(arm, nothing) for arm in self.arms}

    def values(self, metric: Metric, arm: str) -> Values:
        """Fetch an arm's values, a float64 for each listener with one, in the order of the ids."""
        query = read_query("analysis", "metric_of_arm")
        return np.asarray(
            [row[0] for row in self._of_metric(metric, query, [arm])], dtype=np.float64
        )

    def count_labels(self, label: str, source: str) -> dict[str, int]:
        """Label -> number of listeners; NULL is "(none)"."""
        query = (
            f"SELECT coalesce(CAST(({label}) AS STRING), '(none)') AS named, count(*) "  # noqa: S608
            f"FROM {source} GROUP BY named"
        )
        return {str(name): int(count) for name, count in self.query(query)}

    def name_attribute(self, attribute: str) -> str:
        """Make a query of the listener table with the column `segment_label`: an attribute."""
        params = {"name": attribute.replace('"', ""), "experiment": self.experiment}
        (labels,) = read_named("analysis", "first_attributes")
        self.engine.create(labels, params)
        return f"({read_query('analysis', 'labelled_listeners')})"

    def _of_metric(
        self, metric: Metric, query: str, params: Sequence[Any] = (), **values: str
    ) -> list[tuple[Any, ...]]:
        """Run a query over a metric's values.

        Raises:
            InputError: As for `column`.
        """
        text = query.format(value=metric.value, per=metric.per or "1.0", **values)
        try:
            return self.query(text, params)
        except QueryError as error:
            columns = ", ".join(
                row[0] for row in self.query("DESCRIBE listener_table") if row[0] != "arm"
            )
            raise InputError.one(
                f"metric {metric.name}",
                f"must be an SQL expression over the listener table, got {metric.value!r}: "
                f"{error}. Its columns: {columns}",
            ) from error


def _digits(largest: float) -> int:
    """Digits behind the point that sums of squares of such numbers can have.

    A DECIMAL has 38 digits: with nine digits behind the point, numbers up to 100,000 leave room for
    the squares of ten billion listeners. Times are whole billionths, so they lose nothing.
    """
    if not largest or 1e-3 <= largest <= 1e5:
        return 9
    return max(-300, min(300, 14 - math.ceil(math.log10(largest))))


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
