"""Epochs: one training loop for all models of PyTorch, with early stopping and Ctrl-C.

The loop keeps the epoch with the lowest loss on the validation split. On one machine, the same
seed and number of threads give the same model on the CPU, bit by bit. On a GPU the same numbers are
drawn and the same steps are taken; only the order of sums differs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InputError
from training.model import Device, FitRun, LearningCurve
from training.top_k import Floats, Ints


@dataclass(frozen=True, slots=True)
class Schedule:
    """The length of a fit, and its names.

    Attributes:
        name: Name of the model, for the progress.
        measure: Name of the loss, for the learning curve.
        epochs: Maximum number of passes over the listens.
        patience: Epochs without a lower validation loss after which the fit stops.
        batches: Batches of an epoch.
    """

    name: str
    measure: str
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
    """Fit until the validation loss stops falling, and leave the best epoch's state in `module`.

    Args:
        schedule: The length of the fit.
        module: A torch module.
        one_epoch: Called with the epoch from 0 and a function to call after each batch; returns
            the mean loss.
        validate: Returns the validation loss; NaN where the split is empty, so that the last
            epoch is kept.
        run: Its progress shows the batches.

    Returns:
        The learning curve, and whether Ctrl-C ended the fit.

    Raises:
        KeyboardInterrupt: Ctrl-C came before the first epoch was complete.
    """
    train: list[float] = []
    valid: list[float] = []
    best_epoch, state = 0, None
    interrupted = False
    run.progress.start(f"{schedule.name}: learn", schedule.epochs * schedule.batches)
    try:
        for epoch in range(schedule.epochs):
            loss = one_epoch(epoch, run.progress.advance)
            validation_loss = validate()
            train.append(loss)
            valid.append(validation_loss)
            run.progress.say(
                f"{schedule.name}: epoch {epoch + 1}, loss {loss:.4f}, later {validation_loss:.4f}"
            )
            if state is None or np.isnan(validation_loss) or validation_loss < valid[best_epoch]:
                best_epoch = epoch
                state = {name: value.clone() for name, value in module.state_dict().items()}
            elif epoch - best_epoch >= schedule.patience:
                break
    except KeyboardInterrupt:
        if state is None:
            raise
        interrupted = True
    assert state is not None, "there is at least one epoch"
    module.load_state_dict(state)
    module.eval()
    return LearningCurve(schedule.measure, train, valid[: len(train)], best_epoch), interrupted


@contextmanager
def reproducible(run: FitRun) -> Iterator[tuple[Any, Any]]:
    """Give PyTorch the run's seed and threads within the block, and restore them afterwards.

    Yields:
        The module torch, and the device of the run.

    Raises:
        InputError: The run wants CUDA, and PyTorch finds none.
    """
    import torch

    device = _device_of(torch, run.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(run.threads)
    try:
        with torch.random.fork_rng(devices=[0] if device.type == "cuda" else []):
            torch.manual_seed(run.seed)
            yield torch, device
    finally:
        torch.set_num_threads(threads)


def _device_of(torch: Any, name: Device) -> Any:
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise InputError.one(
            "--device",
            "must be a device that PyTorch finds here, is 'cuda', and PyTorch "
            f"{torch.__version__} finds no GPU. Use auto or cpu",
        )
    return torch.device("cuda" if has_cuda and name != "cpu" else "cpu")


def sample_indices(weights: Floats, count: int, draws: np.random.Generator) -> Ints:
    """Draw indices with probabilities in proportion to `weights`: int64, (count,)."""
    sums = np.cumsum(weights, dtype=np.float64)
    places: Ints = np.searchsorted(sums, draws.random(count) * sums[-1], side="right")
    return places.clip(max=len(weights) - 1)
