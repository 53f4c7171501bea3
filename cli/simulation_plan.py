"""What a simulation is made of: the world, the listeners, and who answers them."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from rich.console import Console as Screen

from core.catalog import load_top
from core.errors import InputError
from core.progress import Progress
from simulator.listeners.lifelong import make_listeners
from simulator.listeners.model import ListenerModel
from simulator.listeners.settings import ListenerSettings
from simulator.listeners.settings_file import read_listener
from simulator.play.in_process_runner import SLOTS, InProcessRunner, Recommender
from simulator.play.workers import Player, Shard
from simulator.recommenders.baselines import PopularTracks, RandomTracks
from simulator.recommenders.oracle import CANDIDATES, Oracle
from simulator.world.neighbours import find_neighbours
from simulator.world.world import World, load_world, read_world

Kind = Literal["random", "popular", "best", "console", "local", "http"]
BUILT_IN: dict[str, Kind] = {
    "random": "random",
    "popular": "popular",
    "best": "best",
    "console": "console",
    "local": "local",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """Who answers.

    Attributes:
        kind: What it is.
        name: A strategy's name for `local`, or empty for the config's arms; an address for `http`.
    """

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.kind


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """Everything that a process needs to play its part; picklable.

    Attributes:
        near: int32, (users, interests, neighbours), where sessions begin.
        around: int32, (users, interests, more), for `best`; empty otherwise.
        top: int32, for `popular`; empty otherwise.
    """

    world: World
    near: npt.NDArray[np.int32]
    around: npt.NDArray[np.int32]
    top: npt.NDArray[np.int32]
    listener: ListenerSettings
    seed: int
    recommenders: tuple[Spec, ...]
    config: Path
    api: str
    processes: int
    connections: int
    timeout_s: float
    max_steps: int
    log: Path | None
    keep_truth: bool


def plan_of(
    *,
    world: Path,
    files: tuple[Path | None, Path | None, Path | None],
    top: Path | None,
    listener: str,
    seed: int,
    config: Path,
    api: str,
    processes: int,
    connections: int,
    timeout_s: float,
    max_steps: int,
    log: Path | None,
    keep_truth: bool,
    recommenders: Sequence[str],
    is_pair: bool,
    progress: Progress,
) -> SimulationPlan:
    """Load the world, and everything else that can be wrong before the first session.

    Raises:
        InputError: What is wrong with the options, or with a file.
    """
    if api not in ("segue", "botify"):
        raise InputError.one("--api", f"must be segue or botify, is {api!r}")
    specs = tuple(_spec(text, is_pair) for text in recommenders)
    kinds = {spec.kind for spec in specs}
    if "console" in kinds and processes > 1:
        raise InputError.one("--processes", "must be 1 with a console: you cannot be in two")
    if log is not None and "local" not in kinds:
        raise InputError.one("--log", "is for --recommender local; a server writes its own")
    settings = read_listener(listener)
    loaded = _world(world, files)
    cache = _cache()
    tops = np.empty(0, dtype=np.int32)
    if "popular" in kinds:
        tops = load_top(top or world / "top_tracks.json", loaded.catalog)
    around = np.empty((0, 0, 0), dtype=np.int32)
    if "best" in kinds:
        around = find_neighbours(loaded, min(CANDIDATES, len(loaded.catalog)), cache, progress)
    neighbours = min(settings.interest_neighbours, len(loaded.catalog))
    return SimulationPlan(
        world=loaded,
        near=find_neighbours(loaded, neighbours, cache, progress),
        around=around,
        top=tops,
        listener=settings,
        seed=seed,
        recommenders=specs,
        config=config,
        api=api,
        processes=processes,
        connections=connections,
        timeout_s=timeout_s,
        max_steps=max_steps,
        log=log,
        keep_truth=keep_truth,
    )


def make_part(plan: SimulationPlan, which: int, process: int) -> Shard:
    """The listeners, and who plays them against a recommender of the plan, for one process."""
    listeners = make_listeners(plan.listener, plan.world, plan.near, plan.seed)
    return Shard(listeners, _player(plan, plan.recommenders[which], listeners, process))


def _player(plan: SimulationPlan, spec: Spec, listeners: ListenerModel, process: int) -> Player:
    if spec.kind == "http":
        from simulator.play.http_runner import HttpRunner

        return HttpRunner(
            listeners,
            spec.name,
            plan.seed,
            -(-plan.connections // plan.processes),
            plan.api == "botify",
            plan.timeout_s,
            plan.max_steps,
            plan.keep_truth,
        )
    answering: Recommender
    slots = SLOTS
    if spec.kind == "random":
        answering = RandomTracks()
    elif spec.kind == "popular":
        answering = PopularTracks(plan.top)
    elif spec.kind == "best":
        answering = Oracle(plan.around, slots)
    elif spec.kind == "local":
        from simulator.recommenders.in_process import (
            DispatcherRecommender,
            load_in_process,
            open_log,
        )

        runtime = load_in_process(plan.config, spec.name or None)
        log = None if plan.log is None else open_log(runtime, plan.log)
        answering = DispatcherRecommender(runtime, plan.world, plan.seed, slots, log)
    else:
        from simulator.recommenders.console import Console

        slots = 1
        answering = Console(Screen(highlight=False, markup=False).print, input)
    return InProcessRunner(listeners, answering, slots, plan.max_steps, plan.keep_truth)


def _spec(text: str, in_pair: bool) -> Spec:
    if text.startswith(("http://", "https://")):
        return Spec("http", text.rstrip("/"))
    if text.startswith("local:"):
        return Spec("local", text.removeprefix("local:"))
    if in_pair and text not in ("best", "local"):
        return Spec("local", text)
    if text in BUILT_IN:
        return Spec(BUILT_IN[text])
    raise InputError.one(
        "--recommender",
        f"must be an address (http://...), local:STRATEGY, {', '.join(BUILT_IN)}; is {text!r}",
    )


def _world(folder: Path, files: tuple[Path | None, Path | None, Path | None]) -> World:
    tracks, embeddings, users = files
    if tracks is not None and embeddings is not None and users is not None:
        return read_world(tracks, embeddings, users)
    if (tracks, embeddings, users) != (None, None, None):
        raise InputError.one(
            "--tracks, --embeddings, --users", "make a world together: give all three, or --world"
        )
    return load_world(folder)


def _cache() -> Path | None:
    """Where the nearest tracks of a world are kept; None where nothing can be."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segue"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    return None
