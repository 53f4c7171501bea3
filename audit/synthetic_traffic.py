"""Synthetic traffic: made-up listeners play against the dispatcher in process and leave a real log.

The listeners have no tastes. They send every kind of request that a client may send, at a few
microseconds each. So the traffic proves the pipeline (`segue doctor`, `segue replay`), and says
nothing about a strategy.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from core.allocation import SERVING, SLOTS, Arm, Experiment
from core.catalog import TrackId
from core.errors import NoCandidatesLeft
from core.request import ListenReport, Request
from core.rng import Stream
from engine.config_snapshots import save_snapshot
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.settings.model import HoldoutSettings, Settings
from engine.state import MemoryState
from events.writer import EventWriter

START_MS = 1_700_000_000_000
AT_ONCE = 30
"""Sessions under way at once."""
COUNTRIES = ("DE", "FR", "JP", "NL")


class Clock:
    """A clock of Unix time in ms that moves only when a caller sets it."""

    def __init__(self, at_ms: int = START_MS) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        return self.at_ms


class SyntheticTraffic:
    """A dispatcher with its own state store and a log in `folder`; a context manager.

    Args:
        runtime: The config that decides first.
        folder: Folder for the log.
        seed: Seed of all requests.
        start_ms: Unix time in ms of the first request.
        rotate_mb: Size in MB at which a new log file begins.
        plain: Whether the listeners send only what botify's simulator sends: requests for one
            track, and final feedback. If not, they use the whole API.
    """

    def __init__(
        self,
        runtime: Runtime,
        folder: Path,
        seed: int = 0,
        start_ms: int = START_MS,
        rotate_mb: float = 100,
        plain: bool = False,
    ) -> None:
        self.clock = Clock(start_ms)
        self.folder = folder
        self.log = EventWriter(folder, int(rotate_mb * 1_000_000), self.clock)
        state = MemoryState(10_000_000, 1e12, lambda: self.clock.at_ms / 1000)
        # Ids of the seed, because ids decide the draws: the same seed gives the same log.
        stem = f"{Stream(f'ids {seed} {start_ms}').word() >> 16:012x}"
        self.dispatcher = Dispatcher(runtime, state, self.log, ServerMetrics(), self.clock, stem)
        save_snapshot(runtime, folder)
        self._plain = plain
        self._stream = Stream(f"trial {seed}")
        self._played: dict[str, tuple[TrackId, float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.log.close()

    def swap(self, runtime: Runtime) -> None:
        """Replace the config that decides."""
        save_snapshot(runtime, self.folder)
        self.dispatcher.serve(runtime)

    def play(self, listeners: Iterable[int | str], sessions: int) -> int:
        """Play so many sessions, and return the number of events logged.

        Each session has a listener drawn from `listeners`; up to `AT_ONCE` are under way at once.
        """
        ids = list(listeners)
        stream = self._stream
        waiting = sessions
        under_way: list[int | str] = []
        before = self.log.lines
        while waiting or under_way:
            if waiting and len(under_way) < AT_ONCE:
                waiting -= 1
                user = ids[stream.below(len(ids))]
                if user not in under_way:
                    under_way.append(user)
            self.clock.at_ms += stream.below(20)
            position = stream.below(len(under_way))
            if self._step(under_way[position]):
                under_way[position] = under_way[-1]
                under_way.pop()
        return self.log.lines - before

    def _step(self, user: int | str) -> bool:
        """Send one request of a listener; return whether it ended the session."""
        stream = self._stream
        listener = str(user)
        last = self._played.pop(listener, None)
        attributes: dict[str, bool | int | float | str] | None = None
        if not self._plain:
            attributes = {"country": COUNTRIES[stream.below(len(COUNTRIES))]}
        luck = stream.uniform()
        if last is not None:
            track, time = last
            if luck < 0.15:
                report = ListenReport(
                    user=user, track=track, time=time, final=True, attributes=attributes
                )
                self.dispatcher.feedback(report, perf_counter())
                return True
            if luck < 0.20 and not self._plain:
                report = ListenReport(user=user, track=track, time=time, attributes=attributes)
                self.dispatcher.feedback(report, perf_counter())
                return False
            if luck < 0.205 and not self._plain:
                self.clock.at_ms += 60_000  # a silence of all listeners
        request = Request(
            user=user,
            track=last[0] if last else None,
            time=last[1] if last else None,
            attributes=attributes,
        )
        key = None
        if not self._plain:
            catalog = self.dispatcher.runtime.catalog
            if luck > 0.95:
                request.n = 1 + stream.below(5)
            elif luck > 0.9:
                request.exclude = (catalog.ids[stream.below(len(catalog))],)
            elif luck > 0.85:
                key = f"key {stream.word():x}"
            elif luck > 0.84 and last is not None:
                request.track = "nobody has this track"
        try:
            decision = self.dispatcher.recommend(request, perf_counter(), key)
        except NoCandidatesLeft:
            return False
        self._played[listener] = decision.tracks[0], _share_heard(stream)
        return False


def _share_heard(stream: Stream) -> float:
    """Draw the share heard: a skip, any share, or all of it; two decimals."""
    kind = stream.below(10)
    if kind < 3:
        return stream.below(15) / 100
    return 1.0 if kind > 6 else stream.below(101) / 100


def isolated_experiment(settings: Settings) -> tuple[Experiment, Settings]:
    """Return one experiment, and the config with that experiment alone for all listeners.

    It is the first one that names strategies and has two arms. If there is none, it compares the
    default with a second strategy of the config.
    """
    found = next((each for each in settings.experiments if _has_two_arms(each)), None)
    if found is None:
        names = [settings.default, *(name for name in settings.strategies)]
        second = next((name for name in names if name != names[0]), names[0])
        arms = (Arm("C", 50, names[0]), Arm("T1", 50, second))
        found = Experiment("doctor", arms, salt="doctor")
    experiment = replace(found, slots=(0, SLOTS), traffic=1.0, targeting={}, forced={})
    return experiment, replace(
        settings, experiments=(experiment,), holdout=HoldoutSettings(), watch=False
    )


def _has_two_arms(experiment: Experiment) -> bool:
    weighted = [arm for arm in experiment.arms if arm.weight]
    return experiment.layer == SERVING and len(weighted) == len(experiment.arms) > 1
