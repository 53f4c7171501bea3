"""Square brackets in data print as they are; the terminal's markup would swallow them, or fail."""

import ast
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import build
from tests.logs import Plan, listening, write_botify, write_ours

CLOSING = "[/b]"
"""As markup, a closing tag of nothing: an error."""
SILENT = "[untitled]"
"""As markup, a style: it prints as nothing."""


def segue(*arguments: str | Path) -> str:
    result = CliRunner().invoke(build(), [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Experiment, arms' names, attributes and a file's name in square brackets."""
    folder = tmp_path_factory.mktemp("brackets") / SILENT
    events = listening(Plan(listeners=120, experiment=SILENT))
    for event in events:
        event["attributes"] = {"country": CLOSING if event["user"] % 2 else SILENT}
    (path,) = write_ours(folder, events)
    with path.open("ab") as file:
        file.write(b"no event\n")
    return folder


@pytest.mark.parametrize(
    "command",
    [("report", "--even-if-invalid", "--segment", "country"), ("verify",), ("logs", "show")],
    ids=["report", "verify", "logs-show"],
)
def test_a_command_over_a_log_prints_brackets(command: tuple[str, ...], log: Path) -> None:
    words = 2 if command[0] == "logs" else 1
    printed = segue(*command[:words], log, *command[words:])

    assert SILENT in printed
    if "--segment" in command:
        assert CLOSING in printed


def test_arms_of_botify_print_with_their_brackets(tmp_path: Path) -> None:
    plan = Plan(arms={SILENT: Plan().arms["C"], CLOSING: Plan().arms["C"]}, listeners=60)
    write_botify(tmp_path, listening(plan))
    for command in ("report", "verify"):
        more = ("--even-if-invalid",) if command == "report" else ()
        printed = segue(command, tmp_path, *more)
        assert SILENT in printed
        assert CLOSING in printed


def test_titles_and_artists_of_lists_print_with_their_brackets(tmp_path: Path) -> None:
    tracks = [
        {"track": 1, "artist": CLOSING, "title": SILENT},
        {"track": 2, "artist": SILENT, "title": f"Song {CLOSING}"},
    ]
    catalog, lists = tmp_path / "tracks.jsonl", tmp_path / "x.jsonl"
    catalog.write_text("".join(json.dumps(track) + "\n" for track in tracks))
    lists.write_text(json.dumps({"track": 1, "recommendations": [2]}) + "\n")
    segue("lists", "import", lists, "--catalog", catalog, "--to", tmp_path / "x.npz")

    printed = segue("lists", "show", tmp_path / "x.npz", "1", "--catalog", catalog)

    assert f"track 1 · {CLOSING} · {SILENT}" in printed
    assert f"Song {CLOSING}" in printed


def test_no_command_makes_a_console_with_markup() -> None:
    """`cli.terminal` makes them all; `train` sets a width of its own, and no markup either."""
    root = Path(__file__).parents[2] / "cli"
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Console":
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert given.get("markup") == "False", f"{path.name}:{node.lineno}"
