"""`--recommender local`: the server's decisions in this process, from the same config.

It takes turns by `engine.turn`, as the server does, and needs no HTTP.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import perf_counter, time_ns

import numpy as np
import numpy.typing as npt

from core.allocation import UNASSIGNED, Allocation, Assignment
from core.catalog import UNKNOWN
from core.errors import InputError, unknown_name
from core.listener import History
from core.request import ListenReport, Request, TurnInput
from engine.config_snapshots import save_snapshot
from engine.exposure import assign
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from engine.turn import take_turn
from events.writer import EventWriter
from simulator.play.request_keys import request_key
from simulator.play.session_batch import SessionBatch
from simulator.play.session_table import Arm
from simulator.random_keys import Indices
from simulator.world.world import World

DAY_MS = 86_400_000


def load_in_process(config: Path, strategy: str | None = None) -> Runtime:
    """Load the runtime that decides: the config's arms, or one strategy for all listeners.

    Raises:
        InputError: The config is faulty, or has no such strategy.
    """
    runtime = load_runtime(load_settings(config))
    if strategy is None:
        return runtime
    if strategy not in runtime.chains:
        raise InputError.one(str(config), unknown_name("strategy", strategy, runtime.chains))
    return replace(runtime, default=strategy, allocation=Allocation([], 0.0, ""))


def open_log(runtime: Runtime, folder: Path) -> EventWriter:
    """Open an event log in a folder, and save the config that its events name."""
    save_snapshot(runtime, folder)
    return EventWriter(folder, int(runtime.settings.events.rotate_mb * 1_000_000), _now_ms)


class DispatcherRecommender:
    """A recommender that answers as a freshly started server with this config would.

    Args:
        runtime: The runtime that decides.
        world: The listeners' world.
        seed: The simulation's seed, a part of each request's key.
        slots: Number of concurrent sessions.
        log: Log for the events, or None.
        now_ms: Unix time in ms; day N of the simulation is N days later in the log.
        stem: First part of decision ids; random if left out, so that no two runs share it.
        histories: Listener's index -> what is known of them, from the day before; grows.
        keyed_by: What each request's key says of the config; the config's digest if left out.

    Raises:
        InputError: The config may recommend tracks that the world does not have.
    """

    def __init__(
        self,
        runtime: Runtime,
        world: World,
        seed: int,
        slots: int,
        log: EventWriter | None = None,
        now_ms: Callable[[], int] | None = None,
        stem: str | None = None,
        histories: dict[int, History] | None = None,
        keyed_by: str | None = None,
    ) -> None:
        self._runtime = runtime
        self._seed = seed
        self._log = log
        self._now_ms = now_ms or _now_ms
        self._users = world.users
        self._ids = world.catalog.ids
        self._in_world = _in_world(runtime, world)
        self._histories = {} if histories is None else histories
        self._assigned: list[Assignment] = [UNASSIGNED] * slots
        self._stem = stem or secrets.token_hex(6)
        self._keyed_by = runtime.digest if keyed_by is None else keyed_by
        self._count = count(1)

    def begin(self, stage: SessionBatch, slots: Indices) -> None:
        """Compute the arms of each session once; the config does not change during a run."""
        for slot, listener in zip(slots.tolist(), stage.listener[slots].tolist(), strict=True):
            sent = TurnInput(self._users[listener])
            self._assigned[slot] = assign(self._runtime, sent, None)
            if listener not in self._histories:
                self._histories[listener] = History(self._runtime.catalog)

    def recommend(self, stage: SessionBatch, slots: Indices) -> npt.NDArray[np.integer]:
        """Decide for each slot, one after the other."""
        runtime, log = self._runtime, self._log
        index_of = runtime.catalog.index_of
        answers = []
        for slot, user, history, track, time, at_ms, key in self._turns(stage, slots):
            began_s = perf_counter()
            decision, _ = take_turn(
                runtime,
                history,
                Request(user, track, time),
                self._assigned[slot],
                self._new_id(),
                at_ms,
                key,
            )
            if log is not None:
                decision.latency_s = perf_counter() - began_s
                decision.took_us = round(decision.latency_s * 1e6, 1)
                log.append(decision)
            answers.append(index_of(decision.tracks[0]))
        tracks: npt.NDArray[np.integer] = self._in_world[answers]
        return tracks

    def end(self, stage: SessionBatch, slots: Indices) -> list[Arm]:
        """Report each session's last listen, as `POST /feedback` with `final` does."""
        runtime, log = self._runtime, self._log
        arms = []
        for slot, user, history, track, time, at_ms, key in self._turns(stage, slots):
            assignment = self._assigned[slot]
            feedback, _ = take_turn(
                runtime,
                history,
                ListenReport(user, track, time, final=True),
                assignment,
                self._new_id(),
                at_ms,
                key,
            )
            if log is not None:
                log.append(feedback)
            arms.append(Arm.of(assignment.arms, assignment.strategy or runtime.default))
        return arms

    def _new_id(self) -> str:
        return f"{self._stem}-{next(self._count):x}"

    def _turns(
        self, stage: SessionBatch, slots: Indices
    ) -> Iterator[tuple[int, int | str, History, int | str, float, int, str]]:
        """Yield each turn's slot, user, history, last track, its time, Unix time in ms, and key."""
        config, seed, now_ms = self._keyed_by, self._seed, self._now_ms()
        columns = (
            slots,
            stage.listener[slots],
            stage.number[slots],
            stage.steps[slots] + 1,
            stage.day[slots],
            stage.track[slots],
            stage.time[slots],
        )
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for slot, listener, number, step, day, index, time in rows:
            track = self._ids[index]
            yield (
                slot,
                self._users[listener],
                self._histories[listener],
                track,
                time,
                now_ms + day * DAY_MS,
                request_key(config, seed, number, step, track, time),
            )


def _in_world(runtime: Runtime, world: World) -> npt.NDArray[np.int64]:
    """Give the world's index of each track that the config may recommend."""
    indices = np.array([world.catalog.index_of(track) for track in runtime.catalog.ids])
    missing = np.flatnonzero(indices == UNKNOWN)
    if len(missing):
        raise InputError.one(
            str(runtime.settings.path),
            f"every track of its catalog must be in the world, but {len(missing)} of "
            f"{len(indices)} are not, for instance {runtime.catalog.ids[missing[0]]!r}. Give the "
            "catalog's own world by --world",
        )
    return indices


def _now_ms() -> int:
    return time_ns() // 1_000_000
