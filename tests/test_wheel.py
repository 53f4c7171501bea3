"""The wheel: a real one, built from a copy of the tree, holds every file that the program needs."""

import json
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from cli.own_packages import PACKAGES
from tests import needs
from tests.served import serving

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILD = "from setuptools import build_meta; print(build_meta.build_wheel('out'))"


def ours(folder: Path) -> set[str]:
    """List every file of our packages, apart from what Python caches."""
    return {
        path.relative_to(folder).as_posix()
        for package in PACKAGES
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that setuptools built, without a network, from a copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "config.yaml"):
        shutil.copy(ROOT / name, copy)
    for folder in (*PACKAGES, "data"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-W", "ignore", "-c", BUILD]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return copy / "out" / built.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(wheel_file: Path) -> set[str]:
    """The names in the wheel."""
    with zipfile.ZipFile(wheel_file) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, and with this one's packages but not its tree.

    A line of a .pth file is a folder to look in; a .pth file in that folder, as the one of an
    editable installation, does not count.
    """
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel_file) as archive:
        archive.extractall(site)
    others = [each for each in sys.path if each.endswith("site-packages")]
    (site / "others.pth").write_text("".join(f"{each}\n" for each in others))
    return folder / "bin" / "python"


def segue(python: Path, folder: Path, *arguments: str) -> str:
    """Run a command of the installed wheel, in a folder that holds no checkout."""
    command = [str(python), "-m", "cli", *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@needs.package("setuptools")
def test_the_wheel_carries_the_embedded_world_as_it_is(wheel_file: Path) -> None:
    with zipfile.ZipFile(wheel_file) as archive:
        carried = {
            name.removeprefix("cli/embedded/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("cli/embedded/")
        }
    files = [ROOT / "config.yaml", *(each for each in (ROOT / "data").rglob("*") if each.is_file())]
    assert carried == {each.relative_to(ROOT).as_posix(): each.read_bytes() for each in files}


@needs.package("setuptools")
def test_a_wheel_without_a_checkout_has_something_to_serve(installed: Path, tmp_path: Path) -> None:
    printed = segue(installed, tmp_path, "init", "mine")
    assert "segue serve --config mine/config.yaml" in printed
    assert "10,000 tracks" in segue(installed, tmp_path, "check", "--config", "mine/config.yaml")

    shown = segue(installed, tmp_path / "mine", "simulate", "--recommender", "local", "--json")
    assert json.loads(shown)["episodes"] == 1000
    with serving(tmp_path / "mine" / "config.yaml", (installed, "-m", "cli")) as address:
        answer = httpx.post(f"{address}/recommend", json={"user": 7}, timeout=60).json()
    assert answer["track"] in range(10_000)


@needs.package("setuptools")
def test_the_wheel_holds_every_file_of_our_packages(wheel: set[str]) -> None:
    expected = ours(ROOT)
    assert {
        "events/py.typed",
        "segue/client/__init__.py",
        "analysis/rendering/page.html",
        "app/docs_page.css",
        "app/docs_page.html",
        "app/docs_page.js",
    } <= expected
    assert expected - wheel == set()


@needs.package("setuptools")
def test_the_wheel_holds_our_packages_and_nothing_else(wheel: set[str]) -> None:
    folders = {name.partition("/")[0] for name in wheel}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == set(PACKAGES)


def test_every_package_has_types_and_stands_in_every_list_of_the_project() -> None:
    tool = PROJECT["tool"]
    lists = {
        "files": [path.parent.name for path in ROOT.glob("*/py.typed")],
        "wheel": [
            name.removesuffix("*") for name in tool["setuptools"]["packages"]["find"]["include"]
        ],
        "mypy": tool["mypy"]["packages"],
        "coverage": tool["coverage"]["run"]["source"],
        "arrows": tool["importlinter"]["root_packages"],
    }
    assert {name: sorted(found) for name, found in lists.items()} == dict.fromkeys(
        lists, sorted(PACKAGES)
    )
