"""The registry: a name has one owner, and the error for an unknown name has the nearest one."""

import pytest

from core.errors import SegueError
from core.registry import Registry


def made_in(module: str, label: str = "first") -> type:
    """Make a class of this module; its name is always the same."""
    return type("Thing", (), {"__module__": module, "__qualname__": "Thing", "label": label})


@pytest.fixture
def registry() -> Registry[str]:
    """A registry with one entry, made by `one.Thing`."""
    registry: Registry[str] = Registry("thing")
    registry.register("lamp", _label)(made_in("one"))
    return registry


def _label(made: type) -> str:
    return str(made.label)  # type: ignore[attr-defined]


def test_a_name_registered_twice_is_refused_and_both_modules_are_named(
    registry: Registry[str],
) -> None:
    with pytest.raises(SegueError) as error:
        registry.register("lamp", _label)(made_in("two", "second"))
    assert str(error.value) == (
        "two.Thing: thing 'lamp' is taken by one.Thing. Choose another name"
    )
    assert registry.find("lamp") == "first"


def test_the_same_class_may_register_again(registry: Registry[str]) -> None:
    registry.register("lamp", _label)(made_in("one", "reloaded"))
    assert registry.find("lamp") == "reloaded"


def test_an_unknown_name_comes_with_the_nearest(registry: Registry[str]) -> None:
    with pytest.raises(SegueError, match=r"unknown thing 'lmap'\. Did you mean 'lamp'\? Known: l"):
        registry.find("lmap")


def test_known_entries_are_sorted_and_read_only(registry: Registry[str]) -> None:
    registry.register("bed", _label)(made_in("three", "soft"))
    known = registry.known()
    assert list(known.items()) == [("bed", "soft"), ("lamp", "first")]
    with pytest.raises(TypeError):
        known["bed"] = "hard"  # type: ignore[index]


def test_a_copy_leaves_the_original_as_it_is(registry: Registry[str]) -> None:
    copy = registry.copy()
    copy.register("bed", _label)(made_in("three"))
    assert "bed" in copy.known()
    assert "bed" not in registry.known()
    with pytest.raises(SegueError, match="taken by one"):
        copy.register("lamp", _label)(made_in("two"))
