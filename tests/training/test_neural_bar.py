"""The bar for neural models: in the simulator their lists earn more than those of `neighbours`.

A small world's days are played and logged as `segue world create` does; each model learns from that
log alone, and an arm plays its lists to the same sessions. The margin is three standard errors; a
processor with other instructions may change digits of a model, and by them the luck of the play.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from cli.world_warmup import warm_up
from core.archive import Key
from core.progress import SILENT
from engine.runtime import load_runtime as serve
from engine.settings.loading import load_settings
from simulator.listeners.lifelong import make_listeners
from simulator.listeners.settings import ListenerSettings
from simulator.play.in_process_runner import InProcessRunner
from simulator.random_keys import Indices
from simulator.recommenders.in_process import DispatcherRecommender
from simulator.world.files import write_world
from simulator.world.generator import generate_world
from simulator.world.neighbours import find_neighbours
from tests import needs
from training.evaluation_split import EvaluationSplit, ModelTrial
from training.listen_sources import Selection, load
from training.model import build
from training.training_options import TrainingOptions

SEED, SESSIONS, TOP = 11, 4000, 50
pytestmark = needs.package("torch")


class TrainedArms:
    """A world, and the days of it that models learn from; each model is fitted and played once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = generate_world(1200, 500, SEED).world
        write_world(folder, self.world)
        warm_up(folder, self.world, SEED, SILENT, folder / "days")
        log = load([folder / "days" / "log"], self.world.catalog, Selection())
        log = replace(log, sources={})  # file names and checksums of logs are never the same twice
        self.split = EvaluationSplit.of(log, TrainingOptions(threads=1))
        self._trials: dict[str, ModelTrial] = {}
        self._earned: dict[tuple[str, Key], tuple[Indices, np.ndarray]] = {}

    def trial(self, name: str) -> ModelTrial:
        """The model, fitted and evaluated."""
        if name not in self._trials:
            self._trials[name] = self.split.evaluate_model(name, *build(name), SILENT)
        return self._trials[name]

    def earned(self, name: str, key: Key) -> tuple[Indices, np.ndarray]:
        """Listener and time of each session of an arm that plays the model's lists."""
        if (name, key) not in self._earned:
            self._earned[name, key] = self._play(name, key)
        return self._earned[name, key]

    def margin(self, one: str, other: str, key: Key) -> float:
        """Difference of what two models earn, in standard errors by listener."""
        listener, time = self.earned(one, key)
        same, less = self.earned(other, key)
        assert np.array_equal(listener, same)
        sums = np.bincount(listener, weights=time - less)
        count = np.bincount(listener)
        mean = sums.sum() / count.sum()
        error = np.sqrt(np.sum((sums - mean * count)[count > 0] ** 2)) / count.sum()
        return float(mean / error)

    def _play(self, name: str, key: Key) -> tuple[Indices, np.ndarray]:
        made = self.trial(name).write(
            self.folder / "learnt", self.split.train_and_valid, TrainingOptions(top=TOP)
        )
        owner, type_ = ("track", "contextual") if key == "track" else ("listener", "personal")
        [lists] = [path for path in made if path.stem == f"{name.replace(':', '_')}_by_{owner}"]
        arm = {"type": type_, "list": "learnt", "fallback": "random"}
        config = {
            "catalog": {
                "tracks": str(self.folder / "tracks.jsonl"),
                "lists": {"learnt": str(lists)},
            },
            "strategies": {"arm": arm, "random": {"type": "random"}},
            "default": "arm",
        }
        path = self.folder / f"{lists.stem}.yaml"
        path.write_text(yaml.safe_dump(config))
        settings = ListenerSettings()
        near = find_neighbours(self.world, settings.interest_neighbours)
        listeners = make_listeners(settings, self.world, near, SEED + 1)
        player = DispatcherRecommender(serve(load_settings(path)), self.world, SEED + 1, 256)
        played = (
            InProcessRunner(listeners, player, 256).play(listeners.plan_day(0, SESSIONS)).sessions
        )
        return played.listener, played.time


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> TrainedArms:
    return TrainedArms(tmp_path_factory.mktemp("arms"))


@pytest.mark.parametrize(
    ("neural", "key"), [("neural", "track"), ("neural:sharp", "track"), ("personal", "user")]
)
def test_a_neural_model_earns_more_than_neighbours(
    arms: TrainedArms, neural: str, key: Key
) -> None:
    assert arms.margin(neural, "neighbours", key) > 3


def test_a_lower_loss_does_not_make_a_better_list(arms: TrainedArms) -> None:
    """A finding about two models of botify; the test keeps it as history."""
    dot, cosine = (arms.trial(name).metrics[0].mse for name in ("neural:dot", "neural:cosine"))
    assert dot is not None
    assert cosine is not None
    assert cosine < 0.9 * dot
    for name in ("neural:dot", "neural:cosine"):
        assert arms.margin(name, "neighbours", "track") < 0, "neither passes the bar"
