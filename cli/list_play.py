"""Paired play of a model's lists and vectors, by the recommended recipe, for `train compare`.

Every file is played over the same sessions with the same random numbers, in this process, so the
luck of all models is the same. A session whose strategy abstains gets a random track: no other
file helps.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from core.archive import Key
from core.catalog import Catalog
from core.errors import InputError
from core.progress import Progress
from training.played_time import PlayedTime, PlayFiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from simulator.listeners.settings import ListenerSettings
    from simulator.play.session_table import SessionTable
    from simulator.world.world import World

KEYED_BY = "segue train compare"
"""The part of the config in each key of random numbers, so that every model has the same ones."""

BASE: dict[str, Any] = {"type": "random"}
_FIRST = {"draw": "first", "unheard": "session", "fallback": "random"}
BY_TRACK: dict[str, Any] = {"type": "session_lists", "lists": "played", **_FIRST}
BY_LISTENER: dict[str, Any] = {"type": "personal", "list": "played", "fallback": "random"}
VECTORS: dict[str, Any] = {
    "type": "session_vectors",
    "vectors": "played",
    "fatigue": 0.8,
    "lengths": 0.5,
    **_FIRST,
}
"""The recommended recipes of config.yaml, with one file and no other."""


@dataclass(frozen=True, slots=True)
class PlayedWorld:
    """Sessions of one world, which any strategy can play.

    Attributes:
        folder: Folder of the world.
        world: The world.
        listener: Settings of the listener model.
        near: int32, (users, interests, neighbours), the first tracks of sessions.
        sessions: Number of sessions.
        seed: Seed of the sessions.
    """

    folder: Path
    world: "World"
    listener: "ListenerSettings"
    near: "npt.NDArray[np.int32]"
    sessions: int
    seed: int

    def play(self, recipe: dict[str, Any], path: Path | None, progress: Progress) -> "SessionTable":
        """Play one strategy that reads this file, by new listeners of the same seed."""
        from simulator.listeners.lifelong import make_listeners
        from simulator.play.in_process_runner import SLOTS, InProcessRunner
        from simulator.recommenders.in_process import DispatcherRecommender, load_in_process

        with TemporaryDirectory(prefix="segue-play-") as made:
            runtime = load_in_process(_write_config(Path(made), self.folder, recipe, path))
            listeners = make_listeners(self.listener, self.world, self.near, self.seed)
            player = DispatcherRecommender(runtime, self.world, self.seed, SLOTS, keyed_by=KEYED_BY)
            sessions = listeners.plan_day(0, self.sessions)
            return InProcessRunner(listeners, player).play(sessions, progress.advance).sessions


@dataclass(frozen=True, slots=True)
class ListPlay:
    """A model's files beside random tracks; see `training.played_time.Play`.

    Attributes:
        sessions: The sessions to play.
        base: The sessions as they went with random tracks.
    """

    sessions: PlayedWorld
    base: "SessionTable"

    @property
    def about(self) -> str:
        """Say what the figures are."""
        return (
            "earns: recommended time of a session, in tracks, ± its standard error, and the lift "
            f"over random tracks ({float(self.base.time.mean()):.2f}); "
            f"{self.sessions.sessions:,} sessions of {self.sessions.folder}, seed "
            f"{self.sessions.seed}, the same for all. session_lists plays lists by track, "
            "session_vectors vectors, and personal lists by listener if there are none by track"
        )

    def __call__(self, files: PlayFiles, progress: Progress) -> list[PlayedTime]:
        """Play the sessions against each file."""
        recipes: list[tuple[Path | None, Key, dict[str, Any]]] = [
            (files.by_track, "track", BY_TRACK),
            (files.by_listener, "user", BY_LISTENER),
            (files.vectors, "track", VECTORS),
        ]
        return [
            self._compare(files.name, path, key, recipe, progress)
            for path, key, recipe in recipes
            if path is not None
        ]

    def _compare(
        self, name: str, path: Path, key: Key, recipe: dict[str, Any], progress: Progress
    ) -> PlayedTime:
        from simulator.play.paired_comparison import ratio_of_means
        from simulator.play.session_table import mean_by_listener

        kind = recipe["type"]
        progress.start(f"{name}: play by {kind}", self.sessions.sessions)
        played = self.sessions.play(recipe, path, progress)
        time = mean_by_listener(played.time, played.listener)
        ratio, half = ratio_of_means(self.base, played)
        lift = ratio - 1
        return PlayedTime(kind, key, time.mean, time.standard_error, lift, lift - half, lift + half)


def plan_play(
    folder: Path, catalog: Catalog, sessions: int, seed: int, progress: Progress
) -> ListPlay:
    """Read a world, and play the sessions with random tracks.

    Raises:
        InputError: The folder has no world, or a world of different tracks.
    """
    from simulator.listeners.settings import ListenerSettings
    from simulator.world.neighbours import find_neighbours
    from simulator.world.world import load_world

    world = load_world(folder)
    if world.catalog.checksum != catalog.checksum:
        raise InputError.one(
            f"--play {folder}",
            "must be a world of the tracks of --catalog, has different tracks. Give the world "
            "whose listeners wrote the log",
        )
    settings = ListenerSettings()
    neighbours = min(settings.interest_neighbours, len(catalog))
    near = find_neighbours(world, neighbours, None, progress)
    played = PlayedWorld(folder, world, settings, near, sessions, seed)
    progress.start("play random tracks", sessions)
    return ListPlay(played, played.play(BASE, None, progress))


def _write_config(to: Path, world: Path, recipe: dict[str, Any], path: Path | None) -> Path:
    files = {} if path is None else {"played": str(path.absolute())}
    kind = "vectors" if recipe["type"] == "session_vectors" else "lists"
    config = {
        "catalog": {"tracks": str(next(world.glob("tracks.json*")).absolute()), kind: files},
        "strategies": {"random": BASE, "played": recipe},
        "default": "played",
    }
    written = to / "config.yaml"
    written.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return written
