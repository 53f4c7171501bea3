"""docs/teaching.md: its Makefile, its analysis and its config run, and its fields exist."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from analysis.effects.metrics import STANDARD
from cli.main import build
from engine.settings.loading import build_settings
from strategies import registry
from tests import needs
from tests.service import CONFIG

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "teaching.md").read_text("utf-8")


def block(kind: str) -> str:
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def homework(tmp_path: Path) -> Path:
    """A homework after `make setup`, over this environment's Python."""
    (tmp_path / "Makefile").write_text(block("make"))
    (tmp_path / "analyze_ab.py").write_text(block("python"))
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, what in (("segue", f"{sys.executable} -m cli"), ("python", sys.executable)):
        (programs / name).write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {what} "$@"\n')
        (programs / name).chmod(0o755)
    made = CliRunner().invoke(build(), ["init", str(tmp_path / "world")])
    assert made.exit_code == 0, made.output
    return tmp_path


def make(folder: Path, *arguments: str) -> None:
    ended = subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "MAKEFLAGS": ""},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


@needs.program("make")
def test_two_runs_of_the_homework_agree_to_the_last_digit(homework: Path) -> None:
    results = []
    for _ in range(2):
        make(homework, "run", "SEED=31312", "EPISODES=1500")
        results.append(json.loads((homework / "result.json").read_text()))
    first, second = results

    assert first == second
    assert first["valid"]
    assert [effect["treatment"] for effect in first["effects"]] == ["T1", "T1", "T1"]
    assert all(effect["lift"]["low"] < effect["lift"]["high"] for effect in first["effects"])
    make(homework, "clean")
    assert sorted(each.name for each in homework.iterdir()) == [
        "Makefile",
        "analyze_ab.py",
        "world",
    ]


def test_the_makefile_has_the_targets_and_variables_that_a_checker_uses() -> None:
    assert re.findall(r"^(\w+):", block("make"), re.MULTILINE) == ["setup", "run", "clean"]
    assert {"SEED", "EPISODES", "DATA_DIR"} <= set(re.findall(r"^(\w+) +\?=", block("make"), re.M))


def test_the_analysis_is_fifteen_lines() -> None:
    assert len([line for line in block("python").splitlines() if line]) <= 15


def test_the_recipe_is_sound() -> None:
    recipe = yaml.safe_load(block("yaml"))["strategies"]
    config = {
        **CONFIG,
        "catalog": {**CONFIG["catalog"], "lists": {"similar": "a", "personal": "b"}},
        "strategies": recipe,
        "default": "near",
        "experiments": [],
    }
    params = build_settings(config, ROOT / "config.yaml").strategies["near"].params
    assert params.memory == "history"  # type: ignore[attr-defined]


def test_the_metrics_and_the_strategies_on_the_page_exist() -> None:
    metrics = {metric.name for metric in STANDARD}
    assert {"session_time", "sessions", "tracks"} <= metrics
    named = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("## The strategies") :]))
    types = {"random", "top_pop", "sticky_artist", "contextual", "personal", "contextual_liked"}
    assert types <= named & set(registry.known())
