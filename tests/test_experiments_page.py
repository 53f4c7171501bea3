"""docs/experiments.md shows a sound config, the trace of the code and a current picture."""

import json
import re
import runpy
from pathlib import Path

import yaml

from core.allocation import Allocation
from engine.settings.loading import build_settings
from tests.service import CONFIG, running

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/experiments.md").read_text("utf-8")


def block(after: str, kind: str) -> str:
    """Find the first fenced block of a kind after some words."""
    found = re.search(
        rf"^```{kind}\n(.*?)^```", PAGE[PAGE.index(after) :], re.DOTALL | re.MULTILINE
    )
    assert found
    return found[1]


def test_the_example_assigns_as_the_page_says() -> None:
    example = yaml.safe_load(block("The picture is of this config", "yaml"))
    settings = build_settings({**CONFIG, **example}, ROOT / "config.yaml")
    allocation = Allocation(settings.experiments, settings.holdout.share, settings.holdout.salt)
    assert allocation.trace("42") == block("For listener 42 the code says", "").splitlines()
    assert allocation.assign("42").arms == {"toppop_after_skip": "T1", "colours": "blue"}


def test_the_picture_is_what_its_script_draws() -> None:
    drawing = runpy.run_path(str(ROOT / "docs/pictures/allocation.py"))
    drawn = drawing["svg"](drawing["rows"]())
    assert drawn == (ROOT / "docs/pictures/allocation.svg").read_text("utf-8")


def test_the_arm_shown_has_the_keys_of_the_answer(tmp_path: Path) -> None:
    shown = json.loads(block("One arm of it", "json"))
    with running(tmp_path) as client:
        answered = client.get("/experiments").json()["experiments"][0]["arms"][1]
    assert list(shown) == list(answered)
