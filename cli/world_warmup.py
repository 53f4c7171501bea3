"""A new world's first days: its listeners play, and lists are learnt from the event log of that.

The whole circle in one process: what decides is the dispatcher, what is learnt from is its event
log, and what learns are the models of `segue train`. Nothing looks at the taste vectors but the
listeners themselves. Clock and ids are the simulation's, so that a seed gives the same lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from core.lists import Key

if TYPE_CHECKING:
    from core.progress import Progress
    from simulator.world.world import World

DAYS = 3
SESSIONS = 10
"""Of a listener on a day, on the average."""

_BEGIN_MS = 1_767_571_200_000  # 2026-01-05, the first day of every world
_LATE = 0.1  # share of the sessions that lists are judged on
_LIKED = 0.5  # share heard from which judging takes a listen for a liked one


@dataclass(frozen=True, slots=True)
class LearntLists:
    """A list file to learn.

    Attributes:
        file: Its name.
        model: Of `segue train`, with the variant.
        key: What its lists are by.
        top: Length of the lists.
    """

    file: str
    model: str
    key: Key
    top: int


LISTS = (
    LearntLists("contextual.npz", "neighbours:bm25", "track", 100),
    LearntLists("similar.npz", "neighbours:listener", "track", 50),
    LearntLists("personal.npz", "neighbours:listener", "user", 50),
)
"""What a world is given: heard in the same sessions, and by the same listeners."""

_BETWEEN = (
    LearntLists("familiar.npz", "neighbours:bm25", "track", 30),
    LearntLists("personal.npz", "neighbours:listener", "user", 30),
)
"""What the next day plays from."""

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
    """Play the days, and write what was learnt from them beside the world's own files.

    Args:
        folder: Of the world, written there already.
        world: Who plays, and what.
        seed: Of the play and of the models.
        progress: Shown everything.
        keep: Folder to keep the event log in, as `log/`, and what each day played from, so that the
            log can be replayed; thrown away if left.

    Returns:
        What was written: a popularity list, its manifest, and `LISTS`.
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
                learn(own, own, world, [events], seed, _BETWEEN, progress)
            progress.start(f"day {day + 1} of {DAYS}: sessions", episodes)
            runtime = load_runtime(load_settings(_config(own, folder, day)))
            writer = open_log(runtime, events)
            player = DispatcherRecommender(
                runtime, world, seed, SLOTS, writer, _clock(), f"day{day + 1}"
            )
            InProcessRunner(listeners, player).play(
                listeners.plan_day(day, episodes), progress.advance
            )
            writer.close()
        return learn(folder, folder / "lists", world, [events], seed, LISTS, progress)


def _config(own: Path, folder: Path, day: int) -> Path:
    """Write the day's config into its folder: a mixture for everybody."""
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
    """Unix time in ms, a second later each time that somebody looks."""
    ticks = count(_BEGIN_MS, 1000)
    return lambda: next(ticks)


def learn(
    top_folder: Path,
    lists_folder: Path,
    world: "World",
    logs: Sequence[Path],
    seed: int,
    wanted: Sequence[LearntLists],
    progress: "Progress",
) -> list[Path]:
    """Learn a popularity list and others from logs alone; the same listening, the same bytes.

    Args:
        top_folder: Where the popularity list goes, as `top_tracks.json`.
        lists_folder: Where the others go, under the names that are wanted.
        world: Its catalog; nothing else of it is looked at.
        logs: Event logs.
        seed: Of the models.
        wanted: Which lists.
        progress: Shown everything.

    Returns:
        What was written: the popularity list, its manifest, and the lists.
    """
    import training.models  # noqa: F401  (importing it registers the models)
    from training.evaluation_split import EvaluationSplit
    from training.listen_sources import Selection, load
    from training.model import build
    from training.training_options import TrainingOptions

    listens = load(logs, world.catalog, Selection(), progress)
    # Not the checksums of the log: it has latencies, which are never the same twice.
    listens = replace(listens, sources={"segue world create": f"seed {seed}"})
    options = TrainingOptions(test_share=_LATE, liked=_LIKED, seed=seed, threads=1)
    split = EvaluationSplit.of(listens, options)
    popular = split.evaluate_model("popular", *build("popular"), progress)
    top, manifest = popular.write(top_folder, listens, options)
    written = [
        top.replace(top_folder / "top_tracks.json"),
        manifest.replace(top_folder / "top_tracks.manifest.json"),
    ]
    for name in dict.fromkeys(learnt.model for learnt in wanted):
        trial = split.evaluate_model(name, *build(name), progress)
        for learnt in wanted:
            if learnt.model == name:
                ranker = {learnt.key: trial.fitted.rankers[learnt.key]}
                only = replace(trial, fitted=replace(trial.fitted, rankers=ranker))
                of_length = replace(options, top=learnt.top)
                [made] = only.write(lists_folder, listens, of_length, progress)
                written.append(made.replace(lists_folder / learnt.file))
    return written
