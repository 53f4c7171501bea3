"""Small odd logs are reported or refused with a sentence; no reader fails on one.

`make fuzz` tries thousands of them.
"""

import random
from pathlib import Path

import numpy as np
import pytest

from tests.odd_logs.made_log import write_log
from tests.odd_logs.readings import read

SEEDS = (43, 50)
"""Botify's lines, and four arms whose lines lack fields or are of a fallback."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_odd_log_is_read_in_every_way(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # without a config.yaml, which has plans of its own
    draw = random.Random(seed)
    write_log(tmp_path / "log", draw)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        read(tmp_path / "log", draw)
