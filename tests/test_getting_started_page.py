"""docs/getting-started.md, end to end: every command and every client on it runs, on one file."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import build
from tests import needs
from tests.own_data import listens, write_csv
from tests.served import serving

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8000"
TRACKS = {str(listen.track) for listen in listens()}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


COMMANDS = [line.split() for block in blocks("sh") for line in block.splitlines()]


def segue(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(build(), list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the page's first command makes, of the models that need no time."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        quick = ("popular", "neighbours:bm25", "neighbours:listener")
        patch.setattr("cli.first_lists._MODELS", quick)
        write_csv(Path("listens.csv"))
        (init, check, *_) = COMMANDS
        assert init[:2] == ["segue", "init"]
        segue(*init[1:])
        assert "mine/config.yaml is sound" in segue(*check[1:])
        yield folder / "mine"


@pytest.fixture(scope="module")
def address(mine: Path) -> Iterator[str]:
    with serving(mine / "config.yaml") as served:
        yield served


def events(mine: Path, user: str) -> list[dict[str, object]]:
    """List the listener's events in the log."""
    lines = [
        json.loads(line)
        for path in (mine / "log").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    return [line for line in lines if line["user"] == user]


def run(command: list[str], block: str, address: str, file: Path) -> str:
    file.write_text(block.replace(ADDRESS, address))
    ended = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, check=False, cwd=file.parent
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def assert_session(mine: Path, user: str, printed: str) -> None:
    """Check that a client had a session of two tracks, and that the log has it."""
    first, second = printed.split()
    assert {first, second} <= TRACKS
    told = [(event["message"], event.get("recommendation")) for event in events(mine, user)]
    assert told == [("next", first), ("next", second), ("last", None)]


def test_the_file_on_the_page_is_the_one_that_is_read() -> None:
    (shown,) = blocks("csv")
    header, *rows = shown.splitlines()
    assert header == "user,track,time,at,artist,title"
    assert all(len(row.split(",")) == 6 for row in rows)


@needs.program("curl")
@needs.program("bash")
def test_curl(mine: Path, address: str, tmp_path: Path) -> None:
    (block,) = blocks("bash")
    shown = run(["bash"], block, address, tmp_path / "turns.sh")
    first, second = re.findall(r'"track":"(\d+)"', shown)[:2]
    assert {first, second} <= TRACKS
    assert [event["message"] for event in events(mine, "u0")] == ["next", "next", "last"]


def test_python(mine: Path, address: str, tmp_path: Path) -> None:
    (block,) = blocks("python")
    printed = run([sys.executable], block, address, tmp_path / "turns.py")
    assert_session(mine, "u1", printed)


@needs.program("node")
def test_javascript(mine: Path, address: str, tmp_path: Path) -> None:
    (block,) = blocks("javascript")
    assert_session(mine, "u2", run(["node"], block, address, tmp_path / "turns.js"))


@needs.program("java")
def test_java(mine: Path, address: str, tmp_path: Path) -> None:
    (block,) = blocks("java")
    assert_session(mine, "u3", run(["java"], block, address, tmp_path / "Listening.java"))


def test_the_log_is_verified_reported_and_learnt_from(mine: Path, tmp_path: Path) -> None:
    """With sessions of all listeners, in a folder of their own: the clients above log to theirs."""
    copy = tmp_path / "mine"
    shutil.copytree(mine, copy, ignore=shutil.ignore_patterns("log"))
    with (
        serving(copy / "config.yaml") as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        for person in range(60):
            sent: dict[str, object] = {"user": f"u{person}"}
            for step in range(5):
                track = client.post("/recommend", json=sent).json()["track"]
                sent = {"user": f"u{person}", "track": track, "time": 0.9 - 0.15 * step}
            client.post("/feedback", json={**sent, "final": True})
    for _, *arguments in COMMANDS[2:]:
        here = [each.replace("mine/", f"{copy}/") for each in arguments]
        shown = segue(*here)
        if here[0] == "report":
            assert "Validity: valid" in shown
    assert [command[1] for command in COMMANDS[2:]] == ["verify", "report", "train", "train"]
    assert f"{copy}/config.yaml is sound" in segue("check", "--config", f"{copy}/config.yaml")


def test_the_readme_points_to_the_page() -> None:
    assert "docs/getting-started.md" in (ROOT / "README.md").read_text()
