"""Listens made by a rule: each listener likes the tracks of one group."""

import json
from pathlib import Path

import numpy as np

from core.catalog import Catalog
from training.interactions import Interactions, assemble

GROUPS = 6
SIZE = 15
TRACKS = GROUPS * SIZE
USERS = 60
DAY_MS = 86_400_000


def catalog() -> Catalog:
    """90 tracks, each group of 15 by three artists; ids are not indices."""
    return Catalog(
        ids=[1000 + 7 * index for index in range(TRACKS)],
        artists=[f"artist {index // 5}" for index in range(TRACKS)],
        titles=[f"title {index}" for index in range(TRACKS)],
    )


def group_of(track: np.ndarray) -> np.ndarray:
    """The group of each track."""
    return np.asarray(track) // SIZE


def listening(sessions: int = 1500, length: int = 8, seed: int = 3) -> Interactions:
    """Sessions of uniformly drawn tracks, after a first track from the listener's group.

    Listeners hear tracks of their group almost to the end, and a tenth of all other tracks.
    """
    draws = np.random.default_rng(seed)
    session = np.repeat(np.arange(sessions), length)
    user = draws.integers(0, USERS, sessions)[session]
    track = draws.integers(0, TRACKS, sessions * length)
    first = np.arange(len(session)) % length == 0
    track[first] = (user[first] % GROUPS) * SIZE + draws.integers(0, SIZE, sessions)
    liked = group_of(track) == user % GROUPS
    time = np.where(liked, draws.uniform(0.7, 1.0, len(track)), draws.uniform(0, 0.2, len(track)))
    at_ms = session * 10_000 + np.arange(len(session)) % length * 1000
    return assemble(
        user,
        track,
        np.round(time, 2),
        at_ms,
        [f"u{index}" for index in range(USERS)],
        catalog(),
        {"made.log": "0" * 64},
        session=session,
        propensity=np.where(first, np.nan, 1 / TRACKS),
    )


def write_catalog(folder: Path) -> Path:
    """The catalog as a file."""
    path = folder / "tracks.jsonl"
    tracks = catalog()
    path.write_text(
        "".join(json.dumps(tracks.describe(index)) + "\n" for index in range(len(tracks)))
    )
    return path
