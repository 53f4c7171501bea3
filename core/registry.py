"""A registry: things of one kind by name, filed by a decorator at the place that defines them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from core.errors import SegueError, unknown_name

Entry = TypeVar("Entry")
Made = TypeVar("Made", bound=Callable[..., Any])


class Registry(Generic[Entry]):
    """The entries of one kind.

    A name belongs to the first class that takes it: a second class under the same name would
    change the meaning of a config or a command, and nobody would see it.

    Attributes:
        kind: The noun for an entry in messages: `strategy type`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}
        self._owners: dict[str, str] = {}

    def register(self, name: str, entry_for: Callable[[Made], Entry]) -> Callable[[Made], Made]:
        """Make a decorator that files the decorated class under `name`.

        A module that is imported again may register its class again.

        Args:
            name: The name that config or the command line uses.
            entry_for: Makes the entry from the decorated class.

        Raises:
            SegueError: Another class has the name; the decorator raises it.
        """

        def file(made: Made) -> Made:
            owner = path_of(made)
            holder = self._owners.get(name, owner)
            if holder != owner:
                raise SegueError(
                    f"{owner}: {self.kind} '{name}' is taken by {holder}. Choose another name"
                )
            self._entries[name] = entry_for(made)
            self._owners[name] = owner
            return made

        return file

    def known(self) -> Mapping[str, Entry]:
        """All entries by name, sorted, read-only."""
        return MappingProxyType(dict(sorted(self._entries.items())))

    def find(self, name: str) -> Entry:
        """The entry of this name.

        Raises:
            SegueError: No entry has it; the message names the nearest one and lists all.
        """
        if name not in self._entries:
            raise SegueError(unknown_name(self.kind, name, self._entries))
        return self._entries[name]

    def copy(self) -> "Registry[Entry]":
        """A registry of its own with the same entries, for tests that register something."""
        twin: Registry[Entry] = Registry(self.kind)
        twin._entries = dict(self._entries)
        twin._owners = dict(self._owners)
        return twin


def path_of(made: Callable[..., Any]) -> str:
    """Module and qualified name of a class: `strategies.uniform.Uniform`."""
    return f"{made.__module__}.{getattr(made, '__qualname__', '')}"
