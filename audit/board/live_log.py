"""The report of a log that grows, made again when lines come and somebody looks."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.board.sources import BoardSources
from core.errors import InputError, SegueError
from engine.settings.loading import load_settings
from engine.settings.model import Settings
from events.config_snapshots import BESIDE, read_snapshot, snapshots_beside
from events.event_files import find_event_files

if TYPE_CHECKING:
    from analysis.live_report import LiveReport
    from analysis.report import ReportRequest

NO_EVENTS = "The log has no event of an experiment yet. The board shows the first one that comes."
THREADS = 1
"""Of the report's queries: the other cores are the server's."""
EXTRA = "pip install 'segue[analysis]'"


class LiveLog:
    """The report that `segue report` would make of the sources now.

    Args:
        sources: The log and its config.
    """

    def __init__(self, sources: BoardSources) -> None:
        self._sources = sources
        self._seen: object = None
        self._live: tuple[ReportRequest, LiveReport] | None = None
        self._settings: tuple[object, Settings | None] = (None, None)
        self._questions: dict[Path, Mapping[str, str]] = {}

    def has_changed(self) -> bool:
        """Say whether files of the log, configs beside it or the config file have changed."""
        return self._state() != self._seen

    def content(self) -> dict[str, Any]:
        """Make the content of a snapshot: the experiments, or the problem that hides them."""
        self._seen = self._state()
        try:
            return self._report()
        except ModuleNotFoundError as error:
            return problem(
                "no_analysis",
                f"The experiments need '{error.name}', which is not installed. Install it with: "
                f"{EXTRA}, and restart the server.",
            )
        except InputError as error:
            if _is_empty(error):
                return problem("no_events", NO_EVENTS)
            return problem("faulty_log", str(error))
        except SegueError as error:
            return problem("faulty_log", str(error))

    def _report(self) -> dict[str, Any]:
        # Not at the top: only an installation with the extra `analysis` has what it imports.
        from audit.board.snapshot import snapshot_of

        live = self._live_report()
        try:
            live.update()
            report = live.report()
        except BaseException:
            self._close()  # files may have been replaced: the next look reads them afresh
            raise
        return snapshot_of(report, self._read_questions())

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
            files = [(each.path, each.size) for each in find_event_files(self._sources.logs)]
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
