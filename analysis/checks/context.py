"""What every gate looks at: a log that was read, what should be in it, and where alarms begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import EXAMPLES, Example
from analysis.workspace import Workspace
from events.reader import EventLog


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where alarms begin.

    Attributes:
        alarm_p: A p-value below this is an alarm; for sample ratios the gate of GrowthBook.
        dead_share: An arm whose own strategy gives less than this share of its answers is dead.
        fallback_share: A larger share of answers by fallbacks is a warning.
        parity_gap: Shares of arms that differ by less are no alarm, however sure.
        forced_share: A larger share of forced events is a warning.
        broken_share: More listens than this share that were not recommended, in a log of the
            predecessor, whose client plays what it is told: lines are missing.
        latency_ratio: p99 of an arm over that of the quickest; above it is a warning.
        forgotten_share: More first turns than this share of events, of listeners that the same
            process knew: state is lost between requests.
    """

    alarm_p: float = 0.001
    dead_share: float = 0.1
    fallback_share: float = 0.5
    parity_gap: float = 0.01
    forced_share: float = 0.05
    broken_share: float = 0.01
    latency_ratio: float = 2.0
    forgotten_share: float = 0.001


TABLES = ("first_seen", "processes", "session_chains", "botify_listens")


class CheckContext(Workspace):
    """A log, what is known of it, and what several checks ask of it. Close it, or use `with`.

    Its temporary tables and views are those of `TABLES`, each in a file of `analysis/sql/`.

    Args:
        log: The log that was read.
        configs: What should have happened.
        thresholds: Where alarms begin.

    Attributes:
        ours: Whether the log has events of ours.
        botify: Whether the log has events of botify's.
        numbered: Experiment of botify's -> its arms in order, and how that is known; filled when
            a check first needs it.
    """

    def __init__(
        self, log: EventLog, configs: ArchivedConfigs, thresholds: Thresholds | None = None
    ) -> None:
        super().__init__(log, TABLES)
        self.log = log
        self.configs = configs
        self.thresholds = thresholds or Thresholds()
        self.ours, self.botify = self.query(
            'SELECT coalesce(bool_or("schema" > 0), FALSE), coalesce(bool_or("schema" = 0), FALSE) '
            "FROM events"
        )[0]
        self.numbered: dict[str, tuple[tuple[str, ...], str] | None] = {}

    def has_ours(self, experiment: str) -> bool:
        """Whether an event of ours is in the experiment; a log may hold another server's too."""
        return bool(
            self.one(
                "SELECT count(*) FROM (SELECT 1 FROM events AS e "
                "INNER JOIN assignments AS a ON e.experiments = a.experiments "
                'WHERE a.experiment = ? AND e."schema" > 0 LIMIT 1)',
                [experiment],
            )
        )

    def examples(self, rows: Sequence[tuple[Any, ...]], what: str) -> tuple[Example, ...]:
        """Examples from rows that begin with file and line; `what` is filled with the rest."""
        places = dict(self.query("SELECT file_id, path FROM files"))
        return tuple(
            Example(f"{places[file_id]}:{line}", what.format(*rest))
            for file_id, line, *rest in rows[:EXAMPLES]
        )
