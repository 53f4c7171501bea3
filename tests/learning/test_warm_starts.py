"""Warm starts of the loop: a round goes on from the last fit, or says why it does not."""

from pathlib import Path

import pytest

from core.catalog import load_catalog
from core.lists import load_lists
from tests import needs
from tests.learning.small_loop import SmallLoop

pytestmark = needs.package("implicit")


@pytest.fixture
def loop(folder: Path) -> SmallLoop:
    """A loop that has learnt lists once; without a pilot, each round learns."""
    models = {"similar": "factors", "personal": "factors"}
    loop = SmallLoop(folder, pilot=0, models=models)
    loop.round()
    return loop


def is_warm(loop: SmallLoop, version: int) -> bool:
    catalog = load_catalog(loop.config.parent / "world" / "tracks.jsonl")
    path = loop.learner.store.folder / str(version) / "personal.npz"
    return "warm" in load_lists(path, catalog).manifest


def test_a_later_round_goes_on_from_the_last_fit(loop: SmallLoop) -> None:
    loop.round()
    assert [is_warm(loop, version) for version in (1, 2)] == [False, True]


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_damaged_start_is_said_and_not_used(loop: SmallLoop, damage: str) -> None:
    [path] = (loop.learner.store.folder / "warm").iterdir()
    path.write_bytes(path.read_bytes()[:-100] if damage == "cut" else b"no archive")
    loop.round()
    assert any("is learnt from its beginning" in said for said in loop.said)
    assert not is_warm(loop, 2)


def test_a_start_of_listens_that_are_gone_is_said_and_not_used(loop: SmallLoop) -> None:
    for path in (loop.learner.store.folder / "listens").iterdir():
        path.unlink()
    loop.round()
    assert any("has learnt from listens that are no longer there" in said for said in loop.said)
    assert not is_warm(loop, 2)
