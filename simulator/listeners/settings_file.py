"""Read a listener model: `botify`, `lifelong`, or a YAML file with settings."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from core.errors import Fault, Faults, InputError, unknown_name
from simulator.listeners.settings import ALIASES, EFFECTS, ListenerSettings


def read_listener(name: str) -> ListenerSettings:
    """Return the settings of a model by its name, or of a file.

    Raises:
        InputError: The file cannot be read, or lists everything that is wrong in it.
    """
    if name in ("botify", "lifelong") or name in ALIASES:
        return ListenerSettings.model_validate({"listener": name})
    path = Path(name)
    if not path.exists():
        raise InputError.one(name, "must be botify, lifelong, or a YAML file that exists")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError.one(name, f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError.one(name, f"must be YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError.one(name, "must be a mapping, for instance `listener: lifelong`")
    try:
        return ListenerSettings.model_validate(content)
    except ValidationError as error:
        raise InputError(_faults(name, error)) from error


def _faults(name: str, error: ValidationError) -> list[Fault]:
    """Turn pydantic's findings into faults that name the file and the key."""
    faults = Faults()
    for found in error.errors():
        keys = [str(key) for key in found["loc"]]
        where = f"{name}: {'.'.join(keys)}" if keys else name
        if found["type"] == "extra_forbidden":
            faults.add(where, unknown_name("key", keys[-1], _known_keys(keys[:-1])))
            continue
        message = found["msg"].removeprefix("Value error, ")
        if keys and found["type"] != "value_error":
            message = f"{message[0].lower()}{message[1:]}, got {found['input']!r}"
        faults.add(where, message)
    return faults.found


def _known_keys(keys: list[str]) -> list[str]:
    """Return the keys that may stand in a block."""
    if not keys:
        return list(ListenerSettings.model_fields)
    assert keys[0] in EFFECTS, "only effects are blocks"
    default: Any = ListenerSettings.model_fields[keys[0]].default
    assert isinstance(default, BaseModel), "every effect is on by default"
    return list(type(default).model_fields)
