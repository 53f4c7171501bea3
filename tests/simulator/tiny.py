"""Worlds small enough to compute by hand."""

from typing import Any

import numpy as np

from core.catalog import Catalog
from simulator.listeners.botify import BotifyListeners, BotifySettings
from simulator.world.world import World


def world_of(
    vectors: list[list[float]],
    artists: str,
    interests: list[list[int]],
    bias: list[float],
    sharpness: list[float],
) -> World:
    """Tracks called 100, 110, ... by artists of one letter; listeners called 7, 8, ..."""
    ids = [100 + 10 * index for index in range(len(vectors))]
    return World(
        Catalog(ids, list(artists), [f"Title {track}" for track in ids]),
        np.array(vectors, dtype=np.float32),
        [7 + index for index in range(len(interests))],
        np.array(interests, dtype=np.int64),
        np.array(bias, dtype=np.float64),
        np.array(sharpness, dtype=np.float64),
    )


def by_hand() -> World:
    """Five tracks by A, A, B, C, C; listener 7 likes track 0, listener 8 tracks 2 and 3."""
    return world_of(
        vectors=[[2, 0], [1, 0], [0, 1], [3, 1], [-1, 2]],
        artists="AABCC",
        interests=[[0, 0], [2, 3]],
        bias=[1.0, 0.5],
        sharpness=[2.0, 1.0],
    )


def some_world(tracks: int = 60, listeners: int = 12, seed: int = 3) -> World:
    """A world of random vectors, with artists of three tracks each."""
    rng = np.random.default_rng(seed)
    return World(
        Catalog(
            [1000 + 3 * index for index in range(tracks)],
            [f"Artist {index // 3}" for index in range(tracks)],
            [f"Title {index}" for index in range(tracks)],
        ),
        rng.normal(size=(tracks, 8)).astype(np.float32),
        [str(50 + index) if index % 2 else 50 + index for index in range(listeners)],
        rng.integers(0, tracks, (listeners, 3)),
        rng.uniform(0, 3, listeners),
        rng.uniform(0.5, 2, listeners),
    )


def nearest_by_sorting(world: World, neighbours: int) -> Any:
    """(users, interests, neighbours): the largest inner products, found by sorting."""
    scores = world.embeddings @ world.embeddings.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :neighbours]
    return order[world.interests]


def botify(world: World, seed: int = 1, **settings: Any) -> BotifyListeners:
    made = BotifySettings(**{"interest_neighbours": 2, **settings})
    return BotifyListeners(world, nearest_by_sorting(world, made.interest_neighbours), seed, made)
