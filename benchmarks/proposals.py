"""CPU of a proposal over lists or vectors, alone and in batches.

Run with `OPENBLAS_NUM_THREADS=1 python -m benchmarks.proposals`, which is how a server runs: 160
listeners with random listens, in catalogs of 10,000 and 50,000 tracks; the vectors stand in groups,
as trained ones do. The figure is the CPU time of the fastest of twelve rounds, in us, so that a
second process on the machine disturbs it little.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.decision import BATCH, yardstick_us
from core.catalog import Catalog
from core.listener import Listener
from core.lists import load_lists, save_lists
from core.nearest import Floats
from core.vector_archive import load_vectors, save_vectors
from core.vectors import Vectors
from strategies.base import Artifacts
from strategies.session_lists import SessionLists, SessionListsParams
from strategies.session_vectors import SessionVectors, SessionVectorsParams

SIZES = (10_000, 50_000)
SESSIONS = (5, 14, 30)
LISTENERS, ROUNDS, LENGTH, DIMENSIONS = 160, 12, 50, 64
GENRES, PER_ARTIST = 300, 8


def main() -> None:
    """Print a table: lists and vectors by size, by the listens of a session."""
    table = Table("us of CPU a proposal", *(f"{each} listens" for each in SESSIONS))
    with tempfile.TemporaryDirectory() as folder:
        for tracks in SIZES:
            artifacts = _artifacts(Path(folder), tracks)
            lists = SessionLists(SessionListsParams(lists="similar"), artifacts)
            near = SessionVectors(
                SessionVectorsParams(vectors="taste", fatigue=0.8, lengths=0.5), artifacts
            )
            ways: dict[str, Callable[[list[Listener]], None]] = {
                "session_lists": lambda each, of=lists: _alone(of, each),
                "session_vectors, alone": lambda each, of=near: _alone(of, each),
                f"in batches of {BATCH}": lambda each, of=near: _together(of, each),
            }
            for name, way in ways.items():
                costs = [_fastest_us(way, _listeners(tracks, length)) for length in SESSIONS]
                table.add_row(f"{name}, {tracks:,} tracks", *(f"{cost:.0f}" for cost in costs))
    Console(width=100).print(table)
    print(f"yardstick, ten steps of an integer loop: {yardstick_us():.2f} us")


def grouped_points(tracks: int, seed: int = 1) -> Floats:
    """Make vectors of tracks near their artist's, which are near one of 300 genres."""
    rng = np.random.default_rng(seed)
    genres = rng.normal(size=(GENRES, DIMENSIONS))
    artists = genres[rng.integers(0, GENRES, tracks // PER_ARTIST)]
    artists += 0.7 * rng.normal(size=artists.shape)
    points = artists[rng.integers(0, len(artists), tracks)]
    made: Floats = (points + 0.6 * rng.normal(size=points.shape)).astype(np.float32)
    return made


def plain_catalog(tracks: int) -> Catalog:
    """Make a catalog with one artist for eight tracks."""
    artists = [f"artist {track // PER_ARTIST}" for track in range(tracks)]
    return Catalog(range(tracks), artists, [""] * tracks)


def saved_vectors(path: Path, catalog: Catalog) -> Vectors:
    """Write vectors of all tracks, and load them."""
    save_vectors(path, "track", range(len(catalog)), grouped_points(len(catalog)), catalog, {})
    return load_vectors(path, catalog)


def _artifacts(folder: Path, tracks: int) -> Artifacts:
    catalog = plain_catalog(tracks)
    rng = np.random.default_rng(1)
    rows = {track: rng.choice(tracks, LENGTH, replace=False) for track in range(tracks)}
    save_lists(folder / "similar.npz", "track", rows, catalog, {})
    similar = load_lists(folder / "similar.npz", catalog)
    taste = saved_vectors(folder / "taste.npz", catalog)
    return Artifacts(catalog, lists={"similar": similar}, vectors={"taste": taste})


def _listeners(tracks: int, length: int) -> list[Listener]:
    rng = np.random.default_rng(length)
    return [
        Listener.of(
            str(user),
            zip(rng.integers(0, tracks, length).tolist(), rng.random(length), strict=True),
        )
        for user in range(LISTENERS)
    ]


def _alone(strategy: SessionLists | SessionVectors, listeners: list[Listener]) -> None:
    for each in listeners:
        strategy.propose(each)


def _together(strategy: SessionVectors, listeners: list[Listener]) -> None:
    for at in range(0, len(listeners), BATCH):
        strategy.prepare(listeners[at : at + BATCH])
        _alone(strategy, listeners[at : at + BATCH])


def _fastest_us(way: Callable[[list[Listener]], None], listeners: list[Listener]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        # A listener keeps its views, so each round has listeners of its own.
        fresh = [Listener(each.id, each.packed) for each in listeners]
        began = process_time()
        way(fresh)
        best = min(best, process_time() - began)
    return best / len(listeners) * 1e6


if __name__ == "__main__":
    main()
