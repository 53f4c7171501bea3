"""The report of a log as an object: a notebook shows it as a page, and its tables are Arrow.

Importing this module loads nothing of Segue's analysis; a call of `report` does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from core.errors import InputError

if TYPE_CHECKING:
    import pyarrow

    from analysis.effects.results import Report
    from analysis.report import LogSelection
    from events.reader import EventLog

Moment = datetime | str | None
PAGE_HEIGHT_PX = 900
_LISTENERS = 'SELECT * FROM listeners ORDER BY experiment, "user"'
_SESSIONS = 'SELECT * FROM arm_sessions ORDER BY experiment, "user", started_ms, session'
_EVENTS = (
    "SELECT f.path, e.* EXCLUDE (file_id) FROM events AS e "
    "INNER JOIN files AS f ON e.file_id = f.file_id ORDER BY e.file_id, e.line"
)


def report(
    log: str | Path | Sequence[str | Path],
    *,
    config: str | Path | None = None,
    experiments: Sequence[str] = (),
    control: str | None = None,
    all_pairs: bool = False,
    segments: Sequence[str] = (),
    metrics: Mapping[str, Any] | None = None,
    primary: str | None = None,
    planned: int | None = None,
    since: Moment = None,
    until: Moment = None,
    gap_minutes: float = 30.0,
    catalog: str | Path | None = None,
    configs: Sequence[str | Path] = (),
    botify_arms: Mapping[str, Iterable[str]] | None = None,
    replay: bool | None = None,
    tolerate: Sequence[str] = (),
    even_if_invalid: bool = False,
) -> "LogReport":
    """Make the report that `segue report` makes; the arguments are its options.

    Args:
        log: An event file, a folder with event files, the URL of one, or several.
        config: Config with `planned:` and `report:`; `config.yaml` if it exists.
        experiments: Names of the experiments; all by default.
        control: Arm to compare with; by default the first of config, or C.
        all_pairs: Compare every arm with every other arm.
        segments: Attributes to divide the listeners by, `listener` (new or returning) or `day`.
        metrics: Further metrics: name -> SQL over the listener table.
        primary: Metric of the verdict; mean session time by default.
        planned: Planned listeners of all arms, fixed before the start.
        since: Only sessions that began then or later; without a zone, UTC.
        until: Only sessions that began before.
        gap_minutes: Silence that ends a session.
        catalog: Catalog, for artists; by default that of the log's config.
        configs: Folders of config snapshots that are not beside the log.
        botify_arms: Experiment of botify -> its arms, in the order of its numbers.
        replay: Whether every decision is made again; by default if the log is small.
        tolerate: Checks whose failure you have examined and accept.
        even_if_invalid: Show effects although a check failed.

    Raises:
        SegueError: The log, the config or an argument is faulty; the message says where and why.
    """
    from analysis.report import LogSelection, ReportRequest
    from audit.log_report import report_log, settings_of, with_settings
    from events.url_path import log_path

    since_ms, until_ms = _ms("since", since), _ms("until", until)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise InputError.one("until", f"must be after since, {since}, got {until}")
    several = [log] if isinstance(log, str | Path) else log
    selection = LogSelection(
        [log_path(path) for path in several], 60 * gap_minutes, since_ms, until_ms,
        None if catalog is None else Path(catalog), tuple(experiments), tuple(tolerate),
    )  # fmt: skip
    request = ReportRequest(
        metrics or {}, primary, control, all_pairs, tuple(segments), even_if_invalid, planned
    )
    request = with_settings(request, settings_of(None if config is None else Path(config)))
    command = f"segue.report({', '.join(repr(str(path)) for path in selection.logs)})"
    folders = [Path(path) for path in configs]
    found = report_log(selection, request, command, folders, botify_arms, replay)
    return LogReport(found, selection)


@dataclass(eq=False)
class LogReport:
    """A report, and the log behind it. In a notebook it shows itself as the page.

    `listeners`, `sessions` and `events` read the log again when they are first asked for; the log
    stays open in a temporary folder until `close`, or until the object is gone.

    Attributes:
        found: Everything in the report, as internal values that any version may change.
        selection: Which part of which logs it is about.
    """

    found: "Report"
    selection: "LogSelection"

    @property
    def valid(self) -> bool:
        """Say whether no check failed in any experiment."""
        return self.found.valid

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One sentence for each treatment of each experiment."""
        return tuple(verdict for each in self.found.experiments for verdict in each.verdicts)

    @cached_property
    def effects(self) -> "pyarrow.Table":
        """One row for each effect, as in `segue report --csv`; none of a withheld experiment."""
        import pyarrow as pa

        from analysis.rendering.effects_table import COLUMNS, effect_rows

        rows = effect_rows(self.found)
        return pa.table({name: [row[name] for row in rows] for name in COLUMNS})

    @cached_property
    def checks(self) -> "pyarrow.Table":
        """One row for each check of each experiment: name, status, figure, explanation."""
        import pyarrow as pa

        rows = [
            (each.experiment, check) for each in self.found.experiments
            for check in each.validity.checks
        ]  # fmt: skip
        return pa.table(
            {
                "experiment": [experiment for experiment, _ in rows],
                "check": [check.name for _, check in rows],
                "status": [check.status.value for _, check in rows],
                "figure": [check.figure for _, check in rows],
                "question": [check.question for _, check in rows],
                "explanation": [check.explanation for _, check in rows],
            }
        )

    @cached_property
    def listeners(self) -> "pyarrow.Table":
        """One row for each listener of each experiment who is in exactly one arm."""
        return self._table(_LISTENERS)

    @cached_property
    def sessions(self) -> "pyarrow.Table":
        """One row for each session of those listeners, with experiment and arm."""
        return self._table(_SESSIONS)

    @cached_property
    def events(self) -> "pyarrow.Table":
        """One row for each event of the log, with its file and line."""
        return self._table(_EVENTS)

    def to_html(self) -> str:
        """The page of `segue report --html`."""
        from analysis.rendering.page import page

        return page(self.found)

    def save(self, path: str | Path) -> None:
        """Write the report; the path's suffix says as what: .html, .csv, .md or .json.

        Raises:
            ValueError: The suffix is none of these.
        """
        from analysis.rendering.effects_table import to_csv, to_markdown
        from analysis.rendering.json_report import to_json

        target = Path(path)
        if target.suffix == ".html":
            content = self.to_html()
        elif target.suffix in (kinds := {".csv": to_csv, ".md": to_markdown, ".json": to_json}):
            content = kinds[target.suffix](self.found)
        else:
            raise ValueError(f"{path}: must end in .html, .csv, .md or .json")
        target.write_text(content, encoding="utf-8")

    def close(self) -> None:
        """Close the log, and delete its temporary folder."""
        if "_log" in self.__dict__:
            self.__dict__.pop("_log").close()

    def __enter__(self) -> "LogReport":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return "\n".join(
            f"{each.experiment}: {verdict}"
            for each in self.found.experiments
            for verdict in each.verdicts
        )

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its style stays out of the notebook."""
        return (
            f'<iframe srcdoc="{escape(self.to_html())}" '
            f'style="width:100%;height:{PAGE_HEIGHT_PX}px;border:0"></iframe>'
        )

    @cached_property
    def _log(self) -> "EventLog":
        from events.reader import open_log

        one = self.selection
        return open_log(one.logs, gap_s=one.gap_s, since_ms=one.since_ms, until_ms=one.until_ms)

    def _table(self, query: str) -> "pyarrow.Table":
        return self._log.engine.arrow(query)


def _ms(name: str, moment: Moment) -> int | None:
    """Unix time in ms of a time, or of a text such as 2026-11-01T12:00."""
    if moment is None:
        return None
    try:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError as error:
        raise InputError.one(
            name, f"must be a time as 2026-11-01 or 2026-11-01T12:00, got {moment!r}"
        ) from error
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
