"""Differences of two results made of lists, dicts and plain values; floats may differ by 1e-9."""

import math
from collections.abc import Iterator
from typing import Any


def differences(expected: Any, found: Any, where: str) -> Iterator[str]:
    """Name every place at which the results differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            yield f"{where}: {sorted(expected)} and {sorted(found)}"
            return
        for key in expected:
            yield from differences(expected[key], found[key], f"{where}: {key}")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{where}: {len(expected)} and {len(found)} rows"
            return
        for place, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{where}[{place}]")
    elif isinstance(expected, float) and isinstance(found, float):
        if not math.isclose(expected, found, rel_tol=1e-9, abs_tol=1e-9) and not (
            math.isnan(expected) and math.isnan(found)
        ):
            yield f"{where}: {expected!r} and {found!r}"
    elif expected != found or type(expected) is not type(found):
        yield f"{where}: {expected!r} and {found!r}"
