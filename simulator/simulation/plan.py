"""The parts of a simulation: the world, the listener model, the recommenders and their players."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
from simulator.simulation.options import (
    RecommenderKind,
    RecommenderSpec,
    SimulationOptions,
    parse_recommender,
)
from simulator.world.neighbours import find_neighbours
from simulator.world.world import World, load_world, read_world

_NONE = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """Everything that a process needs to play its shard; picklable.

    Attributes:
        options: The options of the simulation.
        recommenders: The recommenders that the options name.
        world: The world.
        listener: Settings of the listener model.
        near: int32, (users, interests, neighbours), the first tracks of sessions.
        candidates: int32, (users, interests, k), for the oracle; empty if it does not play.
        top: int32, for `popular`; empty if it does not play.
    """

    options: SimulationOptions
    recommenders: tuple[RecommenderSpec, ...]
    world: World
    listener: ListenerSettings
    near: npt.NDArray[np.int32]
    candidates: npt.NDArray[np.int32]
    top: npt.NDArray[np.int32]


def plan_simulation(options: SimulationOptions, progress: Progress) -> SimulationPlan:
    """Check the options and load the world, so that no fault appears after the first session.

    Raises:
        InputError: Lists what is wrong with the options or a file.
    """
    recommenders = tuple(
        parse_recommender(text, options.is_paired) for text in options.recommenders
    )
    kinds = {recommender.kind for recommender in recommenders}
    _check(options, kinds)
    listener = read_listener(options.listener)
    world = _load_world(options)
    size, cache = len(world.catalog), _cache_folder()
    top = options.top or options.world / "top_tracks.json"
    return SimulationPlan(
        options,
        recommenders,
        world,
        listener,
        near=find_neighbours(world, min(listener.interest_neighbours, size), cache, progress),
        candidates=find_neighbours(world, min(CANDIDATES, size), cache, progress)
        if "oracle" in kinds
        else _NONE,
        top=load_top(top, world.catalog) if "popular" in kinds else _NONE,
    )


def make_shard(plan: SimulationPlan, which: int, process: int) -> Shard:
    """Make the listeners of one process, and the player of a recommender of the plan."""
    listeners = make_listeners(plan.listener, plan.world, plan.near, plan.options.seed)
    return Shard(listeners, _make_player(plan, plan.recommenders[which], listeners))


def _make_player(plan: SimulationPlan, spec: RecommenderSpec, listeners: ListenerModel) -> Player:
    options = plan.options
    if spec.kind == "http":
        # Imported here, because the other recommenders need no HTTP parser.
        from simulator.play.http_runner import HttpRunner

        return HttpRunner(
            listeners,
            spec.name,
            options.seed,
            -(-options.connections // options.processes),
            options.api == "botify",
            options.timeout_s,
            options.max_steps,
            options.keep_truth,
        )
    slots = 1 if spec.kind == "console" else SLOTS
    recommender = _make_recommender(plan, spec, slots)
    return InProcessRunner(listeners, recommender, slots, options.max_steps, options.keep_truth)


def _make_recommender(plan: SimulationPlan, spec: RecommenderSpec, slots: int) -> Recommender:
    if spec.kind == "random":
        return RandomTracks()
    if spec.kind == "popular":
        return PopularTracks(plan.top)
    if spec.kind == "oracle":
        return Oracle(plan.candidates, slots)
    if spec.kind == "console":
        from simulator.recommenders.console import Console

        return Console(print, input)
    # Imported here, because only this recommender loads a config and the strategies.
    from simulator.recommenders.in_process import DispatcherRecommender, load_in_process, open_log

    options = plan.options
    runtime = load_in_process(options.config, spec.name or None)
    log = None if options.log is None else open_log(runtime, options.log)
    return DispatcherRecommender(runtime, plan.world, options.seed, slots, log)


def _check(options: SimulationOptions, kinds: set[RecommenderKind]) -> None:
    if options.api not in ("segue", "botify"):
        raise InputError.one("--api", f"must be segue or botify, is {options.api!r}")
    if "console" in kinds and options.processes > 1:
        raise InputError.one(
            "--processes", f"must be 1 with the console recommender, is {options.processes}"
        )
    if options.log is not None and "local" not in kinds:
        raise InputError.one(
            "--log", "needs --recommender local; a server writes an event log of its own"
        )


def _load_world(options: SimulationOptions) -> World:
    files = (options.tracks, options.embeddings, options.users)
    tracks, embeddings, users = files
    if tracks is not None and embeddings is not None and users is not None:
        return read_world(tracks, embeddings, users)
    if any(files):
        raise InputError.one(
            "--tracks, --embeddings, --users", "make a world together: give all three, or --world"
        )
    return load_world(options.world)


def _cache_folder() -> Path | None:
    """Return the folder that caches nearest tracks; None if it cannot be made."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segue"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    return None
