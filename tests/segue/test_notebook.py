"""`segue.report`: the report as an object, and docs/notebook.md, whose blocks run."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from typer.testing import CliRunner

import segue
from audit.log_faults import CleanLog, tear_line, write
from cli.main import build
from tests.analysis.trial_log import trial_log

PAGE = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text("utf-8")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[CleanLog, Path]:
    folder = tmp_path_factory.mktemp("played")
    return trial_log(folder, sessions=500, listeners=200)[0], folder


@pytest.fixture
def folder(clean: tuple[CleanLog, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(clean[1])
    return clean[1]


def test_the_blocks_of_the_page_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(block, names)  # our own page
    printed = capsys.readouterr().out
    assert "mean session time" in printed
    assert "'lift_low': " in printed
    assert "'arm': 'T1', 'mean_time_all_mean': " in printed.replace('"', "'")
    for name in ("report.html", "effects.csv", "effects.md", "report.json"):
        assert (folder / name).stat().st_size > 300
        (folder / name).unlink()


def test_the_object_is_the_report_of_the_command(folder: Path) -> None:
    with segue.report("log", segments=["listener"]) as found:
        found.save("by_object.json")
    arguments = ["report", "log", "--segment", "listener", "--json"]
    by_command = json.loads(CliRunner().invoke(build(), arguments).stdout)
    by_object = json.loads((folder / "by_object.json").read_text())
    assert by_object["experiments"] == by_command["experiments"]
    assert by_object["provenance"]["files"] == by_command["provenance"]["files"]
    assert by_object["provenance"]["command"] == "segue.report('log')"
    (folder / "by_object.json").unlink()


def test_it_shows_itself_as_the_page_whose_style_stays_in_its_frame(folder: Path) -> None:
    with segue.report("log") as found:
        shown = found._repr_html_()
        assert shown.count("<") == 2
        assert found.to_html() in unescape(shown)
        assert repr(found).startswith("fallback: T1 ")


def test_the_tables_hold_what_the_log_holds(clean: tuple[CleanLog, Path], folder: Path) -> None:
    with segue.report(folder / "log") as found:
        assert found.events.num_rows == len(clean[0].events)
        assert found.events.column("path")[0].as_py().endswith(".jsonl")
        (result,) = found.found.experiments
        assert found.listeners.num_rows == sum(arm.listeners for arm in result.arms)
        ended = [row for row in found.sessions.to_pylist() if row["ended"]]
        assert len(ended) == sum(arm.sessions for arm in result.arms)
        assert {row["arm"] for row in ended} == {"C", "T1"}
        assert (
            found.effects.num_rows == found.effects.filter(found.effects.column("valid")).num_rows
        )
        names = [row["check"] for row in found.checks.to_pylist()]
        assert "replay" in names
        assert names == [check.name for check in result.validity.checks]
        opened = Path(found._log._folder.name)
        assert opened.exists()
    assert not opened.exists()


def test_a_failed_check_withholds_the_effects_and_raises_nothing(
    clean: tuple[CleanLog, Path], tmp_path: Path
) -> None:
    write(tear_line(clean[0]), tmp_path)
    configs = [clean[1] / "log" / "configs"]
    with segue.report(tmp_path, configs=configs) as found:
        assert not found.valid
        assert found.effects.num_rows == 0
        assert "effects withheld" in repr(found)
    with segue.report(tmp_path, configs=configs, even_if_invalid=True) as shown:
        assert shown.effects.num_rows > 10
    with segue.report(tmp_path, configs=configs, tolerate=["lines", "turns", "ids"]) as tolerant:
        assert tolerant.effects.num_rows > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"primary": "fun"}, "unknown metric 'fun'"),
        ({"experiments": ["falback"]}, "unknown experiment 'falback'"),
        ({"control": "T9"}, "unknown arm 'T9'"),
        ({"tolerate": ["turn"]}, "unknown check 'turn'. Did you mean 'turns'"),
        ({"since": "yesterday"}, "since: must be a time as 2026-11-01"),
        ({"since": "2030-01-01", "until": "2029-01-01"}, "until: must be after"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_faulty_argument_raises_our_error(
    folder: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(segue.SegueError, match=re.escape(message)):
        segue.report("log", **arguments)  # type: ignore[arg-type]


def test_a_window_is_given_as_text_or_as_a_time(folder: Path) -> None:
    with segue.report("log", since="2000-01-01") as found:
        assert found.found.valid
    with pytest.raises(segue.SegueError):
        segue.report("log", since="2100-01-01T12:00")


def test_a_file_of_an_unknown_kind_is_refused(folder: Path) -> None:
    with segue.report("log") as found, pytest.raises(ValueError, match="must end in"):
        found.save("report.pdf")
