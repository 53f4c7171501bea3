"""A small world with a config, and a learner over it that plays its days in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cli.simulated_day import SimulatedDays
from core.lists import save_lists
from core.progress import SILENT
from learning.learn_options import LearnOptions
from learning.learner import Learner
from simulator.simulation.options import SimulationOptions
from simulator.world.files import write_world
from simulator.world.generator import generate_world
from training.training_options import TrainingOptions

START_MS = 1_800_000_000_000
CONFIG: dict[str, Any] = {
    "catalog": {
        "tracks": "world/tracks.jsonl",
        "lists": {"similar": "world/similar.npz", "personal": "world/personal.npz"},
    },
    "strategies": {
        "random": {"type": "random"},
        "personal": {"type": "personal", "list": "personal", "fallback": "random"},
        "ranked": {"type": "session_lists", "lists": "similar", "fallback": "personal"},
        "softly": {"type": "explore", "of": "ranked", "epsilon": 0.2, "fallback": "personal"},
    },
    "default": "personal",
    "events": {"dir": "log"},
}


def make_world(folder: Path) -> Path:
    """Make a world of 200 tracks and 300 listeners, with lists that a model may learn again.

    The listeners' own lists are good, and the lists by track know nothing.
    """
    made = generate_world(200, 300, seed=7)
    write_world(folder / "world", made.world)
    random = np.random.default_rng(1)
    catalog = made.world.catalog
    wanted = made.world.embeddings[made.world.interests[:, 0]] @ made.world.embeddings.T
    own = np.argsort(-wanted, axis=1)[:, :20].tolist()
    users = [str(user) for user in made.world.users]
    about = {"model": "neighbours:listener", "params": {}, "sizes": {"longest": 20}}
    personal = dict(zip(users, own, strict=True))
    save_lists(folder / "world" / "personal.npz", "user", personal, catalog, about)
    similar = {track: random.permutation(200)[:20].tolist() for track in range(200)}
    save_lists(folder / "world" / "similar.npz", "track", similar, catalog, about)
    return folder


def write_config(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Write the config beside the world."""
    content = json.loads(json.dumps(CONFIG))
    if change is not None:
        change(content)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


class SmallLoop:
    """A learner, with a simulated day before each round.

    Attributes:
        said: What the learner said.
    """

    def __init__(self, folder: Path, server: Any = None, **options: Any) -> None:
        self.config = folder / "config.yaml"
        self.said: list[str] = []
        self._ticks = 0
        options_ = SimulationOptions(
            ("local",), world=folder / "world", config=self.config, episodes=600, seed=5
        )
        self._days = SimulatedDays(options_, SILENT, self._tick_ms)
        defaults: dict[str, Any] = {"least": 50, "training": TrainingOptions(threads=1)}
        self.options = LearnOptions(self.config, **(defaults | options))
        self.learner = Learner(self.options, server, self.now_ms, self.said.append)

    def now_ms(self) -> int:
        return self._tick_ms() + self._day * 86_400_000

    def _tick_ms(self) -> int:
        self._ticks += 1  # sessions that begin later are later
        return START_MS + self._ticks

    @property
    def _day(self) -> int:
        """The number of days that were played, by this loop or an earlier one."""
        return len(list((self.config.parent / "log").glob("*.jsonl")))

    def play(self, episodes: int = 600) -> None:
        """Play a day against the config as it serves."""
        self._days.episodes = episodes
        self._days.play(self._day, SILENT)

    def round(self, episodes: int = 600) -> str:
        """Play a day and take a round; return what the learner said last."""
        self.play(episodes)
        self.learner.take_round(is_over=True)
        return self.said[-1]

    @property
    def outcomes(self) -> list[tuple[str, int | None]]:
        """What was decided, and about which version."""
        return [
            (each["outcome"], each["version"])
            for each in self.learner.ledger.read()
            if each["outcome"] != "round"
        ]

    @property
    def serving(self) -> int:
        return self.learner.store.state().serving
