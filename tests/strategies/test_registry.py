"""The registry: read-only from outside, and complete by itself."""

import pkgutil
from pathlib import Path

import pytest

import strategies
from core.errors import SegueError
from strategies import registry


def test_every_strategy_file_registers_and_has_a_test_file_of_its_own():
    files = {module.name for module in pkgutil.iter_modules(strategies.__path__)}
    registering = {
        found.module.removeprefix("strategies.")
        for found in registry.known().values()
        if found.module.startswith("strategies.")
    }
    assert files - registering == {"base", "registry", "session_scores", "wrapping"}
    tested = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert registering <= tested


def test_the_known_types_cannot_be_changed_from_outside():
    known = registry.known()
    assert list(known) == sorted(known)
    with pytest.raises(TypeError):
        known["mine"] = known["random"]


def test_a_type_is_found_by_its_name():
    found = registry.find("random")
    assert (found.name, found.module) == ("random", "strategies.uniform")
    assert found.about == "Propose the whole catalog."


def test_an_unknown_type_is_an_error_with_the_nearest_name():
    with pytest.raises(
        SegueError, match=r"unknown strategy type 'top_popp'\. Did you mean 'top_pop'\? Known: .*ra"
    ):
        registry.find("top_popp")
