"""Devices: where PyTorch computes, and what that leaves the same."""

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from core.errors import InputError
from tests import needs
from tests.training.listening import TRACKS, listening
from training.epochs import reproducible
from training.model import Device, FitRun, FittedModel, build

pytestmark = needs.package("torch")


def has_gpu() -> bool:
    """Whether PyTorch finds a GPU here; most machines that run these tests have none."""
    import torch

    return torch.cuda.is_available()


def fitted(device: Device) -> FittedModel:
    """The model `neural`, fitted on this device."""
    train, valid = listening(1200).split(0.1)
    return build("neural")[0].fit(train, FitRun(valid, threads=1, device=device))


def test_the_cpu_is_used_even_where_a_gpu_is() -> None:
    with reproducible(FitRun(listening(3), device="cpu")) as (_, device):
        assert device.type == "cpu"


def test_auto_takes_a_gpu_if_there_is_one() -> None:
    with reproducible(FitRun(listening(3), device="auto")) as (_, device):
        assert device.type == ("cuda" if has_gpu() else "cpu")


def test_cuda_where_no_gpu_is_found_is_refused_and_a_gpu_learns_the_same() -> None:
    if not has_gpu():
        message = r"--device: must be a device that PyTorch finds here, is 'cuda'.*Use auto or cpu"
        with pytest.raises(InputError, match=message):
            fitted("cuda")
        return
    on_cpu, on_gpu = fitted("cpu"), fitted("cuda")
    assert on_cpu.curve is not None
    assert on_gpu.curve is not None
    # Sums of float32 in a different order: the losses agree to a thousandth.
    assert np.allclose(on_cpu.curve.valid, on_gpu.curve.valid, rtol=1e-3)


def test_auto_and_cpu_give_the_same_lists_where_there_is_no_gpu() -> None:
    named, chosen = fitted("cpu"), fitted("auto")
    assert named.facts["device"] == "cpu"
    if chosen.facts["device"] == "cpu":
        keys = np.arange(TRACKS)
        assert np.array_equal(named.rankers["track"](keys, 10), chosen.rankers["track"](keys, 10))
