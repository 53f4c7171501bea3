"""Days of one log, and the comparison of what reports say of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

DAYS = 3


def days_of(lines: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Cut a log into days, in the middle of sessions; one process writes all of them."""
    days = []
    for day in range(DAYS):
        days.append(folder / f"day{day}")
        days[-1].mkdir(parents=True)
        here = lines[day * len(lines) // DAYS : (day + 1) * len(lines) // DAYS]
        text = "".join(json.dumps(line) + "\n" for line in here)
        (days[-1] / f"events-a-1000-1-{day + 1:04}.jsonl").write_text(text)
    return days


def alike(one: Any, two: Any) -> bool:
    """Compare results: counts exactly, floats to 1e-9."""
    if isinstance(one, float) and isinstance(two, float):
        return one == pytest.approx(two, rel=1e-9, abs=1e-9, nan_ok=True)
    if hasattr(one, "__dataclass_fields__"):
        return type(one) is type(two) and all(
            alike(getattr(one, name), getattr(two, name)) for name in one.__dataclass_fields__
        )
    if isinstance(one, Mapping):
        return one.keys() == two.keys() and all(alike(one[key], two[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(map(alike, one, two))
    return bool(one == two)
