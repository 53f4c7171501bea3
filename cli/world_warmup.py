"""A new world's first days: its listeners play, and their event log trains the first lists.

The dispatcher decides, its event log is the training data, and the models of `segue train` learn
from it, all in one process. Only the listeners read the taste vectors. The simulation sets clock
and ids, so that a seed gives the same lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from core.archive import Key

if TYPE_CHECKING:
    from core.progress import Progress
    from simulator.world.world import World

DAYS = 3
SESSIONS = 10
"""Sessions per listener and day, on average."""

_BEGIN_MS = 1_767_571_200_000  # 2026-01-05, the first day of every world
_LATE = 0.1  # share of the sessions in the test split
_LIKED = 0.5  # share heard from which a listen counts as liked in the evaluation


@dataclass(frozen=True, slots=True)
class LearntFile:
    """A file of lists, or of vectors of tracks, to learn.

    Attributes:
        file: Its path in the folder of what is learnt.
        model: Model of `segue train`, with its variant.
        key: Key of the lists or vectors, track or user.
        top: Length of the lists; 0 for vectors.
    """

    file: str
    model: str
    key: Key
    top: int = 0


LEARNT = (
    LearntFile("lists/contextual.npz", "neighbours:bm25", "track", 100),
    LearntFile("lists/similar.npz", "neighbours:listener", "track", 50),
    LearntFile("lists/personal.npz", "neighbours:listener", "user", 50),
    LearntFile("vectors/interests.npz", "interests", "track"),
)
"""Files of a new world: lists of tracks of the same sessions and of similar listeners, and vectors
that say which share of a track is heard."""

_BETWEEN = (
    LearntFile("familiar.npz", "neighbours:bm25", "track", 30),
    LearntFile("personal.npz", "neighbours:listener", "user", 30),
)
"""The lists that the next day plays."""

_STRATEGIES: Mapping[str, Any] = {
    "random": {"type": "random"},
    "artist": {"type": "sticky_artist", "fallback": "random"},
    "popular": {"type": "top_pop", "top": 100, "fallback": "random"},
    "best_heard": {"type": "best_heard", "list": "familiar", "fallback": "random"},
    "personal": {"type": "personal", "list": "personal", "fallback": "random"},
}
_FIRST_DAY = {"random": 0.7, "artist": 0.3}
_LATER_DAYS = {
    "random": 0.3,
    "artist": 0.2,
    "popular": 0.15,
    "best_heard": 0.3,
    "personal": 0.05,
}


def warm_up(
    folder: Path, world: "World", seed: int, progress: "Progress", keep: Path | None = None
) -> list[Path]:
    """Play the days, and write the lists learnt from them beside the files of the world.

    Args:
        folder: Folder of the world, with its files.
        world: The world.
        seed: Seed of the sessions and of the models.
        progress: Shows each step.
        keep: Folder for the event log, as `log/`, and for each day's config and lists, so that
            `segue replay` can check the log; not kept if left out.

    Returns:
        The files written: a popularity list, its manifest, and `LEARNT`.
    """
    from engine.runtime import load_runtime
    from engine.settings.loading import load_settings
    from simulator.listeners.lifelong import make_listeners
    from simulator.listeners.settings import ListenerSettings
    from simulator.play.in_process_runner import SLOTS, InProcessRunner
    from simulator.recommenders.in_process import DispatcherRecommender, open_log
    from simulator.world.neighbours import find_neighbours

    with TemporaryDirectory(prefix="segue-world-") as made:
        work = keep or Path(made)
        events = work / "log"
        settings = ListenerSettings()
        near = find_neighbours(world, settings.interest_neighbours, None, progress)
        listeners = make_listeners(settings, world, near, seed)
        episodes = SESSIONS * len(world)
        for day in range(DAYS):
            own = work / f"day-{day + 1}"
            own.mkdir(parents=True)
            if day:
                learn(own, world, [events], seed, _BETWEEN, progress)
            progress.start(f"day {day + 1} of {DAYS}: sessions", episodes)
            runtime = load_runtime(load_settings(_config(own, folder, day)))
            writer = open_log(runtime, events)
            player = DispatcherRecommender(
                runtime,
                world,
                seed,
                SLOTS,
                writer,
                _clock(),
                stem=f"day{day + 1}",
                # Not the digest: the lists would change whenever a release computes another.
                keyed_by="segue world create",
            )
            InProcessRunner(listeners, player).play(
                listeners.plan_day(day, episodes), progress.advance
            )
            writer.close()
        return learn(folder, world, [events], seed, LEARNT, progress)


def _config(own: Path, folder: Path, day: int) -> Path:
    """Write the day's config into its folder: one mixture for all listeners."""
    weights = _LATER_DAYS if day else _FIRST_DAY
    catalog: dict[str, Any] = {"tracks": str((folder / "tracks.jsonl").absolute())}
    if day:
        lists = {Path(learnt.file).stem: learnt.file for learnt in _BETWEEN}
        catalog |= {"top": "top_tracks.json", "lists": lists}
    config = {
        "catalog": catalog,
        "strategies": {
            **{name: _STRATEGIES[name] for name in weights},
            "mixed": {"type": "mixture", "strategies": weights},
        },
        "default": "mixed",
    }
    path = own / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def _clock() -> Callable[[], int]:
    """Return a clock of Unix time in ms that moves on by a second at each call."""
    ticks = count(_BEGIN_MS, 1000)
    return lambda: next(ticks)


def learn(
    folder: Path,
    world: "World",
    logs: Sequence[Path],
    seed: int,
    wanted: Sequence[LearntFile],
    progress: "Progress",
) -> list[Path]:
    """Learn a popularity list, lists and vectors from logs; the same listens, the same bytes.

    Args:
        folder: Folder for the popularity list, `top_tracks.json`, and for the other files.
        world: The world, of which only the catalog is read.
        logs: Event logs.
        seed: Seed of the models.
        wanted: The other files to write.
        progress: Shows each step.

    Returns:
        The files written: the popularity list, its manifest, and the others.
    """
    import training.models  # noqa: F401  (importing it registers the models)
    from training.evaluation_split import EvaluationSplit
    from training.listen_sources import Selection, load
    from training.model import build
    from training.training_options import TrainingOptions

    listens = load(logs, world.catalog, Selection(), progress)
    # No checksums of the log in the manifests: its latencies differ at every run.
    listens = replace(listens, sources={"segue world create": f"seed {seed}"})
    options = TrainingOptions(test_share=_LATE, liked=_LIKED, seed=seed, threads=1)
    split = EvaluationSplit.of(listens, options)
    popular = split.evaluate_model("popular", *build("popular"), progress)
    top, manifest = popular.write(folder, listens, options)
    written = [
        top.replace(folder / "top_tracks.json"),
        manifest.replace(folder / "top_tracks.manifest.json"),
    ]
    for name in dict.fromkeys(learnt.model for learnt in wanted):
        trial = split.evaluate_model(name, *build(name), progress)
        for learnt in wanted:
            if learnt.model == name:
                path = folder / learnt.file
                fitted, key = trial.fitted, learnt.key
                only = replace(
                    trial, fitted=fitted.only_lists(key) if learnt.top else fitted.only_vectors(key)
                )
                of_length = replace(options, top=learnt.top or options.top)
                [made] = only.write(path.parent, listens, of_length, progress)
                written.append(made.replace(path))
    return written
