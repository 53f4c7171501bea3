"""The input of every check: a log, the configs that decided, and where alarms begin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import EXAMPLES, Example
from analysis.workspace import Workspace
from events.reader import EventLog


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The values at which alarms begin.

    Attributes:
        alarm_p: A p-value below this is an alarm. 0.001 is GrowthBook's limit for sample ratios.
        dead_share: An arm is dead if its own strategy gives less than this share of its answers.
        failing_share: An arm fails if a strategy raised in more than this share of its turns.
        degraded_share: More turns of an arm without the shared state are a failure.
        fallback_share: A larger share of answers by fallbacks is a warning.
        parity_gap: Shares of arms that differ by less are no alarm, however small the p-value.
        fallback_gap: Shares of fallbacks that differ by more between arms are a warning.
        forced_share: A larger share of forced events is a warning.
        broken_share: More than this share of listens of a track that was not recommended is a
            failure in botify's log and a warning in ours. Botify's client plays what is
            recommended; its honest `multi` runs have 0.25 to 0.75 %.
        not_told_share: In our log, a larger share of such listens is a failure.
        retried_share: More lines that a retried request wrote again are a failure: a server writes
            a line again only if it broke off between its state and its log.
        killed_turns: This many lines that another process wrote again for retried requests are no
            failure: a killed server leaves a batch of up to 256 turns without their answers.
        unclear_share: A larger share of botify's events without a known order is a failure.
        odd_share: A larger share of lines with an impossible time is a failure.
        latency_ratio: p99 of the slowest arm over that of the quickest; more is a warning.
        forgotten_share: State is lost between requests if more than this share of the events are
            first turns of listeners whom the same process knew.
    """

    alarm_p: float = 0.001
    dead_share: float = 0.1
    failing_share: float = 0.01
    degraded_share: float = 0.05
    fallback_share: float = 0.5
    fallback_gap: float = 0.1
    parity_gap: float = 0.01
    forced_share: float = 0.05
    broken_share: float = 0.01
    not_told_share: float = 0.5
    retried_share: float = 0.001
    killed_turns: int = 256
    unclear_share: float = 0.01
    odd_share: float = 0.01
    latency_ratio: float = 2.0
    forgotten_share: float = 0.001


TABLES = (
    "moments_seen",
    "first_seen",
    "analysed",
    "processes",
    "steps",
    "followed_listens",
    "sessions_begun",
    "session_turns",
    "session_chains",
    "first_listens",
)


class CheckContext(Workspace):
    """A log, what is known of it, and what several checks ask of it. Close it, or use `with`.

    Its temporary tables and views are those of `TABLES`, each in a file of `analysis/sql/`.

    Args:
        log: The log that was read.
        configs: The configs that decided: what should have happened.
        thresholds: Where alarms begin.
        tables: Those of `TABLES` that are made; all of them by default.

    Attributes:
        ours: Whether the log has events of ours.
        botify: Whether the log has events of botify's.
        numbered: Experiment of botify's -> its arms in order, and how that is known; filled when
            a check first needs it.
        abandoned_before: See `parity.abandoned_before`, which fills it.
    """

    def __init__(
        self,
        log: EventLog,
        configs: ArchivedConfigs,
        thresholds: Thresholds | None = None,
        tables: Sequence[str] = TABLES,
    ) -> None:
        super().__init__(log, tables)
        self.log = log
        self.configs = configs
        self.thresholds = thresholds or Thresholds()
        self.ours, self.botify = self.query(
            'SELECT coalesce(bool_or("schema" > 0), FALSE), coalesce(bool_or("schema" = 0), FALSE) '
            "FROM events"
        )[0]
        self.numbered: dict[str, tuple[tuple[str, ...], str] | None] = {}
        self.abandoned_before: int | None = None

    def has_ours(self, experiment: str) -> bool:
        """Say whether the experiment has an event of ours; a log may also have events of botify."""
        return bool(
            self.one(
                "SELECT count(*) FROM (SELECT 1 FROM events AS e "
                "INNER JOIN assignments AS a ON e.experiments = a.experiments "
                'WHERE a.experiment = ? AND e."schema" > 0 LIMIT 1)',
                [experiment],
            )
        )

    def examples(self, rows: Sequence[tuple[Any, ...]], what: str) -> tuple[Example, ...]:
        """Make examples of rows that begin with file and line; the other columns fill `what`."""
        places = dict(self.query("SELECT file_id, path FROM files"))
        return tuple(
            Example(f"{places[file_id]}:{line}", what.format(*rest))
            for file_id, line, *rest in rows[:EXAMPLES]
        )

    def find_examples(
        self, query: str, params: Sequence[Any] | Mapping[str, Any], what: str
    ) -> tuple[Example, ...]:
        """Make examples of the rows of a query; see `examples`."""
        return self.examples(self.query(query, params), what)
