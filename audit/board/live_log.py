"""The report of a log that grows, made again when lines come and somebody looks."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from audit.board.sources import BoardSources
from core.errors import InputError, SegueError
from engine.settings.loading import load_settings
from engine.settings.model import Settings
from events.config_snapshots import BESIDE, read_snapshot, snapshots_beside
from events.event_files import find_event_files

if TYPE_CHECKING:
    from analysis.effects.results import Report
    from analysis.live_report import LiveReport
    from analysis.new_lines import KnownLines, NewLines
    from analysis.report import ReportRequest

NO_EVENTS = "The log has no event of an experiment yet. The board shows the first one that comes."
THREADS = 1
"""Of the report's queries: the other cores are the server's."""
EXTRA = "pip install 'segue[analysis]'"
QUICK_S = 0.4
"""A log that takes longer to judge would show a broken line two seconds late, or later."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A report, with what belongs to it.

    Attributes:
        report: The report.
        questions: Experiment -> its question.
        configured: The experiments of the config file; None without a file that can be read.
        known: Its lines.
        took_s: How long the report took.
    """

    report: "Report"
    questions: Mapping[str, str]
    configured: Collection[str] | None
    known: "KnownLines"
    took_s: float


class LiveLog:
    """The report that `segue report` would make of the sources now.

    `judge` makes it, in one thread. `content` and `alarm` take no time that grows with the log;
    they may belong to several threads if no two of them run at once.

    Args:
        sources: The log and its config.
        quick_s: A log that is judged in less time is judged every second, so `alarm` leaves it to
            `judge`.
    """

    def __init__(self, sources: BoardSources, quick_s: float = QUICK_S) -> None:
        self._sources, self._quick_s = sources, quick_s
        self._seen: object = None
        self._live: tuple[ReportRequest, LiveReport] | None = None
        self._judged: _Judged | dict[str, Any] = problem("no_events", NO_EVENTS)
        self._shown: _Judged | None = None
        self._new_lines: NewLines | None = None
        self._alarms: set[tuple[str | None, str]] = set()
        self._settings: tuple[object, Settings | None] = (None, None)
        self._questions: dict[Path, Mapping[str, str]] = {}

    def has_changed(self) -> bool:
        """Say whether files of the log, configs beside it or the config file have changed."""
        return self._state() != self._seen

    def judge(self) -> None:
        """Make the report of all lines, or find the problem that hides the experiments."""
        self._seen = self._state()
        try:
            self._judged = self._report()
        except ModuleNotFoundError as error:
            self._judged = problem(
                "no_analysis",
                f"The experiments need '{error.name}', which is not installed. Install it with: "
                f"{EXTRA}, and restart the server.",
            )
        except InputError as error:
            code = "no_events" if _is_empty(error) else "faulty_log"
            self._judged = problem(code, NO_EVENTS if _is_empty(error) else str(error))
        except SegueError as error:
            self._judged = problem("faulty_log", str(error))

    def content(self) -> dict[str, Any]:
        """Make the content of a snapshot of what was judged, with what the newest lines break."""
        if isinstance(self._judged, dict):
            self._shown = None
            return self._judged
        # Not at the top: only an installation with the extra `analysis` has what they import.
        from analysis.new_lines import withhold
        from audit.board.snapshot import snapshot_of

        judged, new_lines = self._judged, self._new_lines
        assert new_lines is not None
        if judged is not self._shown:
            self._shown = judged
            new_lines.go_on_from(judged.known)
        failures = new_lines.failures()
        self._alarms = set(failures)
        return snapshot_of(withhold(judged.report, failures), judged.questions, judged.configured)

    def alarm(self) -> dict[str, Any] | None:
        """Make a content at once if the newest lines break more than is shown; else None."""
        if self._shown is None or self._shown.took_s < self._quick_s:
            return None
        assert self._new_lines is not None
        return self.content() if self._new_lines.failures().keys() - self._alarms else None

    def _report(self) -> _Judged:
        began_s = monotonic()
        live = self._live_report()
        try:
            live.update()
            report = live.report()
            if self._new_lines is None:
                self._new_lines = live.new_lines()
        except BaseException:
            self._close()  # files may have been replaced: the next look reads them afresh
            raise
        took_s = monotonic() - began_s
        settings = self._settings[1]
        configured = None if settings is None else {each.name for each in settings.experiments}
        return _Judged(report, self._read_questions(), configured, live.known_lines(), took_s)

    def _live_report(self) -> "LiveReport":
        """Keep one report that reads new lines alone; begin again when the request changes."""
        from analysis.report import LogSelection
        from audit.log_report import live_report

        request = self._request()
        if self._live is None or self._live[0] != request:
            self._close()
            selection = LogSelection(self._sources.logs)
            folders = self._sources.folders
            live = live_report(selection, request, "segue board", folders, threads=THREADS)
            self._live = request, live
        return self._live[1]

    def close(self) -> None:
        """Delete the tables and free the memory."""
        self._close()
        if self._new_lines is not None:
            self._new_lines.close()

    def _close(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live[1].close()

    def _request(self) -> "ReportRequest":
        from analysis.report import ReportRequest
        from audit.log_report import with_settings

        return with_settings(ReportRequest(), self._read_settings())

    def _read_settings(self) -> Settings | None:
        """Load the config file when it changes; while it is faulty, the one before counts."""
        path = self._sources.config
        if path is None:
            return None
        state = _stat(path)
        if state != self._settings[0]:
            try:
                self._settings = state, load_settings(path)
            except SegueError:
                self._settings = state, self._settings[1]
        return self._settings[1]

    def _read_questions(self) -> Mapping[str, str]:
        """Read the questions of all experiments; the newest config counts, then the file."""
        paths = snapshots_beside(
            [log for log in self._sources.logs if log.exists()], self._sources.folders
        )
        found: dict[str, str] = {}
        for path in sorted(paths.values(), key=lambda path: path.stat().st_mtime):
            if path not in self._questions:
                try:
                    beside = read_snapshot(path).get(BESIDE, {})
                except InputError:
                    continue  # the check `config` tells
                self._questions[path] = beside.get("questions", {})
            found |= self._questions[path]
        settings = self._settings[1]
        return found if settings is None else {**found, **settings.questions}

    def _state(self) -> object:
        try:
            files = [
                (each.path, each.size, each.inode, each.changed_ns)
                for each in find_event_files(self._sources.logs)
            ]
        except InputError:
            files = []
        config = None if self._sources.config is None else _stat(self._sources.config)
        return files, config


def problem(code: str, message: str) -> dict[str, Any]:
    """Return the content of a snapshot without experiments."""
    return {
        "log": {"lines": 0, "files": 0, "until_ms": None},
        "problem": {"code": code, "message": message},
        "experiments": [],
    }


def _is_empty(error: InputError) -> bool:
    """Tell a log without an event yet from a faulty one."""
    empty = (
        "has no event files", "is not there", "the log is empty",
        "must have an event in an experiment",
    )  # fmt: skip
    return all(fault.what.startswith(empty) for fault in error.faults)


def _stat(path: Path) -> object:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
