"""A folder of the user's with the name of one of our packages is found before it is imported."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli.own_packages import PACKAGES, fault_of_packages

ROOT = Path(__file__).parents[2]


def segue(folder: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run `segue --version` in a folder, as `python -m cli`: the folder comes first."""
    return subprocess.run(
        [sys.executable, "-m", "cli", "--version"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )


def refused(ran: subprocess.CompletedProcess[str], found: Path, name: str, folder: Path) -> None:
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"segue: {found} stands in the way of Segue's own package '{name}' in {ROOT / name}. "
        f"Rename it, or run segue from another folder than {folder} and without that folder in "
        "PYTHONPATH\n"
    )


@pytest.mark.parametrize("name", [name for name in PACKAGES if name != "cli"])
def test_a_users_package_of_our_name_stops_the_start(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('run by mistake')\n")
    refused(segue(tmp_path, ROOT), tmp_path / name / "__init__.py", name, tmp_path)


def test_a_users_file_of_our_name_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "events.py").write_text("")
    refused(segue(tmp_path, ROOT), tmp_path / "events.py", "events", tmp_path)


def test_a_package_of_our_name_in_pythonpath_stops_the_start(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "core").mkdir(parents=True)
    (theirs / "core" / "__init__.py").write_text("")
    (tmp_path / "here").mkdir()
    ran = segue(tmp_path / "here", theirs, ROOT)
    refused(ran, theirs / "core" / "__init__.py", "core", theirs)


def test_a_bare_folder_of_our_name_stops_the_start_of_an_editable_install(
    tmp_path: Path,
) -> None:
    """pip's finder for our packages comes after Python's own, which takes the bare folder."""
    (tmp_path / "app").mkdir()
    program = (
        "import importlib.machinery, importlib.util, sys\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        where = [{str(ROOT)!r}] if path is None else path\n"
        "        return importlib.machinery.PathFinder.find_spec(name, where)\n"
        f"sys.path = [p for p in sys.path if p != {str(ROOT)!r}]\n"
        "sys.meta_path.append(Finder)\n"
        "sys.argv = ['segue', '--version']\n"
        "from cli.main import main\n"
        "main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    refused(ran, tmp_path / "app", "app", tmp_path)


def test_a_bare_folder_of_our_name_is_harmless_to_an_installed_wheel(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    ran = segue(tmp_path, ROOT)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_packages_are_all_that_the_project_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    include = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert sorted(PACKAGES) == sorted(pattern.removesuffix("*") for pattern in include)
    assert fault_of_packages() is None
