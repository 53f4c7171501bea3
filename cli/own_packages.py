"""A check that Python finds Segue's own packages.

They have plain names (`app`, `core` ...), and Python looks in the working folder and in PYTHONPATH
first: it would run a user's file or folder of such a name in place of ours. This module imports
none of our modules, since it runs before them.
"""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

PACKAGES = (
    "core",
    "strategies",
    "events",
    "engine",
    "app",
    "simulator",
    "analysis",
    "training",
    "audit",
    "learning",
    "cli",
    "segue",
)


def fault_of_packages() -> str | None:
    """Say which file stands in the way of a package of ours; None if none does."""
    root = Path(__file__).resolve().parents[1]
    for name in PACKAGES:
        ours = root / name
        found = _file_of(find_spec(name))
        if found is None:
            return f"package '{name}' must lie in {root}, and is not there. Install Segue again"
        if ours not in (found, found.parent):
            return (
                f"{found} stands in the way of Segue's own package '{name}' in {ours}. Rename it, "
                f"or run segue from another folder than {found.parents[found.stem == '__init__']} "
                "and without that folder in PYTHONPATH"
            )
    return None


def _file_of(spec: ModuleSpec | None) -> Path | None:
    """The file of a package, or its folder where it has no `__init__.py`."""
    if spec is None:
        return None
    if spec.has_location and spec.origin is not None:
        return Path(spec.origin).resolve()
    folders = list(spec.submodule_search_locations or ())
    return Path(folders[0]).resolve() if folders else None
