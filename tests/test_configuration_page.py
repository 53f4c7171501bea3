"""docs/configuration.md names every key of config.yaml, with its default."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from engine.settings.model import ArmSettings, ConfigFile, ExperimentSettings

PAGE = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text()
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|", PAGE, re.MULTILINE))


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """List every key that a config may have, and its default."""
    for name, field in model.model_fields.items():
        inner = next((a for a in (field.annotation, *get_args(field.annotation)) if is_model(a)), 0)
        if is_model(inner) and inner is not ArmSettings:
            many = "[]" if inner is ExperimentSettings else ""
            yield from keys(inner, f"{prefix}{name}{many}.")
        else:
            yield f"{prefix}{name}", field.default


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


KNOWN = dict(keys(ConfigFile))


def test_the_page_names_exactly_the_keys_of_a_config() -> None:
    assert sorted(ROWS) == sorted(KNOWN)


@pytest.mark.parametrize("key", sorted(set(KNOWN) & set(ROWS)))
def test_the_page_gives_each_default(key: str) -> None:
    stated = ROWS[key].strip("`")
    default = KNOWN[key]
    if default is PydanticUndefined:
        assert stated == "(needed)"
    elif default is None:
        assert stated  # words explain what None means
    elif isinstance(default, bool):
        assert stated == str(default).lower()
    elif isinstance(default, tuple):
        assert stated == str(list(default))
    elif isinstance(default, int | float):
        assert float(stated) == default
    else:
        assert stated == ('""' if default == "" else str(default))
