"""The parts that a stranger relies on: the image, the default config, make, and plain English."""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def copied() -> list[str]:
    """List every source of a COPY from the build context."""
    lines = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
    return [source for sources in lines if not sources[0].startswith("--") for source in sources]


@pytest.mark.parametrize("source", copied())
def test_every_source_of_a_copy_exists_and_is_in_the_build_context(source: str) -> None:
    assert (ROOT / source).exists()
    assert f"!{source.removeprefix('./')}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_image_holds_every_package_that_is_installed() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}

    assert packages <= set(copied())


def test_the_command_of_the_image_is_one_of_segues() -> None:
    from typer.main import get_command

    from cli.main import build

    (shown,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    program, command, *arguments = json.loads(shown)
    assert program == "/venv/bin/segue"
    serve = get_command(build()).commands[command]  # type: ignore[attr-defined]
    given = serve.make_context(command, arguments).params
    assert (str(given["config"]), given["host"], given["port"]) == ("config.yaml", "0.0.0.0", 8000)


def test_the_image_does_not_run_as_root() -> None:
    assert re.search(r"^USER segue$", DOCKERFILE, re.MULTILINE)


def test_the_default_config_is_sound_and_answers_for_every_strategy() -> None:
    from core.listener import Listener
    from engine.runtime import load_runtime
    from engine.settings.loading import load_settings

    runtime = load_runtime(load_settings(ROOT / "config.yaml"))
    listener = Listener.of("7", [(0, 0.95)])
    for chain in runtime.chains.values():
        assert any(propose(listener) is not None for _, propose in chain.members)


def test_constraints_name_no_host_and_pin_exact_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    pinned = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in pinned)


def test_make_help_lists_the_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()

    explained = re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE)
    assert {"run", "test", "install", "lint", "bench", "clean", "help"} <= set(explained)


def test_the_config_of_the_design_is_understood() -> None:
    assert set(yaml.safe_load((ROOT / "config.yaml").read_text())) >= {
        "catalog",
        "strategies",
        "default",
        "experiments",
    }


PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/py.typed"))
QUESTION = re.compile(r"(What|Who|Whoever|Whose|Whether|How|Which|Where|When|Why)\b")
RARE = re.compile(
    r"\b(whence|nought|lots|anew|foretell|weary|likewise|hither|thither|heretofore)\b",
    re.IGNORECASE,
)


def docstrings(tree: ast.AST) -> Iterator[str]:
    """Yield the docstrings of a module, its classes and functions, and those of its constants."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for before, each in pairwise([None, *body] if isinstance(body, list) else []):
            documented = before is None or isinstance(before, ast.Assign | ast.AnnAssign)
            if documented and isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                yield str(each.value.value)


def test_a_docstring_begins_with_a_verb_or_a_noun() -> None:
    asking = Counter(
        path.relative_to(ROOT).as_posix()
        for package in [*PACKAGES, "benchmarks"]
        for path in (ROOT / package).rglob("*.py")
        for text in docstrings(ast.parse(path.read_text()))
        if QUESTION.match(text)
    )
    assert asking == Counter()


def test_no_page_and_no_module_has_a_rare_word() -> None:
    pages = [ROOT / "README.md", ROOT / "config.yaml", *(ROOT / "docs").rglob("*.md")]
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    rare = {
        path.relative_to(ROOT).as_posix(): found
        for path in [*pages, *modules]
        if (found := RARE.findall(path.read_text()))
    }
    assert rare == {}
