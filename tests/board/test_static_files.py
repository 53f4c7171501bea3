"""The files of the board's page: what they import, what they leave out, and what comes from npm."""

import gzip
import re
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests import needs

STATIC = Path(__file__).parents[2] / "app" / "board" / "static"
VENDORED = {
    STATIC / "vendor" / "lit-html.js": (
        "lit-html.LICENSE",
        "BSD 3-Clause License",
        "b878e7f95dec8a9b6e9b217faca6b6a11bad82ebc44c0caa77419ed83edd81f2",
    ),
    Path(__file__).parent / "axe" / "axe.min.js": (
        "LICENSE",
        "Mozilla Public License, version 2.0",
        "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
    ),
}
OWN = sorted(each for each in STATIC.rglob("*.js") if each.parent.name != "vendor")


@pytest.mark.parametrize("file", VENDORED, ids=lambda each: each.name)
def test_a_file_from_npm_is_unchanged_and_has_its_licence(file: Path) -> None:
    licence, title, checksum = VENDORED[file]
    assert title.lower() in (file.parent / licence).read_text().lower()
    assert sha256(file.read_bytes()).hexdigest() == checksum


def test_the_framework_is_small() -> None:
    packed = gzip.compress((STATIC / "vendor" / "lit-html.js").read_bytes())
    assert len(packed) <= 10_000


def test_every_import_is_a_file_of_ours() -> None:
    for file in OWN:
        for name in re.findall(
            r'^(?:import|.*\} from) "([^"]+)";$', file.read_text(), re.MULTILINE
        ):
            assert name.startswith("."), f"{file.name} imports {name}"
            assert (file.parent / name).resolve().is_file(), f"{file.name} imports {name}"


def test_the_page_names_only_files_of_ours() -> None:
    page = (STATIC / "index.html").read_text()
    named = re.findall(r'(?:src|href)="board/assets/([^"]+)"', page)
    assert named
    assert all((STATIC / name).is_file() for name in named)
    assert not re.findall(r"https?://", page)


@pytest.mark.parametrize("file", [*OWN, STATIC / "index.html"], ids=lambda each: each.name)
def test_no_style_and_no_handler_stands_inside_a_tag(file: Path) -> None:
    """The Content-Security-Policy would stop them."""
    assert not re.search(r"<[a-z][^>]*\s(?:style|on[a-z]+)=|<style|javascript:", file.read_text())


@pytest.mark.parametrize("file", OWN, ids=lambda each: each.relative_to(STATIC).as_posix())
def test_every_exported_name_is_explained(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("// ")
    exported = re.findall(r"^export (?:async )?(?:const|function|class) (\w+)", text, re.MULTILINE)
    explained = re.findall(
        r"\*/\nexport (?:async )?(?:const|function|class) (\w+)", text, re.MULTILINE
    )
    assert exported == explained


@needs.program("node")
@pytest.mark.parametrize("file", OWN, ids=lambda each: each.relative_to(STATIC).as_posix())
def test_every_module_is_sound_javascript(file: Path) -> None:
    command = ["node", "--input-type=module", "--check"]
    checked = subprocess.run(command, input=file.read_bytes(), capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
