"""A small simulated world, played in this process: a log with known propensities."""

from pathlib import Path
from typing import Any

import numpy as np

from engine.runtime import Runtime
from segue.testing.small_world import small_catalog
from simulator.play.in_process_runner import InProcessRunner
from simulator.recommenders.in_process import DispatcherRecommender, open_log
from simulator.world.world import World
from tests.service import write_config
from tests.simulator.tiny import botify

LISTENERS = 400


def configured(folder: Path, default: str) -> Path:
    """Write the small world's config without experiments: all listeners get one strategy."""

    def change(config: dict[str, Any]) -> None:
        config["strategies"] |= {
            "personal": {"type": "personal", "list": "personal", "fallback": "random"},
            "mixed": {
                "type": "mixture",
                # With `random`, because a track without a list falls back to it.
                "strategies": {"contextual": 1, "popular": 1, "personal": 1, "random": 0.5},
            },
        }
        config["default"] = default
        config["experiments"] = []

    return write_config(folder, change)


def lively_world() -> World:
    """Make listeners with different tastes, over the catalog of the small world."""
    random = np.random.default_rng(8)
    catalog = small_catalog()
    return World(
        catalog,
        random.normal(size=(len(catalog), 4)).astype(np.float32),
        [str(1 + user) for user in range(LISTENERS)],
        random.integers(0, len(catalog), (LISTENERS, 3)),
        random.uniform(0, 2, LISTENERS),
        random.uniform(0.5, 2, LISTENERS),
    )


def play(runtime: Runtime, folder: Path, episodes: int, seed: int) -> None:
    """Play sessions against the config in this process, and keep their log."""
    world = lively_world()
    listeners = botify(world, seed)
    log = open_log(runtime, folder)
    InProcessRunner(listeners, DispatcherRecommender(runtime, world, seed, 64, log), 64).play(
        listeners.plan_day(0, episodes)
    )
    log.close()
