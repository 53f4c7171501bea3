"""The gain of a GPU for models of PyTorch; run with `python -m benchmarks.devices [FILE]`.

Fits `neural` and `personal` on generated listens, on the CPU and, if there is one, on the GPU, with
the same seed. Prints seconds of the fit and how far losses and NDCG@10 differ, and writes them to
FILE as JSON.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import training.models  # noqa: F401  (importing it registers the models)
from benchmarks.training import listening
from training.evaluation_split import EvaluationSplit
from training.model import Device, build
from training.training_options import TrainingOptions

FITS: tuple[tuple[str, int, Mapping[str, Any]], ...] = (
    ("neural", 1_000_000, {}),
    ("personal", 1_000_000, {}),
    ("neural:listener", 1_000_000, {}),
    ("neural", 10_000_000, {"most": 10_000_000, "epochs": 2}),
)
"""Model, listens and settings. Ten million listens are learnt in two passes, for the CPU's sake."""

LATE = 0.01
"""Share of the sessions to evaluate on: it costs more than a fit on a GPU."""


def main() -> None:
    """Measure every fit on both devices, and report after each one."""
    import torch

    to = Path(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[0].endswith("devices.py") else None
    devices: list[Device] = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if len(devices) > 1 else None,
        "fits": [],
    }
    for spec, listens, settings in FITS:
        log = listening(listens, 100_000, listens // 50)
        for device in reversed(devices):  # the GPU first: a time limit cuts off the slowest
            found["fits"].append(fit_on(device, spec, settings, log))
            print(json.dumps(found["fits"][-1]), flush=True)
            if to is not None:
                to.write_text(json.dumps(found, indent=2) + "\n")


def fit_on(device: Device, spec: str, settings: Mapping[str, Any], log: Any) -> dict[str, Any]:
    """Fit one model on one device; returns its seconds, losses and accuracy."""
    from core.progress import SILENT

    options = TrainingOptions(test_share=LATE, threads=os.cpu_count() or 1, device=device)
    split = EvaluationSplit.of(log, options)
    started = perf_counter()
    trial = split.evaluate_model(spec, *build(spec, settings), SILENT)
    curve = trial.fitted.curve
    assert curve is not None
    return {
        "model": spec, "settings": dict(settings), "listens": len(log), "device": device,
        "tracks": len(log.catalog), "fit_s": round(trial.fit_s, 2),
        "all_s": round(perf_counter() - started, 2),
        "epochs": len(curve.train), "train": list(curve.train), "valid": list(curve.valid),
        "ndcg10": {each.key: each.accuracy["ndcg10"].value for each in trial.metrics},
    }  # fmt: skip


if __name__ == "__main__":
    main()
