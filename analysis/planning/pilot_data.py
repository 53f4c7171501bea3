"""Pilot data: listeners of a past log and their arrivals, to plan an experiment."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.effects.metrics import Metric
from analysis.statistics.sample_moments import SampleMoments, Values
from analysis.workspace import Workspace
from core.errors import InputError
from events.query_engine import QueryError
from events.reader import EventLog

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class PilotData:
    """Listeners of a past log, in the order of their ids.

    Attributes:
        users: Ids of the listeners.
        values: Metric -> float64, (listeners,), a listener's value, nan without one. For a ratio,
            the listener's term by the delta method.
        samples: Metric -> mean and variance of one listener's value.
        first_ms: int64, (listeners,), each listener's first event, Unix time in ms.
        end_ms: End of the log, Unix time in ms.
    """

    users: list[str]
    values: dict[str, Values]
    samples: dict[str, SampleMoments]
    first_ms: npt.NDArray[np.int64]
    end_ms: int

    def days_until(self, listeners: float, share: float) -> tuple[float, bool]:
        """Days until a number of different listeners has entered an experiment.

        Listeners come as in the log; after its end they come at the rate of its second half.

        Args:
            listeners: Number of listeners in the experiment.
            share: Share of all listeners who enter it, in (0, 1].

        Returns:
            Days (infinite if no new listener came in the second half), and whether they go beyond
            the log.
        """
        came = np.sort(self.first_ms)
        needed = int(np.ceil(listeners / share))
        if needed <= len(came):
            return float(came[needed - 1] - came[0]) / DAY_MS, False
        begin, end = int(came[0]), self.end_ms
        middle = (begin + end) / 2
        late = int((came > middle).sum())
        rate = late / max((end - middle) / DAY_MS, 1e-9)
        if not late:
            return float("inf"), True
        return (end - begin) / DAY_MS + (needed - len(came)) / rate, True


def read_pilot_data(log: EventLog, metrics: list[Metric], needed: str) -> PilotData:
    """Read the listeners of a past log, with their values of some metrics.

    Args:
        log: The past log.
        metrics: The metrics; those that are equal for all listeners are left out.
        needed: Name of the metric that must differ between listeners.

    Raises:
        InputError: A metric is no expression over the listeners, or no session ended.
    """
    with Workspace(log, ("pilot_listeners",)) as tables:
        return _pilot_data(tables, metrics, needed)


def _pilot_data(tables: Workspace, metrics: list[Metric], needed: str) -> PilotData:
    rows = tables.query('SELECT "user", first_ms FROM pilot_listeners ORDER BY "user"')
    if len(rows) < 2:
        raise InputError.one("LOG", f"must have 2 listeners with an ended session, has {len(rows)}")
    values: dict[str, Values] = {}
    samples = {}
    for metric in metrics:
        numerator = _numbers(tables, metric.value, metric.name)
        if metric.per is None:
            known = numerator[~np.isnan(numerator)]
            values[metric.name], samples[metric.name] = numerator, SampleMoments.of(known)
            continue
        denominator = _numbers(tables, metric.per, metric.name)
        there = ~np.isnan(numerator) & ~np.isnan(denominator)
        sample = SampleMoments.of_ratio(numerator[there], denominator[there])
        samples[metric.name], values[metric.name] = sample, numerator
        if sample.variance > 0:
            values[metric.name] = (
                sample.mean + (numerator - sample.mean * denominator) / denominator[there].mean()
            )
    for name in list(samples):
        if samples[name].variance > 0:
            continue
        if name == needed:
            raise InputError.one(
                f"--metric {name}",
                "must differ between the listeners of the log, but is equal for all",
            )
        del samples[name], values[name]
    return PilotData(
        [user for user, _ in rows],
        values,
        samples,
        np.array([first for _, first in rows], dtype=np.int64),
        tables.one("SELECT max(ended_ms) FROM sessions"),
    )


def _numbers(tables: Workspace, expression: str, name: str) -> Values:
    query = f'SELECT CAST(({expression}) AS DOUBLE) FROM pilot_listeners ORDER BY "user"'  # noqa: S608
    try:
        found = tables.arrays(query)
    except QueryError as error:
        raise InputError.one(
            f"--metric {name}", f"must be SQL over the listeners: {error}"
        ) from error
    (column,) = found.values()
    return np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)
