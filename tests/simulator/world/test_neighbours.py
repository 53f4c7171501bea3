"""Nearest tracks: exact, ties in the order of the catalog, and a cache that is checked."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.world.generator import generate_world
from simulator.world.neighbours import find_neighbours, nearest_tracks
from simulator.world.world import World


class Messages:
    """Progress that keeps its messages."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.advanced = 0.0
        self.messages: list[str] = []

    def start(self, what: str, total: float | None = None) -> None:
        self.started.append(what)

    def advance(self, steps: float = 1) -> None:
        self.advanced += steps

    def say(self, what: str) -> None:
        self.messages.append(what)


def by_sorting(vectors: np.ndarray, of: np.ndarray, k: int) -> list[list[int]]:
    scores = vectors[of].astype(np.float64) @ vectors.astype(np.float64).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :k].tolist()


@given(
    tracks=st.integers(1, 90),
    d=st.integers(1, 4),
    seed=st.integers(0, 9),
    share=st.floats(0, 1),
)
def test_nearest_tracks_equal_those_of_a_full_sort(
    tracks: int, d: int, seed: int, share: float
) -> None:
    """Small integers, so that many scores are equal and their sums exact."""
    random = np.random.default_rng(seed)
    vectors = random.integers(-2, 3, (tracks, d)).astype(np.float32)
    of = random.integers(0, tracks, 7)
    k = 1 + round(share * (tracks - 1))
    assert nearest_tracks(vectors, of, k).tolist() == by_sorting(vectors, of, k)


def test_nearest_tracks_equal_those_of_a_full_sort_with_groups_of_columns() -> None:
    vectors = generate_world(3001, 5, 1).world.embeddings
    of = np.arange(0, 3001, 7)
    assert nearest_tracks(vectors, of, 10).tolist() == by_sorting(vectors, of, 10)


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(500, 80, 3).world


def test_each_interest_is_nearest_to_itself(world: World) -> None:
    near = find_neighbours(world, 10)
    assert near.shape == (80, 3, 10)
    assert near.dtype == np.int32
    assert (
        near[5, 1].tolist()
        == nearest_tracks(world.embeddings, world.interests[5, 1:2], 10)[0].tolist()
    )
    assert np.mean(near[:, :, 0] == world.interests) > 0.95


def test_a_cache_file_replaces_the_computation(world: World, tmp_path: Path) -> None:
    first, second = Messages(), Messages()
    made = find_neighbours(world, 10, tmp_path, first)
    assert first.advanced == len(np.unique(world.interests))
    assert np.array_equal(find_neighbours(world, 10, tmp_path, second), made)
    assert second.started == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".bin"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "foreign"])
def test_a_damaged_cache_file_is_reported_and_rebuilt(
    world: World, tmp_path: Path, damage: str
) -> None:
    made = find_neighbours(world, 10, tmp_path)
    (path,) = tmp_path.iterdir()
    sound = path.read_bytes()
    path.write_bytes(
        {
            "cut": sound[:-5],
            "flipped": sound[:-1] + bytes([sound[-1] ^ 1]),
            "emptied": b"",
            "foreign": b"x" * len(sound),
        }[damage]
    )
    progress = Messages()
    assert np.array_equal(find_neighbours(world, 10, tmp_path, progress), made)
    assert progress.messages == [f"{path}: is damaged; computing it again"]
    assert path.read_bytes() == sound


def test_each_world_and_each_k_has_its_own_cache_file(world: World, tmp_path: Path) -> None:
    find_neighbours(world, 10, tmp_path)
    find_neighbours(world, 5, tmp_path)
    find_neighbours(generate_world(500, 80, 4).world, 10, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_an_unusable_cache_is_reported_and_not_needed(world: World, tmp_path: Path) -> None:
    made = find_neighbours(world, 10, tmp_path)
    (path,) = tmp_path.iterdir()
    path.unlink()
    path.mkdir()
    progress = Messages()
    assert np.array_equal(find_neighbours(world, 10, tmp_path, progress), made)
    assert progress.messages == [
        f"{path}: cannot be read (Is a directory); computing it again",
        f"{path}: cannot be written (Is a directory); the next run computes it again",
    ]
    assert list(tmp_path.iterdir()) == [path]
