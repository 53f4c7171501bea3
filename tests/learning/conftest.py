"""One small world for all tests of the loop; each test has a copy, and a config beside it."""

import shutil
from pathlib import Path

import pytest

from tests.learning.small_loop import SmallLoop, make_world, write_config


@pytest.fixture(scope="session")
def made_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("loop"))


@pytest.fixture
def folder(made_world: Path, tmp_path: Path) -> Path:
    """A folder with the world and a config whose default is `personal`."""
    shutil.copytree(made_world / "world", tmp_path / "world")
    write_config(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def made_loop(made_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("promoted")
    shutil.copytree(made_world / "world", folder / "world")
    write_config(folder)
    loop = SmallLoop(folder, pilot=0.5, bound=0.9, strategy="softly")
    loop.round()
    loop.round()
    assert loop.serving == 1
    return folder


@pytest.fixture
def promoted(made_loop: Path, tmp_path: Path) -> Path:
    """A folder where version 1 serves and version 2 plays in a pilot."""
    shutil.copytree(made_loop, tmp_path, dirs_exist_ok=True)
    return tmp_path
