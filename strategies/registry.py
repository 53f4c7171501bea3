"""Which strategy types exist: each registers itself by decorator, under a name of its own."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Protocol, TypeVar

from core.errors import SegueError, unknown_name
from strategies.base import Artifacts, Params, Strategy

ENTRY_POINTS = "segue.strategies"

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


_types: dict[str, Registered] = {}


def strategy(name: str, params: type[Params] = Params) -> Callable[[C], C]:
    """Register the decorated class as strategy type `name` with these params."""

    def register(made: C) -> C:
        module = made.__module__
        taken = _types.get(name)
        if taken is not None and taken.module != module:
            raise SegueError(
                f"{module}: strategy type '{name}' is taken by {taken.module}. Choose another name"
            )
        about = (made.__doc__ or "").strip().partition("\n")[0]
        _types[name] = Registered(name, params, made, module, about)
        return made

    return register


def known() -> Mapping[str, Registered]:
    """All registered types by name, read-only."""
    return MappingProxyType(dict(sorted(_types.items())))


def find(name: str) -> Registered:
    """The type of this name.

    Raises:
        SegueError: No such type; names the nearest one.
    """
    found = _types.get(name)
    if found is None:
        raise SegueError(unknown_name("strategy type", name, _types))
    return found


def load(modules: tuple[str, ...] = ()) -> None:
    """Let strategies from outside register: other packages' entry points, then config's modules.

    Raises:
        SegueError: A module that cannot be imported, with the reason.
    """
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda e: e.name):
        _imported(entry.value.partition(":")[0])
    for module in modules:
        _imported(module)


def _imported(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:
        raise SegueError(
            f"module '{module}' cannot be imported: {type(error).__name__}: {error}"
        ) from error
