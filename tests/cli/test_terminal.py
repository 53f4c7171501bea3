"""Data prints as it is: control characters as codes, no emoji, and in ASCII where that is all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from cli.main import build
from cli.terminal import terminal
from tests.logs import Plan, listening, write_ours

HOSTILE = "\x1b[31mred\x1b]0;title\x07\r\x9b2J\u202e :smile: [b]"
SHOWN = r"\x1b[31mred\x1b]0;title\x07\r\x9b2J\u202e :smile: [b]"
ACCENTS = "Beyoncé – Дождь 雨 …"


@pytest.mark.parametrize("kind", ["text", "styled", "cell", "styled cell", "title"])
def test_a_control_character_prints_as_its_code_wherever_it_stands(kind: str) -> None:
    table = Table(title=HOSTILE if kind == "title" else "", expand=True)
    table.add_column("name", overflow="fold")
    table.add_row(Text(HOSTILE, "red") if "styled" in kind else HOSTILE)
    shown = {"text": HOSTILE, "styled": Text(HOSTILE, "bold")}.get(kind, table)
    console = terminal(width=120)
    with console.capture() as captured:
        console.print(shown)

    # Rich's own `Text` leaves out a bell and a carriage return.
    expected = SHOWN.replace(r"\x07\r", "") if "styled" in kind else SHOWN
    assert expected in captured.get()
    assert not any(ord(each) < 32 and each != "\n" for each in captured.get())


def test_tabs_and_line_ends_are_no_control_characters_to_show() -> None:
    console = terminal(width=40)
    with console.capture() as captured:
        console.print("a\tb\nc")

    assert captured.get().split() == ["a", "b", "c"]


def files(folder: Path, title: str) -> tuple[Path, Path]:
    """Write a catalog and lists of two tracks of this title."""
    catalog, lists = folder / "tracks.jsonl", folder / "x.jsonl"
    tracks = [{"track": track, "artist": title, "title": title} for track in (1, 2)]
    catalog.write_text("".join(json.dumps(track) + "\n" for track in tracks))
    lists.write_text(json.dumps({"track": 1, "recommendations": [2]}) + "\n")
    return catalog, lists


def test_a_title_with_an_escape_sequence_prints_as_text(tmp_path: Path) -> None:
    catalog, lists = files(tmp_path, HOSTILE)
    options = ["--catalog", str(catalog)]
    CliRunner().invoke(
        build(), ["lists", "import", str(lists), *options, "--to", str(tmp_path / "x.npz")]
    )
    show = ["lists", "show", str(tmp_path / "x.npz"), "1", *options]
    shown = CliRunner(env={"COLUMNS": "300"}).invoke(build(), show)

    assert shown.output.count(SHOWN) == 4
    assert "\x1b" not in shown.output


def in_ascii(*arguments: str | Path, encoding: str = "ascii") -> str:
    """Run a command whose output may have ASCII only."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 2), done.stderr.decode()
    return (done.stdout + done.stderr).decode("ascii")


def test_a_report_prints_on_a_terminal_that_has_ascii_only(tmp_path: Path) -> None:
    events = listening(Plan(listeners=120, experiment=ACCENTS))
    for event in events:
        event["attributes"] = {"country": "Curaçao" if event["user"] % 2 else "雨"}
    write_ours(tmp_path, events)
    shown = in_ascii("report", tmp_path, "--even-if-invalid", "--segment", "country")

    assert r"Beyonc\xe9 - \u0414\u043e" in shown
    assert r"Cura\xe7ao" in shown
    assert "Traceback" not in shown


def test_a_fault_and_the_help_print_in_ascii(tmp_path: Path) -> None:
    assert r"Beyonc\xe9" in in_ascii("check", "--config", tmp_path / "Beyoncé.yaml")
    assert "simulate" in in_ascii("--help")


def test_a_file_name_that_is_no_unicode_prints(tmp_path: Path) -> None:
    assert r"\udcff" in in_ascii("check", "--config", "\udcff.yaml", encoding="utf-8")
