"""The checks that fail on a log with a known fault, and the replay of its decisions."""

from pathlib import Path

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.suite import run_checks
from audit.log_faults import CleanLog, LogLines, write
from audit.replay import Replayer
from engine.runtime import Runtime
from events.config_snapshots import snapshots_beside
from events.event_files import find_event_files
from events.merge import merge_events
from events.reader import open_log


class FaultDetector:
    """The checks of logs that are made from the trial's log.

    Args:
        folder: Folder for the logs; the trial's log is in `trial`.
        experiment: The experiment of the trial.
        runtime: The config that decided the trial.
    """

    def __init__(self, folder: Path, experiment: str, runtime: Runtime) -> None:
        self._folder = folder
        self._experiment = experiment
        self._runtime = runtime
        self._archived_configs = ArchivedConfigs.read(snapshots_beside([folder / "trial"]))

    def clean_log(self) -> CleanLog:
        """Read the trial's log, to inject faults into it."""
        archived = self._archived_configs.by_digest[self._runtime.digest]
        lines = merge_events(find_event_files([self._folder / "trial"]), lambda *_: None)
        events = [event for event, _ in lines]
        return CleanLog(events, archived, archived.experiments[self._experiment])

    def failing_checks(self, lines: LogLines, name: str) -> list[str]:
        """Name the checks that fail on a log."""
        folder = self._folder / name
        write(lines, folder)
        with open_log([folder]) as log:
            validity = run_checks(log, self._archived_configs, self._experiment)
        return [check.name for check in validity.failed]

    def replays(self, lines: LogLines, name: str) -> bool:
        """Test whether every decision of a log comes out the same in replay."""
        folder = self._folder / name
        write(lines, folder)
        replayer = Replayer(lambda _: self._runtime)
        for event, where in merge_events(find_event_files([folder]), replayer.result.skip):
            replayer.take(event, where)
        return replayer.finish().sound
