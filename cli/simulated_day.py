"""Simulated days for the loop that learns: sessions against the config as it serves each day."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.listener import History
    from core.progress import Progress
    from simulator.simulation.options import SimulationOptions
    from strategies.base import Artifacts


class SimulatedDays:
    """One world's days, in order, in this process.

    Listeners remember from day to day, and so does the server that they play against: a reload
    takes its histories over.

    Args:
        options: The world, the config, and the sessions of a day.
        progress: Shows how the world is loaded.
        now_ms: Unix time in ms; day N is N days later in the log. None for the system's clock.

    Attributes:
        episodes: Sessions of a day, for listeners without an activity of their own.
    """

    def __init__(
        self,
        options: "SimulationOptions",
        progress: "Progress",
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        from simulator.listeners.lifelong import make_listeners
        from simulator.simulation.plan import plan_simulation

        plan = plan_simulation(options, progress)
        self.episodes = options.episodes
        self._options = options
        self._world = plan.world
        self._listeners = make_listeners(plan.listener, plan.world, plan.near, options.seed)
        self._now_ms = now_ms
        self._histories: dict[int, History] = {}
        self._known: Artifacts | None = None

    def play(self, day: int, progress: "Progress") -> None:
        """Play the sessions of a day against the config as it is now, into its event log."""
        from engine.runtime import load_runtime
        from engine.settings.loading import load_settings
        from simulator.play.in_process_runner import SLOTS, InProcessRunner
        from simulator.recommenders.in_process import DispatcherRecommender, open_log

        settings = load_settings(self._options.config)
        runtime = load_runtime(settings, self._known)
        self._known = runtime.artifacts
        log = open_log(runtime, settings.resolve(settings.events.dir))
        player = DispatcherRecommender(
            runtime,
            self._world,
            self._options.seed,
            SLOTS,
            log,
            self._now_ms,
            histories=self._histories,
        )
        sessions = self._listeners.plan_day(day, self.episodes)
        progress.start(f"day {day + 1}: sessions", len(sessions))
        try:
            InProcessRunner(self._listeners, player).play(sessions, progress.advance)
        finally:
            log.close()


def world_folder(config: Path) -> Path:
    """Return the folder of a config's catalog, where its world lies too."""
    from engine.settings.loading import load_settings

    settings = load_settings(config)
    return settings.resolve(settings.catalog.tracks).parent
