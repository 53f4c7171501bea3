"""The wheel: a real one, built from a copy of the tree, holds every file that the program needs."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from cli.own_packages import PACKAGES
from tests import needs

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
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel that setuptools built, without a network, from a copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    command = [sys.executable, "-W", "ignore", "-c", BUILD]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(copy / "out" / built.stdout.split()[-1]) as archive:
        return set(archive.namelist())


@needs.package("setuptools")
def test_the_wheel_holds_every_file_of_our_packages(wheel: set[str]) -> None:
    expected = ours(ROOT)
    assert {
        "events/py.typed",
        "segue/client/__init__.py",
        "analysis/rendering/page.html",
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
