"""Validation faults: pydantic's errors with the path in the file and the nearest known key."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from core.errors import Faults, unknown_name
from strategies.base import Params
from strategies.registry import RESERVED


def add_validation_faults(
    faults: Faults, error: ValidationError, file: str, prefix: str, model: type[BaseModel]
) -> None:
    """Turn pydantic's errors into faults. For an unknown key, name the nearest known one."""
    for problem in error.errors():
        location = [str(part) for part in problem["loc"]]
        where = f"{file}: {'.'.join(filter(None, [prefix, *location]))}"
        if problem["type"] == "extra_forbidden":
            known = _keys_at(model, problem["loc"][:-1])
            if issubclass(model, Params) and len(location) == 1:
                known += sorted(RESERVED)
            faults.add(where, unknown_name("key", location[-1], known))
        elif problem["type"] == "missing":
            faults.add(where, "must be there, since it has no default. Add it")
        elif problem["type"] == "value_error":
            faults.add(where, problem["msg"].removeprefix("Value error, "))
        else:
            faults.add(where, f"{_lower(problem['msg'])}, got {problem['input']!r:.80}")


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the known keys at a place inside a model."""
    here: Any = model
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
        else:
            here = next((a for a in _models_in(here)), None)
    found = next(_models_in(here), None)
    return list(found.model_fields) if found else []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
