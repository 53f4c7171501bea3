"""Scalars as they are written: YAML reads `no` as false, `0123` as 83 and `12:30:45` as 45045.

If a string is meant, such a reading is a fault: a listener from Norway (`country: no`) would be in
no arm, and nobody would see it. The scalar then counts as the text that is written, so that one run
still shows all other faults.
"""

import re
import types
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from core.catalog import is_id
from core.errors import Faults, SegueError
from strategies import registry

_TAG = "tag:yaml.org,2002:"
_TYPES: Mapping[str, type] = {"bool": bool, "int": int, "float": float, "null": type(None)}
_MISLEADING = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
"""An octal or sexagesimal number: nobody means one in a config."""


def misread_scalars(root: yaml.Node, model: type[BaseModel], path: Path) -> Faults:
    """Find the scalars that YAML reads as something else than what is written.

    Args:
        root: The file's node; its scalars at fault become the text that is written.
        model: The form of the content.
        path: Stands in the faults.
    """
    check = _ScalarCheck(path)
    check.walk(root, model)
    return check.faults


class _ScalarCheck:
    """A walk over the nodes of a YAML file, beside the model of its content."""

    def __init__(self, path: Path) -> None:
        self.faults = Faults()
        self._path = path
        # Not the loader of the file: it keeps what it made of a node, and the node may change.
        self._reader = yaml.SafeLoader("")

    def walk(self, node: yaml.Node, meant: Any, place: tuple[str, ...] = ()) -> None:
        """Check a node and all nodes inside it.

        Args:
            node: The node; a scalar at fault becomes the text that is written.
            meant: The annotation of the value that the node stands for.
            place: The keys that lead to the node.
        """
        if isinstance(node, yaml.ScalarNode):
            self._check(node, _kinds(meant), place)
        elif isinstance(node, yaml.SequenceNode):
            inner = _items(meant)
            texts = any(item.tag == f"{_TAG}str" for item in node.value)
            if texts and str in inner:  # An attribute's values are of one kind.
                inner = [kind for kind in inner if kind is not bool]
            for number, item in enumerate(node.value):
                self.walk(item, _union(inner), (*place, str(number)))
        elif isinstance(node, yaml.MappingNode):
            self._walk_mapping(node, meant, place)

    def _walk_mapping(self, node: yaml.MappingNode, meant: Any, place: tuple[str, ...]) -> None:
        fields, key_kind, value_kind = _mapped(meant)
        if place[:1] == ("strategies",) and len(place) == 2:
            fields = _params_of(node)
        for key, value in node.value:
            here = (*place, str(key.value))
            self.walk(key, key_kind, here)
            self.walk(value, fields.get(here[-1], value_kind), here)

    def _check(self, node: yaml.ScalarNode, kinds: list[Any], place: tuple[str, ...]) -> None:
        tag = node.tag.removeprefix(_TAG)
        if node.style is not None or tag == "str":
            return
        fits = _TYPES.get(tag) in kinds
        if str not in kinds and Path not in kinds:
            if tag in ("int", "float") and _MISLEADING.fullmatch(node.value):
                self._fault(node, place, "must be a decimal number", True)
            elif tag == "bool" and not fits and (int in kinds or float in kinds):
                self._number_fault(node, place)
        elif fits and tag == "int" and not is_id(self._read(node)):
            self._fault(node, place, "must be an int of at most 64 bits, as the API takes", False)
        elif not fits or not _is_as_written(node.value, self._read(node)):
            self._fault(
                node, place, "must be as YAML reads it" if fits else "must be a string", fits
            )

    def _fault(
        self, node: yaml.ScalarNode, place: tuple[str, ...], must: str, may_be_meant: bool
    ) -> None:
        value = self._read(node)
        written, quoted = node.value or "nothing", f'Write "{node.value}" in quotation marks'
        if may_be_meant:
            quoted += f" if you mean the text, or {_plain(value)} if you mean that"
        what = f"{must}, but YAML reads {written} as {_named(value)}. {quoted}"
        self.faults.add(f"{self._path}: {'.'.join(place)}", what)
        node.tag = f"{_TAG}str"

    def _number_fault(self, node: yaml.ScalarNode, place: tuple[str, ...]) -> None:
        """Refuse a boolean, which pydantic would take for 0 or 1; the scalar then counts as 1."""
        what = f"must be a number, but YAML reads {node.value} as {_named(self._read(node))}. "
        self.faults.add(f"{self._path}: {'.'.join(place)}", f"{what}Write the number")
        node.tag, node.value = f"{_TAG}int", "1"

    def _read(self, node: yaml.ScalarNode) -> Any:
        """Return what YAML makes of a scalar; the text if it fails, as for the date 2024-13-45."""
        try:
            return self._reader.construct_object(node)
        except (ValueError, yaml.YAMLError):
            return node.value


def _kinds(meant: Any) -> list[Any]:
    """Flatten an annotation: the alternatives of a union, without `Annotated`.

    A value that a validator sees before pydantic does, or that has a few allowed values, may be
    anything here: pydantic's own fault names what is allowed.
    """
    origin = get_origin(meant)
    if origin is Annotated:
        inner, *marks = get_args(meant)
        return [Any] if any(isinstance(mark, BeforeValidator) for mark in marks) else _kinds(inner)
    if origin in (Union, types.UnionType):
        return [kind for each in get_args(meant) for kind in _kinds(each)]
    return [Any] if origin is Literal else [meant]


def _union(kinds: list[Any]) -> Any:
    return Union[tuple(kinds)] if kinds else Any  # noqa: UP007 (made of a list)


def _items(meant: Any) -> list[Any]:
    """List the annotations that an item of a list may have."""
    lists = [kind for kind in _kinds(meant) if get_origin(kind) in (list, tuple)]
    return [kind for each in lists for item in get_args(each) for kind in _kinds(item)]


def _mapped(meant: Any) -> tuple[dict[str, Any], Any, Any]:
    """Return a mapping's fields, and the annotations of its keys and of its remaining values."""
    kinds = _kinds(meant)
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return _fields(kind), Any, Any
    key, value = next((get_args(kind) for kind in kinds if get_origin(kind) is dict), (Any, Any))
    return {}, key, value


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: _annotation(field) for name, field in model.model_fields.items()}


def _annotation(field: FieldInfo) -> Any:
    """Return a field's annotation, or Any if a validator sees the value first."""
    before = any(isinstance(mark, BeforeValidator) for mark in field.metadata)
    return Any if before else field.annotation


def _params_of(node: yaml.MappingNode) -> dict[str, Any]:
    """Return the params of a strategy, as far as its type is known."""
    written = {key.value: value.value for key, value in node.value}
    known: dict[str, Any] = {"type": str, "fallback": str, "timeout_ms": float}
    with suppress(SegueError):
        known |= _fields(registry.find(str(written.get("type"))).params)
    return known


def _is_as_written(written: str, value: Any) -> bool:
    """Test whether the text is the value's own, as JSON has it."""
    return value is None or written.lower() == str(value).lower()


def _named(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):  # = and <<
        return "a sign of its own"
    kind = (
        "boolean"
        if isinstance(value, bool)
        else "number"
        if isinstance(value, int | float)
        else "date"
    )
    return f"the {kind} {_plain(value)}"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
