"""`segue simulate --listener`: the model by its name, or by a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import build
from simulator.listeners.settings import EFFECTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("world")
    made = CliRunner().invoke(
        build(), ["world", "create", "--tracks", "150", "--users", "40", "--to", str(to)]
    )
    assert made.exit_code == 0, made.output
    off = "".join(f"{effect}: off\n" for effect in sorted(EFFECTS))
    (to / "off.yaml").write_text(f"listener: lifelong\n{off}")
    return to


def simulated(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Any:
    monkeypatch.chdir(folder)  # where the cache goes
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    arguments = ["simulate", "--recommender", "random", "--world", str(folder), "--json", "--yes"]
    result = CliRunner().invoke(build(), [*arguments, "--episodes", "60", "--days", "3", *options])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    del printed["run"]  # how long it took
    return printed


def test_lifelong_listeners_without_effects_are_botifys(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    botify = simulated(folder, monkeypatch)
    assert simulated(folder, monkeypatch, "--listener", str(folder / "off.yaml")) == botify
    assert simulated(folder, monkeypatch, "--listener", "lifelong") != botify


def test_classic_still_names_botifys_listener(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    botify = simulated(folder, monkeypatch, "--listener", "botify")
    assert simulated(folder, monkeypatch, "--listener", "classic") == botify
