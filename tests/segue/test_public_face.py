"""The public face: docs/api.md names what it has, it is light to import, it knows its version."""

import importlib
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import segue
from core.version import UNINSTALLED, version
from segue.testing.rules import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
PUBLIC = ("segue", "segue.testing")


def named_in(section):
    """The first cell of every row, of every table of a section."""
    tables = PAGE.split(f"\n## `{section}`\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \|", tables, re.MULTILINE)
    assert len(rows) == len(set(rows))
    return set(rows)


@pytest.mark.parametrize("module", PUBLIC)
def test_the_page_names_what_the_module_has_and_nothing_else(module):
    public = importlib.import_module(module)
    rules = {rule.__name__ for rule in RULES} if module == "segue.testing" else set()
    assert named_in(module) == {*public.__all__, *rules}
    assert all(hasattr(public, name) for name in public.__all__)


def test_the_page_has_a_section_for_every_public_module():
    assert re.findall(r"^## `([\w.]+)`$", PAGE, re.MULTILINE) == list(PUBLIC)


def test_every_public_function_and_class_has_a_docstring():
    for module in map(importlib.import_module, PUBLIC):
        for name in module.__all__:
            found = getattr(module, name)
            if callable(found) and getattr(found, "__module__", "typing") != "typing":
                assert found.__doc__, f"{module.__name__}.{name}"


@pytest.mark.parametrize("module", ["segue", "segue.testing"])
def test_importing_it_loads_no_web_framework_and_no_http_client(module):
    program = f"import json, sys; import {module}; print(json.dumps([*sys.modules]))"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(ran.stdout)}
    heavy = {"fastapi", "starlette", "uvicorn", "httpx", "duckdb", "scipy", "typer", "rich"}
    assert not loaded & heavy
    assert not loaded & {"cli", "app", "engine", "events", "audit", "simulator", "analysis"}
    assert module != "segue" or "pytest" not in loaded


def test_the_version_is_that_of_the_installed_distribution():
    assert segue.__version__ == metadata.version("segue")


def test_a_checkout_that_was_never_installed_has_a_version_too(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    assert version() == UNINSTALLED
