"""Judging planted logs: which gates fail, the replay of every decision among them."""

from pathlib import Path
from typing import TYPE_CHECKING

from audit.replay import Replayer
from engine.runtime import Runtime
from events.config_snapshots import snapshots_beside
from events.event_files import find_event_files
from events.merge import merge_events

if TYPE_CHECKING:
    from audit.log_faults import CleanLog, LogLines


class FaultDetector:
    """Judges logs that were made of the trial's.

    Args:
        folder: Where logs may be written; the trial's is in `trial`.
        experiment: The experiment that the trial tried.
        runtime: The config that decided it.
    """

    def __init__(self, folder: Path, experiment: str, runtime: Runtime) -> None:
        from analysis.checks.archived_configs import ArchivedConfigs

        self._folder = folder
        self._experiment = experiment
        self._serving = runtime
        self._definitions = ArchivedConfigs.read(snapshots_beside([folder / "trial"]))

    def sound(self) -> "CleanLog":
        """The trial's log, to plant faults into."""
        from audit.log_faults import CleanLog

        deciding = self._definitions.deciding[self._serving.digest]
        lines = merge_events(find_event_files([self._folder / "trial"]), lambda *_: None)
        events = [event for event, _ in lines]
        return CleanLog(events, deciding, deciding.experiments[self._experiment])

    def failed(self, written: "LogLines", name: str) -> list[str]:
        """Names of the gates that fail on a log."""
        from analysis.checks.suite import run_checks
        from audit.log_faults import write
        from events.reader import open_log

        folder = self._folder / name
        write(written, folder)
        with open_log([folder]) as log:
            certificate = run_checks(log, self._definitions, self._experiment)
        return [gate.name for gate in certificate.failed]

    def replays(self, written: "LogLines", name: str) -> bool:
        """Whether every decision of a log comes out the same."""
        from audit.log_faults import write

        folder = self._folder / name
        write(written, folder)
        replayer = Replayer(lambda _: self._serving)
        for event, where in merge_events(find_event_files([folder]), replayer.result.skip):
            replayer.take(event, where)
        return replayer.finish().sound
