"""A report as plain JSON values, by the schema in `report.schema.json`."""

import json
import math
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from analysis.checks.result import ValidityReport
from analysis.effects.metrics import Metric
from analysis.effects.results import Effect, Report

SCHEMA_VERSION = 2


def to_json(report: Report) -> str:
    """The report as indented JSON; the same report gives the same bytes."""
    content = {"schema": SCHEMA_VERSION, "valid": report.valid, **_plain(report)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(thing: Any) -> Any:
    if isinstance(thing, ValidityReport):
        return _plain(thing.to_dict())
    if isinstance(thing, Metric):
        return {"name": thing.name, "label": thing.label, "unit": thing.unit,
                "better": thing.better}  # fmt: skip
    if isinstance(thing, Enum):
        return thing.value
    if is_dataclass(thing):
        found = {field.name: _plain(getattr(thing, field.name)) for field in fields(thing)}
        if isinstance(thing, Effect):
            found["good"] = thing.good
        return found
    if isinstance(thing, dict):
        return {str(key): _plain(each) for key, each in thing.items()}
    if isinstance(thing, list | tuple):
        return [_plain(each) for each in thing]
    if isinstance(thing, float):
        # Nine digits: more would differ by how threads happened to add up.
        return float(f"{thing:.9g}") if math.isfinite(thing) else None
    return thing
