"""Reading which listeners come: `classic`, `lifelong`, or a YAML file that says more."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from core.errors import Faults, InputError, unknown_name
from simulator.listeners.settings import EFFECTS, ListenerSettings


def read_listener(name: str) -> ListenerSettings:
    """Settings by the name of a model, or from a file.

    Raises:
        InputError: The file cannot be read, or everything that is wrong in it.
    """
    if name == "classic" or name == "lifelong":
        return ListenerSettings(listener=name)
    path = Path(name)
    if not path.exists():
        raise InputError.one(name, "must be classic, lifelong, or a YAML file that exists")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError.one(name, f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError.one(name, f"must be YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError.one(name, "must be a mapping, as `listener: lifelong`")
    try:
        return ListenerSettings.model_validate(content)
    except ValidationError as error:
        faults = Faults()
        for found in error.errors():
            keys = [str(key) for key in found["loc"]]
            where = f"{name}: {'.'.join(keys)}" if keys else name
            if found["type"] == "extra_forbidden":
                faults.add(where, unknown_name("key", keys[-1], _known(keys[:-1])))
            else:
                message = found["msg"].removeprefix("Value error, ")
                faults.add(where, f"{message[0].lower()}{message[1:]}, got {found['input']!r}"
                           if keys and found["type"] != "value_error" else message)  # fmt: skip
        raise InputError(faults.found) from error


def _known(keys: list[str]) -> list[str]:
    """Keys that may stand in a block."""
    if not keys:
        return list(ListenerSettings.model_fields)
    assert keys[0] in EFFECTS, "only effects are blocks"
    default: Any = ListenerSettings.model_fields[keys[0]].default
    assert isinstance(default, BaseModel), "every effect is on by default"
    return list(type(default).model_fields)
