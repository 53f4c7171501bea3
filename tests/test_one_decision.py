"""The served arm and the logged arm are one value: no second place may compute an assignment.

Botify computed it twice, once to serve and once to log, and the two differed for half of the
listeners. These tests read the source: they fail when somebody adds a second place.
"""

import ast
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.decision import LoggedTurn
from events import schema
from events.writer import EventWriter

ROOT = Path(__file__).parents[1]
DECIDING = ("app", "engine", "events", "strategies", "simulator", "training", "learning")
"""Packages on the path of a request, and those that play or learn from it."""

JUDGING = ("analysis", "audit", "cli")
"""Packages that compute assignments again on purpose, to compare them with the log."""


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def calls(tree: ast.AST, name: str) -> int:
    """Count the uses of a function or method of this name: calls, and uses as a value."""
    return sum(
        (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load))
        for node in ast.walk(tree)
    )


def imported(tree: ast.AST) -> set[str]:
    """List every name that a module imports, with its module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_one_module_has_the_hash() -> None:
    packages = ("core", *DECIDING, *JUDGING)
    found = [name for name, tree in modules(*packages) if "mmh3" in imported(tree)]
    assert found == ["core/allocation.py"]


def test_only_the_allocation_makes_slots_and_assignments() -> None:
    private = {f"core.allocation.{name}" for name in ("slot", "bounds", "Assignment")}
    may = {
        "core/experiment_changes.py": {"core.allocation.bounds"},  # compares two definitions
        "core/decision.py": {"core.allocation.Assignment"},  # carries it
        "engine/base_dispatcher.py": {"core.allocation.Assignment"},  # passes it to a failed turn
        "engine/dispatcher.py": {"core.allocation.Assignment"},  # passes it to the turn
        "engine/shared_turns/listener_parts.py": {"core.allocation.Assignment"},  # keeps it
        "engine/shared_turns/tickets.py": {"core.allocation.Assignment"},  # carries it to the turn
        "engine/exposure.py": {"core.allocation.Assignment"},  # requests it
        "engine/comparison.py": {"core.allocation.Assignment"},  # says which arm is the listener's
        "engine/preparation.py": {
            "core.allocation.Assignment"
        },  # groups the turns of a batch by it
        "engine/turn.py": {"core.allocation.Assignment"},  # decides by it
        "engine/state.py": {"core.allocation.Assignment"},  # keeps it, with its allocation
        # Keeps a listener's assignment between turns, as the dispatcher does.
        "simulator/recommenders/in_process.py": {"core.allocation.Assignment"},
    }
    for name, tree in modules("core", *DECIDING):
        made = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("Assignment", "slot")
        ]
        assert not made or name == "core/allocation.py", f"{name} makes an assignment"
        assert imported(tree) & private <= may.get(name, set()), name


def reached(start: str) -> dict[str, ast.Module]:
    """List our modules that one module imports, directly or through any number of modules."""
    trees = dict(modules("core", *DECIDING, *JUDGING))
    found: dict[str, ast.Module] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = trees[name]
            for each in imported(trees[name]):
                path = each.replace(".", "/")
                inside = {f"{path}.py", f"{path}/__init__.py", f"{path.rpartition('/')[0]}.py"}
                waiting += sorted(inside & trees.keys())
    return found


def test_the_server_computes_an_assignment_in_one_place() -> None:
    """Replay, explain and doctor compute it again, to compare; the server imports none of them."""
    graph = reached("app/application.py")
    assert {
        "engine/base_dispatcher.py",
        "app/routes.py",
        "core/allocation.py",
        "events/schema.py",
    } <= set(graph)
    found = {name: count for name, tree in graph.items() if (count := calls(tree, "assign"))}
    # The dispatcher calls `assign` once, for requests and reports; `exposure` calls the hash once.
    assert found == {"engine/base_dispatcher.py": 1, "engine/exposure.py": 1}


@pytest.mark.parametrize("function", [schema.line, schema.event, EventWriter.append])
def test_the_log_is_written_from_a_turn_and_nothing_else(function: typing.Any) -> None:
    hints = typing.get_type_hints(function)
    hints.pop("return")
    assert [name for name in inspect.signature(function).parameters if name != "self"] == ["turn"]
    assert hints == {"turn": LoggedTurn}


def test_the_log_knows_no_allocation() -> None:
    for name, tree in modules("events"):
        for each in imported(tree):
            fingerprint = each == "core.allocation.digest_of"
            assert fingerprint or not each.startswith("core.allocation"), f"{name} imports {each}"


def test_one_module_of_the_server_appends_to_the_log() -> None:
    """It appends the same decision that becomes the answer."""
    writing = {
        name for name, tree in reached("app/application.py").items() if "append_all" in logged(tree)
    }
    assert writing == {"engine/base_dispatcher.py"}


def logged(tree: ast.AST) -> set[str]:
    """List the methods that a module calls on a value named `log`."""
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Attribute | ast.Name)
        and getattr(node.func.value, "attr", getattr(node.func.value, "id", "")) in ("log", "_log")
    }
