"""The report of a log that grows: fed with new lines, it says what `segue report` would say now."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.suite import MoreChecks
from analysis.effects.results import Report
from analysis.new_lines import KnownLines, NewLines
from analysis.report import LogSelection, ReportRequest, report_of
from core.catalog import Catalog, load_catalog
from core.errors import InputError
from events.duckdb_loader import MEMORY_MB
from events.growing_log import GrowingLog


class LiveReport:
    """The report of event files to which a server appends. Close it, or use `with`.

        with LiveReport(selection, request, read_configs, version, "segue board") as live:
            while watching:
                if live.update():           # reads the new lines, and nothing else
                    show(live.report())     # equals `segue report` over the same lines

    `report` equals `make_report` over the lines that `update` has read, in every number and
    sentence; only the command line of the provenance is the caller's. The lines are the whole ones:
    a last line without its end is still being written, and waits for the next `update`.

    Cost, on one core that does nothing else: `update` takes 2 to 3 us for each new line, whatever
    the log's size. `report` makes sessions, listeners, checks and effects of all lines again: some
    0.4 s, and 6 us for each line of the log (1 s at 100,000 lines, 7 s at a million). So call
    `update` as often as you like, and `report` no more often than its own duration allows.

    The object belongs to one thread. A `Report` is plain values, which any thread may read.

    Args:
        selection: What is read. It must have no time window.
        request: What the reader wants to know.
        read_configs: Reads the configs that decided; it is called for each report, because a server
            that reloads its config keeps a new snapshot beside its log.
        version: Of Segue, for the report's provenance.
        command: The command line, for the report's provenance.
        more: Checks of the caller's own.
        threads: Threads of DuckDB; all cores by default.
        memory_mb: Memory that DuckDB may use; it spills to the disk beyond that.

    Raises:
        InputError: The selection has a time window, or the request is faulty.
    """

    def __init__(
        self,
        selection: LogSelection,
        request: ReportRequest,
        read_configs: Callable[[], ArchivedConfigs],
        version: str,
        command: str,
        more: MoreChecks | None = None,
        *,
        threads: int | None = None,
        memory_mb: int = MEMORY_MB,
    ) -> None:
        if selection.since_ms is not None or selection.until_ms is not None:
            raise InputError.one(
                "time window", "must be absent: a live report reads a log to its end. Leave it out"
            )
        for name in selection.experiments or [""]:
            request.options_for(name)
        self._selection, self._request = selection, request
        self._read_configs, self._version, self._command = read_configs, version, command
        self._more, self._threads = more, threads
        self._catalog: tuple[Path, Catalog] | None = None
        self._made: Report | None = None
        self._log = GrowingLog(
            selection.logs, gap_s=selection.gap_s, threads=threads, memory_mb=memory_mb
        )

    def update(self) -> bool:
        """Read the lines that were appended; return whether the report may be different now.

        Raises:
            InputError: A path is missing or unreadable, or a folder has no event file yet.
        """
        if not self._log.read():
            return False
        self._made = None
        return True

    def report(self) -> Report:
        """Make the report of all lines that were read; the same object until lines are added.

        Raises:
            InputError: As for `make_report`, for instance: there is no event in an experiment yet.
        """
        if self._made is None:
            archived_configs = self._read_configs()
            log = self._log.tables(self._load_catalog(archived_configs))
            self._made = report_of(
                log,
                self._selection,
                self._request,
                archived_configs,
                self._version,
                self._command,
                more=self._more,
            )
        return self._made

    def known_lines(self) -> KnownLines:
        """Say which lines `report` has counted, for `NewLines.go_on_from`."""
        return KnownLines(self._log.places(), np.sort(self._log.marks()["mark"]))

    def new_lines(self) -> NewLines:
        """Make a look at the lines behind these; it may belong to a thread of its own."""
        return NewLines(self._selection.logs, self._read_configs, self._threads)

    def close(self) -> None:
        """Delete the tables and free the memory."""
        self._log.close()

    def __enter__(self) -> "LiveReport":
        return self

    def __exit__(self, *of: object) -> None:
        self.close()

    def _load_catalog(self, archived_configs: ArchivedConfigs) -> Catalog | None:
        """Load the catalog once; None if no config names one that is there."""
        path = self._selection.catalog or archived_configs.find_catalog()
        if path is None:
            return None
        if self._catalog is None or self._catalog[0] != path:
            self._catalog = path, load_catalog(path)
        return self._catalog[1]
