"""The registered strategy types: each registers itself by decorator, under its own name."""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, TypeVar

from core.errors import SegueError
from core.registry import Registry, path_of
from strategies.base import Artifacts, Params, Strategy

ENTRY_POINTS = "segue.strategies"
RESERVED = frozenset({"type", "fallback", "timeout_ms"})

P_contra = TypeVar("P_contra", bound=Params, contravariant=True)


class StrategyType(Protocol[P_contra]):
    """A class that builds a strategy from its params and what it may read."""

    def __call__(self, params: P_contra, artifacts: Artifacts) -> Strategy:
        """Build the strategy, once, at start-up."""


C = TypeVar("C", bound=Callable[..., Strategy])


@dataclass(frozen=True, slots=True)
class Registered:
    """A strategy type.

    Attributes:
        name: What config calls it.
        params: The model of its settings.
        make: Builds one from params and artifacts.
        module: Where it is defined.
        about: First line of its docstring.
    """

    name: str
    params: type[Params]
    make: Callable[..., Strategy]
    module: str
    about: str


TYPES: Registry[Registered] = Registry("strategy type")
"""All strategy types. A test that registers one works on a copy (`TYPES.copy()`)."""


def strategy(name: str, params: type[Params] = Params) -> Callable[[C], C]:
    """Register the decorated class as strategy type `name` with these params.

    A module that is imported again may register its class again.

    Raises:
        SegueError: The name is taken by another class, or a param has a name that config needs.
    """

    def entry_for(made: C) -> Registered:
        reserved = RESERVED.intersection(params.model_fields)
        if reserved:
            raise SegueError(
                f"{path_of(made)}: a param may not be called '{min(reserved)}', which every entry "
                "of config has for itself. Choose another name"
            )
        about = (made.__doc__ or "").strip().partition("\n")[0]
        return Registered(name, params, made, made.__module__, about)

    return TYPES.register(name, entry_for)


def known() -> Mapping[str, Registered]:
    """All registered types by name, read-only."""
    return TYPES.known()


def find(name: str) -> Registered:
    """The type of this name.

    Raises:
        SegueError: No such type; names the nearest one.
    """
    return TYPES.find(name)


def load(modules: tuple[str, ...] = (), beside: Path | None = None) -> None:
    """Let strategies from outside register: other packages' entry points, then config's modules.

    Args:
        modules: Names of modules to import.
        beside: A folder where they may lie too, after everywhere that Python looks anyway.

    Raises:
        SegueError: A module that cannot be imported, with the reason.
    """
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda e: e.name):
        owner = entry.dist.name if entry.dist else "a package"
        _import(entry.value.partition(":")[0], f" (of the installed '{owner}')")
    folders = [] if beside is None else [str(beside.resolve())]
    sys.path.extend(folders)
    try:
        for module in modules:
            _import(module, "".join(f" (looked for in {folder} too)" for folder in folders))
    finally:
        for folder in folders:
            sys.path.remove(folder)


def _import(module: str, hint: str = "") -> None:
    if module in _UNDER_WAY:
        # Python would wait for the first import, and so for ever.
        raise SegueError(
            f"module '{module}'{hint} is still being imported by a load that hangs. Restart the "
            "server, or give the corrected module a new name"
        )
    _UNDER_WAY.add(module)
    try:
        importlib.import_module(module)
    except SegueError:
        raise
    except (Exception, SystemExit) as error:
        # SystemExit is no Exception: from a module it would end the server.
        raise SegueError(
            f"module '{module}'{hint} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    finally:
        _UNDER_WAY.discard(module)


_UNDER_WAY: set[str] = set()
"""Modules whose import has begun and not ended."""
