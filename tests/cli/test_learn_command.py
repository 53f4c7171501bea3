"""`segue learn`: the command over a small world, and what it refuses."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import main
from core.errors import InputError, SegueError
from tests.learning.small_loop import SmallLoop, make_world, write_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("loop"))


@pytest.fixture
def config(made_world: Path, tmp_path: Path) -> Path:
    shutil.copytree(made_world / "world", tmp_path / "world")
    return write_config(tmp_path)


def learn(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main.build(), ["learn", "--config", str(config), *arguments])


def test_rounds_play_learn_and_show_a_table_and_a_curve(config: Path) -> None:
    result = learn(
        config, "--rounds", "2", "--episodes", "600", "--strategy", "softly",
        "--pilot", "0.5", "--worse", "0.9", "--least", "50",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    artifacts = config.parent / "artifacts"
    assert "softly.v1" in result.output
    assert "piloted v1" in result.output
    ledger = list(map(json.loads, (artifacts / "decisions.jsonl").read_text().splitlines()))
    assert [each["outcome"] for each in ledger][:2] == ["round", "piloted"]
    svg = (artifacts / "rounds.svg").read_text()
    assert svg.startswith("<svg")
    assert "var(--" not in svg  # a file of its own has no page around it
    assert "if a server runs, reload it" not in result.output  # none has a part in it
    back = learn(config, "--roll-back")
    assert back.exit_code == 0, back.output
    assert "The config's own files serve" in back.output
    assert "if a server runs, reload it (kill -HUP PID)" in back.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "1", "--every", "1d"], "do different things"),
        (["--rounds", "1", "--server", "http://x"], "plays simulated listeners in this process"),
        (["--pid", "1", "--pid-file", "x"], "must not stand beside --pid"),
        (["--model", "similar"], "must be NAME=MODEL"),
        (["--model", "similr=ease"], "Did you mean 'similar'"),
        (["--model", "similar=eaze"], "Did you mean 'ease'"),
        (["--strategy", "softli"], "Did you mean 'softly'"),
        (["--every", "soon"], "must be a period as 1d"),
    ],
)
def test_a_wrong_option_is_refused(config: Path, arguments: list[str], message: str) -> None:
    (config.parent / "log").mkdir()
    result = learn(config, *arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not (config.parent / "artifacts" / "serving.json").exists()


def test_a_reload_over_http_needs_the_token(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGUE_ADMIN_TOKEN", raising=False)
    result = learn(config, "--server", "http://127.0.0.1:9")
    assert isinstance(result.exception, SegueError)
    assert "needs the admin token, and SEGUE_ADMIN_TOKEN is not set" in str(result.exception)


def test_a_log_that_is_not_there_is_named(config: Path) -> None:
    result = learn(config)
    assert isinstance(result.exception, InputError)
    assert str(config.parent / "log") in str(result.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_ends_the_wait_for_the_next_round(config: Path) -> None:
    loop = SmallLoop(config.parent, least=10_000)
    loop.round(60)
    at_ms = loop.learner.ledger.read()[0]["at_ms"]
    assert at_ms > 0  # far in the future for the system's clock, so the next round waits
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "learn", "--config", str(config), "--every", "1d"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "The next round is due in 24.0 hours" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert rest == "Stopped: the config's own files serve.\n"
