"""The JSON Schema of config.yaml, so that an editor completes keys, and underlines mistakes.

It says what the models say, with their docstrings as descriptions. Names that must exist, and
weights that must add up, are beyond a schema: `segue check` finds those.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from engine.settings.model import NAME_PATTERN, ConfigFile
from strategies.registry import Registered

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that every editor knows."""

FILE_NAME = "config.schema.json"
MODELINE = f"# yaml-language-server: $schema={FILE_NAME}\n"
"""The first line of a config that lies beside its schema: editors find the schema by it."""


def config_schema(types: Mapping[str, Registered]) -> dict[str, Any]:
    """Return the schema of a config over these strategy types."""
    definitions: dict[str, Any] = {}
    schema = _schema_of(ConfigFile, "", definitions)
    schema["properties"]["strategies"] = {
        "type": "object",
        "minProperties": 1,
        "description": meaning(ConfigFile, "strategies"),
        "patternProperties": {NAME_PATTERN: {"$ref": "#/definitions/strategy"}},
        "additionalProperties": False,
    }
    definitions["strategy"] = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": sorted(types)}},
        "allOf": [_if_of_type(found, definitions) for _, found in sorted(types.items())],
    }
    return {"$schema": DRAFT, **schema, "title": "Segue: config.yaml", "definitions": definitions}


def meaning(model: type[BaseModel], key: str) -> str:
    """Find what the docstring of a model, or of a base of it, says of a key."""
    for base in model.__mro__:
        found = re.search(
            rf"^ +{key}: (.*(?:\n {{8,}}\S.*)*)",
            inspect.cleandoc(base.__doc__ or ""),
            re.MULTILINE,
        )
        if found and issubclass(base, BaseModel):
            return " ".join(found[1].split())
    return ""


def _if_of_type(found: Registered, definitions: dict[str, Any]) -> dict[str, Any]:
    """Say which params the entry of a strategy has, if it is of this type."""
    schema = _schema_of(found.params, f"{found.name}.", definitions)
    schema["properties"] = {
        "type": {"const": found.name, "description": found.about},
        "fallback": {
            "type": ["string", "null"],
            "description": "The strategy that is asked next if this one abstains.",
        },
        "timeout_ms": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "description": "Time after which a proposal of this strategy is discarded, in ms.",
        },
        **schema.get("properties", {}),
    }
    definitions[f"strategy.{found.name}"] = schema
    return {
        "if": {"properties": {"type": {"const": found.name}}, "required": ["type"]},
        "then": {"$ref": f"#/definitions/strategy.{found.name}"},
    }


def _schema_of(model: type[BaseModel], prefix: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a model's schema; the models inside it go to the definitions, under the prefix."""
    schema = model.model_json_schema(ref_template=f"#/definitions/{prefix}{{model}}")
    inner = schema.pop("$defs", {})
    _describe(model, schema)
    for name, each in inner.items():
        definitions[f"{prefix}{name}"] = each
    for name, each in _models_in(model).items():
        if name in inner:
            _describe(each, inner[name])
    _finish([schema, *inner.values()])
    return schema


def _models_in(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """List the models inside a model, by the name that its schema gives them."""
    found: dict[str, type[BaseModel]] = {}

    def visit(annotation: Any) -> None:
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        if is_model and annotation.__name__ not in found:
            found[annotation.__name__] = annotation
            for field in annotation.model_fields.values():
                visit(field.annotation)
        for inner in getattr(annotation, "__args__", ()):
            visit(inner)

    visit(model)
    return found


def _describe(model: type[BaseModel], schema: dict[str, Any]) -> None:
    """Put the docstring in: its first line, and a line for each key."""
    schema["description"] = inspect.cleandoc(model.__doc__ or "").partition("\n")[0]
    for key, value in schema.get("properties", {}).items():
        if said := meaning(model, key):
            value["description"] = said


def _finish(part: Any) -> None:
    """Rewrite what draft 7 writes in a different way, and drop titles, which repeat the keys."""
    if isinstance(part, dict):
        if "prefixItems" in part:
            part["items"] = part.pop("prefixItems")
        if "$ref" in part and len(part) > 1:
            part["allOf"] = [{"$ref": part.pop("$ref")}]
        if "patternProperties" in part:
            part["additionalProperties"] = False
        if isinstance(part.get("title"), str):
            del part["title"]
        for value in part.values():
            _finish(value)
    elif isinstance(part, list):
        for each in part:
            _finish(each)
