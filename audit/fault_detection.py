"""Judging planted logs: which gates fail, the replay of every decision among them."""

from pathlib import Path
from typing import TYPE_CHECKING

from audit.replay import Replayer
from engine.runtime import Serving
from events.config_snapshots import kept_beside
from events.event_files import find
from events.merge import in_order

if TYPE_CHECKING:
    from audit.log_faults import Sound, Written


class Judge:
    """Judges logs that were made of the trial's.

    Args:
        folder: Where logs may be written; the trial's is in `trial`.
        experiment: The experiment that the trial tried.
        serving: The config that decided it.
    """

    def __init__(self, folder: Path, experiment: str, serving: Serving) -> None:
        from analysis.checks.archived_configs import Definitions

        self._folder = folder
        self._experiment = experiment
        self._serving = serving
        self._definitions = Definitions.read(kept_beside([folder / "trial"]))

    def sound(self) -> "Sound":
        """The trial's log, to plant faults into."""
        from audit.log_faults import Sound

        deciding = self._definitions.deciding[self._serving.digest]
        lines = in_order(find([self._folder / "trial"]), lambda *_: None)
        events = [event for event, _ in lines]
        return Sound(events, deciding, deciding.experiments[self._experiment])

    def failed(self, written: "Written", name: str) -> list[str]:
        """Names of the gates that fail on a log."""
        from analysis.checks.suite import check
        from audit.log_faults import write
        from events.reader import open_log

        folder = self._folder / name
        write(written, folder)
        with open_log([folder]) as log:
            certificate = check(log, self._definitions, self._experiment)
        return [gate.name for gate in certificate.failed]

    def replays(self, written: "Written", name: str) -> bool:
        """Whether every decision of a log comes out the same."""
        from audit.log_faults import write

        folder = self._folder / name
        write(written, folder)
        replayer = Replayer(lambda _: self._serving)
        for event, where in in_order(find([folder]), replayer.tally.skip):
            replayer.take(event, where)
        return replayer.finish().sound
