"""A trial run: made-up listeners play against the dispatcher in process, and leave a real log.

No model of taste, only requests of every kind that a client may send, at a few microseconds each:
for proving the pipeline (`segue doctor`, `segue replay`), not for judging a strategy.
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
"""Sessions that run at a time."""
COUNTRIES = ("DE", "FR", "JP", "NL")


class Clock:
    """Unix time in ms that only moves when told to."""

    def __init__(self, at_ms: int = START_MS) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        return self.at_ms


class SyntheticTraffic:
    """A dispatcher with a memory of its own and a log in `folder`; a context manager.

    Args:
        runtime: What decides at first.
        folder: Where the log goes.
        seed: Of all that the listeners do.
        start_ms: When it begins, Unix time in ms.
        rotate_mb: Size from which a new log file begins.
        plain: Whether the listeners only ask for one track and say when they leave, as the
            predecessor's simulator does; otherwise they use all that the API has.
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
        self.dispatcher = Dispatcher(runtime, state, self.log, ServerMetrics(), self.clock)
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
        """Let another config decide from now on."""
        save_snapshot(runtime, self.folder)
        self.dispatcher.serve(runtime)

    def play(self, listeners: Iterable[int | str], sessions: int) -> int:
        """Play until so many sessions are over; the number of events that it took.

        Every session has a listener drawn from `listeners`; some run at a time.
        """
        pool = list(listeners)
        stream = self._stream
        waiting = sessions
        going: list[int | str] = []
        before = self.log.lines
        while waiting or going:
            if waiting and len(going) < AT_ONCE:
                waiting -= 1
                user = pool[stream.below(len(pool))]
                if user not in going:
                    going.append(user)
            self.clock.at_ms += stream.below(20)
            position = stream.below(len(going))
            if self._step(going[position]):
                going[position] = going[-1]
                going.pop()
        return self.log.lines - before

    def _step(self, user: int | str) -> bool:
        """One request of a listener; whether that ended the session."""
        stream = self._stream
        unit = str(user)
        played = self._played.pop(unit, None)
        attributes: dict[str, bool | int | float | str] | None = None
        if not self._plain:
            attributes = {"country": COUNTRIES[stream.below(len(COUNTRIES))]}
        luck = stream.uniform()
        if played is not None:
            track, time = played
            if luck < 0.15:
                heard = ListenReport(
                    user=user, track=track, time=time, final=True, attributes=attributes
                )
                self.dispatcher.feedback(heard, perf_counter())
                return True
            if luck < 0.20 and not self._plain:
                heard = ListenReport(user=user, track=track, time=time, attributes=attributes)
                self.dispatcher.feedback(heard, perf_counter())
                return False
            if luck < 0.205 and not self._plain:
                self.clock.at_ms += 60_000  # a silence, for all of them
        ask = Request(
            user=user,
            track=played[0] if played else None,
            time=played[1] if played else None,
            attributes=attributes,
        )
        key = None
        if not self._plain:
            catalog = self.dispatcher.runtime.catalog
            if luck > 0.95:
                ask.n = 1 + stream.below(5)
            elif luck > 0.9:
                ask.exclude = (catalog.ids[stream.below(len(catalog))],)
            elif luck > 0.85:
                key = f"key {stream.word():x}"
            elif luck > 0.84 and played is not None:
                ask.track = "nobody has this track"
        try:
            decision = self.dispatcher.recommend(ask, perf_counter(), key)
        except NoCandidatesLeft:
            return False
        self._played[unit] = decision.tracks[0], _share_heard(stream)
        return False


def _share_heard(stream: Stream) -> float:
    """Skipped, half heard or heard to the end; two decimals."""
    kind = stream.below(10)
    if kind < 3:
        return stream.below(15) / 100
    return 1.0 if kind > 6 else stream.below(101) / 100


def isolated_experiment(settings: Settings) -> tuple[Experiment, Settings]:
    """The config with one experiment for all listeners, and that experiment.

    The first that names strategies and has two arms; where there is none, the default against
    another strategy of the config.
    """
    found = next((each for each in settings.experiments if _compares(each)), None)
    if found is None:
        names = [settings.default, *(name for name in settings.strategies)]
        other = next((name for name in names if name != names[0]), names[0])
        arms = (Arm("C", 50, names[0]), Arm("T1", 50, other))
        found = Experiment("doctor", arms, salt="doctor")
    experiment = replace(found, slots=(0, SLOTS), traffic=1.0, targeting={}, forced={})
    return experiment, replace(
        settings, experiments=(experiment,), holdout=HoldoutSettings(), watch=False
    )


def _compares(experiment: Experiment) -> bool:
    weighted = [arm for arm in experiment.arms if arm.weight]
    return experiment.layer == SERVING and len(weighted) == len(experiment.arms) > 1
