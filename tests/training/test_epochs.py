"""Epochs: the best epoch, an interrupted fit, and the pairs of a session."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from core.catalog import Catalog
from core.progress import Silent
from tests import needs
from tests.training.listening import TRACKS, listening
from training.epochs import Schedule, learn
from training.interactions import Interactions, assemble
from training.learning_curve import draw
from training.model import FitRun, FittedModel, LearningCurve, build
from training.session_pairs import session_pairs


class Impatient(Silent):
    """A user who presses Ctrl-C after so many steps of the work."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def advance(self, steps: float = 1) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def learnt(
    later: list[float], patience: int, steps: int = 100
) -> tuple[float, LearningCurve, bool]:
    """Fit with these validation losses; epoch n sets the module's only weight to n."""
    import torch

    module = torch.nn.Linear(1, 1, bias=False)
    losses = iter(later)

    def one_epoch(epoch: int, after_batch: Any) -> float:
        with torch.no_grad():
            module.weight.fill_(epoch)
        after_batch()
        return 0.5

    plan = Schedule("test", "loss", len(later), patience, 1)
    run = FitRun(listening(3), progress=Impatient(steps))
    curve, interrupted = learn(plan, module, one_epoch, lambda: next(losses), run)
    return float(module.weight.item()), curve, interrupted


@needs.package("torch")
def test_the_epoch_with_the_lowest_validation_loss_is_kept() -> None:
    held, curve, interrupted = learnt([3.0, 1.0, 2.0, 2.0, 0.1], patience=2)
    # Two epochs without a better one end it, before the best of all would have come.
    assert held == 1.0
    assert (curve.best_epoch, list(curve.valid)) == (1, [3.0, 1.0, 2.0, 2.0])
    assert not interrupted


@needs.package("torch")
def test_without_a_validation_split_the_last_epoch_is_kept() -> None:
    held, curve, _ = learnt([float("nan")] * 3, patience=1)
    assert (held, curve.best_epoch) == (2.0, 2)


@needs.package("torch")
def test_ctrl_c_keeps_the_best_epoch_so_far() -> None:
    held, curve, interrupted = learnt([2.0, 3.0, 1.0], patience=5, steps=2)
    assert held == 0.0
    assert interrupted
    assert len(curve.valid) == 2
    with pytest.raises(KeyboardInterrupt):
        learnt([2.0], patience=5, steps=0)


@pytest.mark.parametrize(
    ("spec", "settings", "steps"),
    [
        pytest.param("factors", {}, 3, marks=needs.package("implicit")),
        pytest.param("neural", {"batch": 2048, "epochs": 30}, 12, marks=needs.package("torch")),
    ],
    ids=["factors", "neural"],
)
def test_an_interrupted_model_still_has_lists(
    spec: str, settings: dict[str, int], steps: int
) -> None:
    train, valid = listening(600).split(0.1)
    run = FitRun(valid, threads=1, progress=Impatient(steps))
    fitted: FittedModel = build(spec, settings)[0].fit(train, run)
    assert fitted.interrupted
    assert (fitted.rankers["track"](np.arange(TRACKS), 5)[:, 0] >= 0).all()


def session(*listens: tuple[int, float]) -> Interactions:
    """One session of these tracks and times."""
    track, time = (np.array(column) for column in zip(*listens, strict=True))
    rows = len(track)
    return assemble(
        np.zeros(rows, dtype=int), track, time, np.arange(rows), ["u"],
        Catalog(range(10), ["a"] * 10, [""] * 10), {}, session=np.zeros(rows, dtype=int),
    )  # fmt: skip


def test_both_tracks_of_a_pair_were_heard_well_and_close_together() -> None:
    pairs = session_pairs(session((4, 1.0), (5, 0.1), (6, 0.5), (7, 0.4), (6, 0.9)), 0.3, reach=2)
    found = {
        (a, t): w
        for a, t, w in zip(
            pairs.anchor.tolist(), pairs.target.tolist(), pairs.weight.tolist(), strict=True
        )
    }
    # 4 came first, so it is no target; 5 was skipped; the second 6 is a repeat; 4, 7 are 3 apart.
    assert found == {
        (4, 6): pytest.approx(0.5),
        (6, 7): pytest.approx(0.2),
        (7, 6): pytest.approx(0.2),
    }


def test_sessions_do_not_pair_with_each_other() -> None:
    log = listening(50)
    pairs = session_pairs(log, 0.3, 11)
    heard = {
        (a, t)
        for start, end in zip(log.starts[:-1], log.starts[1:], strict=True)
        for a in log.track[start:end].tolist()
        for t in log.track[start:end].tolist()
    }
    assert set(zip(pairs.anchor.tolist(), pairs.target.tolist(), strict=True)) <= heard
    assert (pairs.anchor != pairs.target).all()


@needs.package("matplotlib")
def test_the_same_losses_draw_the_same_learning_curve(tmp_path: Path) -> None:
    curve = LearningCurve("loss of something", [3.0, 2.0, 1.5], [3.1, 2.5, 2.6], best_epoch=1)
    for name in ("a.svg", "b.svg"):
        draw(curve, "a model", tmp_path / name)
    content = (tmp_path / "a.svg").read_bytes()
    assert content == (tmp_path / "b.svg").read_bytes()
    assert content.startswith(b"<?xml")
