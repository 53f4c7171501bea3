"""The README's blocks do what the README says."""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import yaml
from starlette.testclient import TestClient

from app.application import create_app
from engine.runtime import load_runtime
from engine.settings.loading import load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def block(kind: str, containing: str) -> str:
    """The one fenced block of this kind that has this text."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


def config_over_the_default_data(folder: Path) -> dict[str, object]:
    """The default config, its log elsewhere."""
    config: dict[str, object] = yaml.safe_load((ROOT / "config.yaml").read_text())
    (folder / "data").symlink_to(ROOT / "data")
    return config


def test_the_first_request_gets_the_answer_that_is_printed(tmp_path: Path) -> None:
    """Apart from what is drawn: the track, and the decision's id."""
    shown = block("console", "curl")
    command, _, answer = shown.removeprefix("$ ").replace("\\\n", "").partition("\n")
    arguments = shlex.split(command)
    body = arguments[arguments.index("-d") + 1]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config_over_the_default_data(tmp_path), sort_keys=False))
    with TestClient(create_app(load_runtime(load_settings(path)))) as client:
        got = client.post("/recommend", content=body.encode()).json()
        described = client.get(f"/tracks/{json.loads(answer)['track']}")
    expected = json.loads(answer)

    assert described.status_code == 200
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", expected["decision"])
    for drawn in ("track", "tracks", "decision"):
        got.pop(drawn), expected.pop(drawn)
    assert got == expected


def test_the_strategy_runs_as_a_file_of_ones_own(tmp_path: Path) -> None:
    """In another process, so that this one's registry stays as it is."""
    (tmp_path / "rare.py").write_text(block("python", '@strategy("rare"'))
    config = config_over_the_default_data(tmp_path)
    added = yaml.safe_load(block("yaml", "type: rare"))
    config["strategies"].update(added["strategies"])  # type: ignore[attr-defined]
    config |= {"modules": added["modules"], "default": "rare", "experiments": []}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    program = textwrap.dedent("""
        from pathlib import Path
        from engine.runtime import load_runtime
        from engine.settings.loading import load_settings
        from core.listener import Listener
        runtime = load_runtime(load_settings(Path("config.yaml")))
        name, propose = runtime.chains["rare"].members[0]
        print(name, len(propose(Listener.of("7"))))
    """)
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert told.stdout.split() == ["rare", "9000"], told.stderr


def test_the_report_is_the_one_that_is_printed(tmp_path: Path) -> None:
    """Apart from the clock: when, and how long answers took. Played in process, for speed."""
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(config_over_the_default_data(tmp_path), sort_keys=False)
    )
    shown = block("console", "segue report").splitlines()
    simulate, report = (shlex.split(line.removeprefix("$ "))[1:] for line in shown[:2])
    run(tmp_path, *simulate, "--recommender", "local", "--log", "log")
    told = run(tmp_path, *report)

    expected = timeless(shown[2:])
    assert timeless(told.splitlines())[: len(expected)] == expected


def run(folder: Path, *arguments: str) -> str:
    """What a command of ours prints, in 80 columns."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def timeless(lines: list[str]) -> list[list[str]]:
    """The words of each line, without the lines that depend on when or how fast."""
    return [
        line.split()
        for line in lines
        if line.strip() and not line.startswith(("20", "latency", "─", "metric"))
    ]


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
