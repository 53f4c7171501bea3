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
    """Return the one fenced block of this kind that has this text."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


def config_over_the_default_data(folder: Path) -> dict[str, object]:
    """Return the default config, for a log in a folder of its own."""
    config: dict[str, object] = yaml.safe_load((ROOT / "config.yaml").read_text())
    (folder / "data").symlink_to(ROOT / "data")
    return config


def test_the_first_request_gets_the_answer_that_is_printed(tmp_path: Path) -> None:
    """Compare all but what is drawn: the track, and the decision's id."""
    shown = block("console", "curl")
    command, _, answer = shown.removeprefix("$ ").replace("\\\n", "").partition("\n")
    arguments = shlex.split(command)
    body = arguments[arguments.index("-d") + 1]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config_over_the_default_data(tmp_path), sort_keys=False))
    with TestClient(create_app(load_runtime(load_settings(path)))) as client:
        got = client.post(
            "/recommend", content=body.encode(), headers={"Content-Type": "application/json"}
        ).json()
        described = client.get(f"/tracks/{json.loads(answer)['track']}")
    expected = json.loads(answer)

    assert described.status_code == 200
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", expected["decision"])
    for drawn in ("track", "tracks", "decision"):
        got.pop(drawn), expected.pop(drawn)
    assert got == expected


def test_the_strategy_runs_from_a_file_beside_the_config(tmp_path: Path) -> None:
    """Run it in a process of its own, so that the registry of this one stays as it is."""
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
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert done.stdout.split() == ["rare", "9000"], done.stderr


def test_the_report_is_the_one_that_is_printed(tmp_path: Path) -> None:
    """Compare all but the clock: when, and how long answers took. Played in process, for speed."""
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(config_over_the_default_data(tmp_path), sort_keys=False)
    )
    shown = block("console", "segue report").splitlines()
    simulate, report = (shlex.split(line.removeprefix("$ "))[1:] for line in shown[:2])
    run(tmp_path, *simulate, "--recommender", "local", "--log", "log")
    slow_down(tmp_path / "log")
    printed = run(tmp_path, *report)

    expected = timeless(shown[2:])
    assert timeless(printed.splitlines())[: len(expected)] == expected


def slow_down(log: Path) -> None:
    """Give each line a time of its own, ten milliseconds after the line before, and one latency.

    Some checks wait for a listener's next event, and take their limit from the pauses in the log.
    In a log that is written in seconds, they would depend on how busy the machine was. So would a
    warning about latency, and the width of the latencies' intervals.
    """
    (file,) = log.glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    began = json.loads(lines[0])["timestamp"]
    file.write_bytes(
        b"".join(
            re.sub(
                rb'"(latency|took_us)":[-+.e\d]+',
                rb'"\1":0.00025',
                re.sub(
                    rb'"timestamp":\d+', b'"timestamp":%d' % (began + 10 * place), line, count=1
                ),
            )
            for place, line in enumerate(lines)
        )
    )


def run(folder: Path, *arguments: str) -> str:
    """Return what a command of Segue prints, in 80 columns."""
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
    """Return the words of each line, without the lines that depend on when or how fast."""
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


ROOMS = "core|strategies|events|engine|app|audit|simulator|analysis|training|cli|segue"


def test_every_file_that_a_page_names_exists() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").glob("*.md")]
    named = rf"`((?:{ROOMS}|tests|benchmarks|data|docs|deploy)/[a-z0-9_/.]+)`"
    missing = [
        f"{page.name}: {path}"
        for page in pages
        for path in re.findall(named, page.read_text())
        if not (ROOT / path).exists()
    ]
    assert not missing
