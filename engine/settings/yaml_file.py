"""A config file as plain values: YAML without what a config, its digest or its copy cannot hold.

The reload of a hostile file must be refused, so its depth, its size and its numbers have bounds.
"""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from core.errors import Faults, InputError
from engine.settings.model import ConfigFile
from engine.settings.written_scalars import misread_scalars

DEEPEST = 50
"""Most levels of nesting; a config needs seven, and a JSON writer ends at 254."""

MOST_VALUES = 100_000
"""Most values, with each alias counted as what it stands for: nine aliases of nine are 9^9."""

SMALLEST, LARGEST = -(2**63), 2**64 - 1
"""Ends of the integers that the copy of a config can hold."""


def parse_yaml(path: Path) -> tuple[dict[str, Any], Faults]:
    """Read a file that is a mapping of sections.

    Returns:
        Its content, and the faults of scalars that YAML read as something else.

    Raises:
        InputError: The file cannot be read, or is no such YAML.
    """
    try:
        content, faults = _construct(path)
    except OSError as error:
        raise InputError.one(
            str(path), f"cannot be read: {error.strerror}. Name a config with --config FILE"
        ) from error
    except RecursionError as error:
        raise InputError.one(str(path), f"must be YAML: {_TOO_DEEP}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InputError.one(f"{path}{line}", f"must be YAML: {problem}") from error
    if not isinstance(content, dict):
        kind = "nothing" if content is None else type(content).__name__
        raise InputError.one(str(path), f"must be a mapping of sections, has {kind}")
    return content, faults


_TOO_DEEP = f"nested over {DEEPEST} levels; remove levels"
_TOO_LARGE = "an integer of over 64 bits; write it in quotation marks if it is a name"


class _Loader(yaml.SafeLoader):
    """A loader that refuses repeated keys, and values that a config's copy cannot hold.

    PyYAML would silently take the last of repeated keys.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Hashable] = set()
        for key in (self.construct_object(key, deep=True) for key, _ in node.value):
            if isinstance(key, Hashable):
                if key in seen:
                    raise _fault(f"key '{key}' stands twice; remove one", node)
                seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except ValueError as error:  # a date that is none, or a number of thousands of digits
            raise _fault(_TOO_LARGE if node.tag.endswith(":int") else f"{error}", node) from error
        if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
            raise _fault(_TOO_LARGE, node)
        if isinstance(value, str) and ("\0" in value or not _is_text(value)):
            raise _fault("text with a character that is none (NUL, or half of a pair)", node)
        return value


def _construct(path: Path) -> tuple[Any, Faults]:
    loader = _Loader(path.read_bytes())
    try:
        node = loader.get_single_node()
        if node is None:
            return None, Faults()
        _measure(node, {}, 1)
        faults = misread_scalars(node, ConfigFile, path)  # it corrects the nodes at fault
        return loader.construct_document(node), faults
    finally:
        loader.dispose()


def _measure(node: yaml.Node, sizes: dict[int, int | None], level: int) -> int:
    """Count the values of a node, and refuse one that is too deep, too large, or in itself."""
    if level > DEEPEST:
        raise _fault(_TOO_DEEP, node)
    known = sizes.get(id(node), 0)
    if known is None:
        raise _fault("an alias inside of what it stands for; write the content out", node)
    if known:
        return known
    sizes[id(node)] = None  # under way
    size = 1 + sum(_measure(part, sizes, level + 1) for part in _parts(node))
    if size > MOST_VALUES:
        raise _fault(f"over {MOST_VALUES:,} values; write less, or use fewer aliases", node)
    sizes[id(node)] = size
    return size


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _fault(problem: str, node: yaml.Node) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)
