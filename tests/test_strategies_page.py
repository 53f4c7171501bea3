"""docs/strategies.md: its tables agree with the code, and every block on it runs."""

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml
from typer.main import get_command

from cli.main import build
from core.allocation import Assignment
from core.catalog import Catalog
from core.listener import History, Listener
from core.request import Request
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from engine.turn import take_turn
from segue.testing import rules
from segue.testing.small_world import CONFIGURED, some_listeners
from strategies import registry
from strategies.base import Artifacts, Draw, Unheard
from tests.service import loaded, write_config

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "strategies.md").read_text("utf-8")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def rows(after):
    """List the cells of the first table after a line."""
    table = PAGE[PAGE.index(after) :].split("\n|", 1)[1].split("\n\n")[0]
    lines = ("|" + table).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def yaml_of(value):
    return yaml.safe_dump(value).splitlines()[0]


RECIPES = [yaml.safe_load(block) for block in blocks("yaml")]
BASE, *MORE = [recipe["strategies"] for recipe in RECIPES if "strategies" in recipe]
LISTS = {"contextual": "contextual.jsonl", "dssm": "personal.jsonl", "lightfm": "other.jsonl"}
STORY, TEST = blocks("python")
TYPES = registry.TYPES  # without the page's own strategy, which only copies get


@pytest.fixture
def artist_rest(monkeypatch, tmp_path):
    """Register the page's strategy while the test runs."""
    monkeypatch.setattr(registry, "TYPES", TYPES.copy())
    path = tmp_path / "artist_rest.py"
    path.write_text(STORY)
    spec = importlib.util.spec_from_file_location("artist_rest", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "artist_rest", module)
    spec.loader.exec_module(module)
    return path


def served(folder, recipe):
    """Load the recipe over the small world, with the lists by user that the page names."""
    (folder / "other.jsonl").write_text('{"user": 1, "tracks": [1190, 1080, 1050, 1000]}\n')
    return loaded(
        folder,
        catalog={
            "tracks": "tracks.jsonl",
            "top": "top_tracks.json",
            "lists": LISTS,
            "vectors": {"taste": "taste.npz", "audio": "taste.npz"},
            "tables": {"interests": "interests.npz"},
        },
        strategies={**BASE, **recipe},
        default=list(recipe)[-1],
        experiments=[],
    )


def test_the_table_has_every_type_with_every_param_and_its_default():
    shown = {row[0].strip("`"): row[3] for row in rows("## The types")}
    expected = {}
    for name, found in registry.known().items():
        expected[name] = [
            f"`{key}`"
            if info.is_required()
            else f"`{key}: {yaml_of(info.get_default(call_default_factory=True))}`"
            for key, info in found.params.model_fields.items()
        ]
    assert {name: set(text.split(", ")) for name, text in shown.items()} == {
        name: set(params or ["none"]) for name, params in expected.items()
    }


def test_a_type_that_never_abstains_in_the_table_declares_it_in_the_code():
    never = {row[0].strip("`") for row in rows("## The types") if row[2].startswith("never")}
    assert never == {"random", "constant", "top_pop"}
    for name in never:
        found = registry.find(name)
        params = {"track": 1000} if name == "constant" else {}
        made = rules.Case(found, params).strategy
        assert made.always_answers


def test_every_draw_and_unheard_is_explained():
    values = [row[1].strip("`") for row in rows("Two params that every list has")]
    assert values == [*get_args(Draw), *get_args(Unheard)]


@pytest.mark.parametrize("recipe", MORE, ids=lambda recipe: "-".join(recipe))
def test_every_recipe_is_served_and_answers_by_itself(recipe, artist_rest, tmp_path):
    runtime = served(tmp_path, recipe)
    for name in recipe:
        chain = runtime.chains[name]
        answers = []
        for listener in some_listeners().values():
            answer = [propose(listener) is not None for _, propose in chain.members]
            answers.append(answer[0])
            assert any(answer) or name != runtime.default
        assert any(answers), f"{name} never answers by itself"


def test_the_recipes_hold_every_type():
    used = {entry["type"] for recipe in [BASE, *MORE] for entry in recipe.values()}
    assert used == {*registry.known(), "artist_rest"}


def test_the_example_is_explained_as_the_page_says(tmp_path):
    recipe = {"improved": CONFIGURED["popular"]} | {
        name: entry for recipe in MORE for name, entry in recipe.items() if name == "improved"
    }
    runtime = loaded(
        tmp_path,
        strategies={
            "random": {"type": "random"},
            "popular": CONFIGURED["popular"],
            **recipe,
        },
        default="improved",
        experiments=[],
    )
    history = History(runtime.catalog)
    request = Request(user=1, track=1040, time=0.08, explain=True)
    decision, _ = take_turn(runtime, history, request, Assignment({}, None), "a decision", 0)
    shown = next(block for block in blocks("text") if "drawn from" in block)
    assert decision.why == shown.splitlines()


def test_the_pages_strategy_keeps_the_contract(artist_rest):
    every = rules.cases(registry.find("artist_rest"))
    for rule in rules.RULES:
        rules.check(rule, every)


def test_the_pages_test_of_it_passes(tmp_path):
    """They run in a process of their own, as they do for a reader who pastes both files."""
    (tmp_path / "artist_rest.py").write_text(STORY)
    (tmp_path / "test_artist_rest.py").write_text(TEST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "test_artist_rest.py",
    ]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(rules.RULES) + 2} passed" in ran.stdout


def test_a_file_beside_the_config_is_found_as_the_page_says(artist_rest, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "TYPES", TYPES.copy())
    monkeypatch.delitem(sys.modules, "artist_rest")
    (modules,) = [recipe["modules"] for recipe in RECIPES if "modules" in recipe]
    strategies = {**CONFIGURED, "rested": {"type": "artist_rest", "of": "popular"}}
    path = write_config(
        tmp_path, strategies=strategies, modules=modules, default="popular", experiments=[]
    )
    assert "rested" in load_runtime(load_settings(path)).chains


def test_everything_that_a_strategy_sees_is_in_the_tables():
    for kind, heading in ((Listener, "| `listener.` | is |"), (Artifacts, "| `artifacts.` | is |")):
        listed = {
            name.partition("(")[0]
            for row in rows(f"\n{heading}"[:-3])
            for name in re.findall(r"`([^`]+)`", row[0])
        }
        public = {name for name in dir(kind) if not name.startswith("_")} - {"of"}
        assert listed == public


def test_the_catalog_has_the_functions_that_the_table_names():
    for name in ("by_artist_of", "index_of"):
        assert inspect.isfunction(getattr(Catalog, name))


def test_every_command_of_the_page_is_there():
    commands = get_command(build())
    typed = re.findall(r"^\$ segue (.*)$", PAGE, re.MULTILINE)
    assert len(typed) == 4
    for line in typed:
        found, words = commands, line.split()
        while hasattr(found, "commands"):
            found = found.commands[words.pop(0)]
        found.make_context(found.name, words)
