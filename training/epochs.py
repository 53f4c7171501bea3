"""Learning by epochs: one loop for all models of PyTorch, with early stopping and Ctrl-C.

The epoch that was best on later listens is the one that is kept. On the same machine the same seed
and the same number of threads give the same model, bit by bit.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.model import FitRun, LearningCurve
from training.top_k import Floats, Ints


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to learn.

    Attributes:
        name: For the progress.
        of: What the losses are, for the picture.
        epochs: Most passes over the listens.
        patience: Epochs without a better loss on later listens after which learning ends.
        batches: In an epoch.
    """

    name: str
    of: str
    epochs: int
    patience: int
    batches: int


def learn(
    schedule: Schedule,
    module: Any,
    one_epoch: Callable[[int, Callable[[], None]], float],
    validate: Callable[[], float],
    run: FitRun,
) -> tuple[LearningCurve, bool]:
    """Learn until it gets no better; leaves the best epoch's numbers in `module`.

    Args:
        schedule: How long.
        module: A torch module; its state is what is kept.
        one_epoch: Called with the epoch from 0 and a function to call after each batch; gives the
            mean loss.
        validate: The loss on later listens; NaN where there are none, and the last epoch is kept.
        run: Its progress is shown the batches.

    Returns:
        How it went, and whether Ctrl-C ended it.

    Raises:
        KeyboardInterrupt: Ctrl-C came before the first epoch was done.
    """
    train: list[float] = []
    valid: list[float] = []
    kept, state = 0, None
    interrupted = False
    run.progress.start(f"{schedule.name}: learn", schedule.epochs * schedule.batches)
    try:
        for epoch in range(schedule.epochs):
            loss = one_epoch(epoch, run.progress.advance)
            later = validate()
            train.append(loss)
            valid.append(later)
            run.progress.say(
                f"{schedule.name}: epoch {epoch + 1}, loss {loss:.4f}, later {later:.4f}"
            )
            if state is None or np.isnan(later) or later < valid[kept]:
                kept = epoch
                state = {name: value.clone() for name, value in module.state_dict().items()}
            elif epoch - kept >= schedule.patience:
                break
    except KeyboardInterrupt:
        if state is None:
            raise
        interrupted = True
    assert state is not None, "there is at least one epoch"
    module.load_state_dict(state)
    module.eval()
    return LearningCurve(schedule.of, train, valid[: len(train)], kept), interrupted


@contextmanager
def reproducible(run: FitRun) -> Iterator[Any]:
    """PyTorch with the run's seed and threads inside the block, as it was before after it."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(run.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed)
            yield torch
    finally:
        torch.set_num_threads(threads)


def sample_indices(weights: Floats, count: int, draws: np.random.Generator) -> Ints:
    """Indices drawn with chances in proportion to `weights`: int64, (count,)."""
    sums = np.cumsum(weights, dtype=np.float64)
    places: Ints = np.searchsorted(sums, draws.random(count) * sums[-1], side="right")
    return places.clip(max=len(weights) - 1)
