"""What every gate looks at: a log that was read, what should be in it, and where alarms begin."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import EXAMPLES, Example
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


@dataclass(frozen=True, slots=True)
class CheckContext:
    """A log and what is known of it.

    Attributes:
        log: The log that was read.
        definitions: What should have happened.
        limits: Where alarms begin.
        ours: Whether there are events of ours in the log.
        botify: Whether there are events of the predecessor in it.
        numbered: Experiment of the predecessor -> its arms in order and how that is known, once
            somebody asked.
    """

    log: EventLog
    definitions: ArchivedConfigs
    limits: Thresholds = field(default_factory=Thresholds)
    ours: bool = True
    botify: bool = False
    numbered: dict[str, tuple[tuple[str, ...], str] | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls, log: EventLog, definitions: ArchivedConfigs, limits: Thresholds | None = None
    ) -> "CheckContext":
        """A view, after a look at what formats there are; prepares what several gates ask for."""
        ours, botify = log.query(
            'SELECT coalesce(bool_or("schema" > 0), FALSE), coalesce(bool_or("schema" = 0), FALSE) '
            "FROM events"
        )[0]
        log.con.execute(_FIRST_SEEN)
        log.con.execute(_PROCESSES)
        return cls(log, definitions, limits or Thresholds(), bool(ours), bool(botify))

    def examples(self, rows: Sequence[tuple[Any, ...]], what: str) -> tuple[Example, ...]:
        """Examples from rows that begin with file and line; `what` is filled with the rest."""
        places = dict(self.log.query("SELECT file_id, path FROM files"))
        return tuple(
            Example(f"{places[file_id]}:{line}", what.format(*rest))
            for file_id, line, *rest in rows[:EXAMPLES]
        )


_PROCESSES = r"""
CREATE OR REPLACE TEMP TABLE processes AS
SELECT
    file_id,
    regexp_replace(
        regexp_extract(path, '[^/\\]*$'),
        '(-[0-9]{4,})?\.(jsonl|json|log)(\.[0-9]+)?(\.gz|\.zst)?$',
        ''
    ) AS process
FROM files
"""

_FIRST_SEEN = """
CREATE OR REPLACE TEMP TABLE first_seen AS
SELECT
    a.experiment,
    e."user",
    arg_min(a.arm, (e.at_ms, e.turn)) AS arm,
    count(DISTINCT a.arm) AS arms,
    min(e.at_ms) AS first_ms,
    arg_min(e.file_id, (e.at_ms, e.turn)) AS file_id,
    arg_min(e.config, (e.at_ms, e.turn)) AS config,
    count(*) AS events,
    count(*) FILTER (WHERE e.message = 'next') AS answers
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE NOT e.forced
GROUP BY a.experiment, e."user"
"""
