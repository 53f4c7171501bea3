"""The public face: docs/api.md names what it has, it is light to import, it knows its version."""

import importlib
import inspect
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import segue
from core.version import UNINSTALLED, version
from segue.client import AsyncClient, Client
from segue.testing.rules import RULES
from tests.service import events_in
from tests.simulator.servers import serving

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
PUBLIC = ("segue", "segue.testing", "segue.client")


def named_in(section):
    """List the names in the first cells of a section's tables; a method has arguments behind."""
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


@pytest.mark.parametrize("client", [Client, AsyncClient], ids=lambda client: client.__name__)
def test_the_page_has_every_method_of_a_client_with_its_arguments(client):
    section = PAGE.split("\n## `segue.client`\n")[1]
    told = dict(re.findall(r"^\| `(\w+)\(([\w, ]*)\)` \|", section, re.MULTILINE))
    methods = {name for name in vars(client) if not name.startswith("_")}
    assert set(told) == methods - {"close", "aclose"}
    for name, arguments in told.items():
        _, *expected = inspect.signature(getattr(client, name)).parameters
        assert arguments.split(", ") == (expected or [""])


def test_the_example_of_the_client_runs_against_a_server(tmp_path, capsys):
    (example,) = re.findall(
        r"^```python\n(from segue\.client.*?)^```", PAGE, re.MULTILINE | re.DOTALL
    )
    with serving(tmp_path) as url:
        exec(example.replace("http://127.0.0.1:8000", url), {})  # our own page
    assert re.match(r"Artist \w \{'\w+': '\w+'\} \('", capsys.readouterr().out)
    assert [event["message"] for event in events_in(tmp_path)] == ["next", "next", "last"]


def test_the_version_is_that_of_the_installed_distribution():
    assert segue.__version__ == metadata.version("segue")


def test_a_checkout_that_was_never_installed_has_a_version_too(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    assert version() == UNINSTALLED
