"""The gate of neural models: in the simulator their lists earn more than what takes a second.

A small world's days are played and logged as `segue world create` does; each model learns from that
log alone, and an arm plays its lists to the same sessions. The margin is three standard errors; a
processor with other instructions may change digits of a model, and by them the luck of the play.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
import yaml

from app.serving import load as serve
from app.settings import load_settings
from cli.local import Local
from cli.rehearsal import rehearse
from core.lists import Key
from core.progress import SILENT
from simulator.creation import create
from simulator.draws import Indices
from simulator.effects import ListenerSettings
from simulator.lifelong import make_listeners
from simulator.nearest import neighbourhoods
from simulator.playing import InProcess
from simulator.world import World
from simulator.writing import write_world
from tests import needs
from training.comparison import Bench, Trial
from training.logs import Selection, load
from training.model import build

SEED, SESSIONS, TOP = 11, 4000, 50
pytestmark = needs.package("torch")


@cache
def rehearsed() -> tuple[Path, World, Bench]:
    """A world in a folder, and what models learn from: its second and third day."""
    folder = Path(mkdtemp(prefix="segue-gate-"))
    world = create(1200, 500, SEED).world
    write_world(folder, world)
    rehearse(folder, world, SEED, SILENT, folder / "log")
    log = load([folder / "log"], world.catalog, Selection())
    log = replace(log, sources={})  # file names and checksums of logs are never the same twice
    return folder, world, Bench.of(log, late=0.1, liked=0.5, seed=1, threads=1)


@cache
def trial(name: str) -> Trial:
    return rehearsed()[2].try_(name, *build(name), SILENT)


@cache
def earned(name: str, key: Key) -> tuple[Indices, np.ndarray]:
    """Listener and time of each session of an arm that plays the model's lists."""
    folder, world, bench = rehearsed()
    made = trial(name).write(folder / "learnt", bench.earlier, 1, {}, TOP)
    owner = "track" if key == "track" else "listener"
    [lists] = [path for path in made if path.stem.endswith(f"by_{owner}")]
    arm: dict[str, Any] = {"type": "contextual" if key == "track" else "personal", "list": "learnt"}
    config = {
        "catalog": {"tracks": str(folder / "tracks.jsonl"), "lists": {"learnt": str(lists)}},
        "strategies": {"arm": arm | {"fallback": "random"}, "random": {"type": "random"}},
        "default": "arm",
    }
    path = folder / f"{lists.stem}.yaml"
    path.write_text(yaml.safe_dump(config))
    near = neighbourhoods(world, ListenerSettings().interest_neighbours)
    listeners = make_listeners(ListenerSettings(), world, near, SEED + 1)
    player = Local(serve(load_settings(path)), world, SEED + 1, 256)
    played = InProcess(listeners, player, 256).play(listeners.visits(0, SESSIONS)).played
    return played.listener, played.time


def beats(one: str, other: str, key: Key) -> float:
    """How many standard errors, by listener, one earns more than the other in the same sessions."""
    listener, time = earned(one, key)
    same, less = earned(other, key)
    assert np.array_equal(listener, same)
    sums = np.bincount(listener, weights=time - less)
    count = np.bincount(listener)
    mean = sums.sum() / count.sum()
    error = np.sqrt(np.sum((sums - mean * count)[count > 0] ** 2)) / count.sum()
    return float(mean / error)


@pytest.mark.parametrize(
    ("neural", "key"), [("neural", "track"), ("neural:sharp", "track"), ("personal", "user")]
)
def test_a_neural_model_earns_more_than_neighbours(neural: str, key: Key) -> None:
    assert beats(neural, "neighbours", key) > 3


def test_a_lower_loss_does_not_make_a_better_list() -> None:
    """The first origin's finding, of its own two models: history, and kept as that."""
    dot, cosine = (trial(name).verdicts[0].mse for name in ("neural:dot", "neural:cosine"))
    assert dot is not None
    assert cosine is not None
    assert cosine < 0.9 * dot
    for name in ("neural:dot", "neural:cosine"):
        assert beats(name, "neighbours", "track") < 0, "neither passes the gate"
