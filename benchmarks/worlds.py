"""Worlds for benchmarks: a catalog of any size with lists, and every strategy type over it.

The lists are random. They cost as much as real lists, because no strategy depends on their content.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from core.catalog import load_catalog
from core.listener_tables import ListenerRows, save_table
from core.lists import save_lists
from core.vector_archive import save_vectors
from strategies import registry

STRATEGIES: dict[str, dict[str, Any]] = {
    "random": {"type": "random"},
    "top_pop": {"type": "top_pop", "fallback": "random"},
    "sticky_artist": {"type": "sticky_artist", "fallback": "random"},
    "contextual": {"type": "contextual", "list": "contextual", "fallback": "random"},
    "contextual_with_memory": {
        "type": "contextual_with_memory",
        "list": "contextual",
        "fallback": "top_pop",
    },
    "contextual_and_popular": {
        "type": "contextual_and_popular",
        "list": "contextual",
        "popular": "top_pop",
        "fallback": "random",
    },
    "personal": {"type": "personal", "list": "personal", "fallback": "random"},
    "contextual_liked": {
        "type": "contextual_liked",
        "list": "contextual",
        "personal": "personal",
        "fallback": "random",
    },
    "intersection": {
        "type": "intersection",
        "first": "contextual",
        "second": "personal",
        "fallback": "contextual",
    },
    "constant": {"type": "constant", "track": 1},
    "best_heard": {"type": "best_heard", "list": "contextual", "fallback": "random"},
    "gate": {
        "type": "gate",
        "cases": [{"below": 0.1, "use": "top_pop"}, {"use": "contextual"}],
        "fallback": "random",
    },
    "mixture": {
        "type": "mixture",
        "strategies": {"contextual": 0.9, "random": 0.1},
        "fallback": "random",
    },
    "merge": {
        "type": "merge",
        "strategies": {"contextual": 1, "personal": 1},
        "fallback": "random",
    },
    "session_lists": {"type": "session_lists", "lists": "contextual", "fallback": "random"},
    "session_vectors": {"type": "session_vectors", "vectors": "taste", "fallback": "random"},
    "interest": {
        "type": "interest",
        "vectors": "taste",
        "table": "interests",
        "fallback": "random",
    },
    "artist_cap": {"type": "artist_cap", "of": "contextual", "fallback": "random"},
    "artist_discount": {"type": "artist_discount", "of": "contextual", "fallback": "random"},
    "filter": {
        "type": "filter",
        "of": "contextual",
        "where": {"genre": [0, 1, 2]},
        "fallback": "random",
    },
    "boost": {"type": "boost", "of": "contextual", "where": {"genre": 0}, "fallback": "random"},
    "explore": {"type": "explore", "of": "contextual", "fallback": "random"},
    "fresh": {"type": "fresh", "of": "contextual", "fallback": "random"},
    "pin": {"type": "pin", "of": "contextual", "tracks": [1], "at": 3, "fallback": "random"},
}
"""Every strategy type under its own name."""

LISTENERS = 10_000
DIMENSIONS = 64


def make_world(folder: Path, tracks: int, listeners: int = LISTENERS, seed: int = 1) -> None:
    """Write a catalog with 5 tracks per artist on average, a popularity list, lists and vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    artists = rng.integers(tracks // 5, size=tracks).tolist()
    with (folder / "tracks.jsonl").open("w") as file:
        for track, artist in enumerate(artists):
            record = {"track": track, "artist": f"Artist {artist}", "title": f"Title {track}"}
            file.write(json.dumps(record | {"genre": track % 7}) + "\n")
    (folder / "top_tracks.json").write_text(json.dumps(rng.permutation(tracks)[:1000].tolist()))
    catalog = load_catalog(folder / "tracks.jsonl")
    about = {"model": "random, for benchmarks", "seed": seed}
    for name, key, rows, length in (
        ("contextual", "track", range(tracks), 100),
        ("personal", "user", map(str, range(listeners)), 50),
    ):
        made = {row: rng.choice(tracks, length, replace=False, shuffle=False) for row in rows}
        save_lists(folder / f"{name}.npz", key, made, catalog, about)  # type: ignore[arg-type]
    points = rng.normal(size=(tracks, DIMENSIONS))
    save_vectors(folder / "taste.npz", "track", range(tracks), points, catalog, about)
    rows = ListenerRows(
        rng.normal(size=(listeners, 3, DIMENSIONS)).astype(np.float32),
        np.full((listeners, 3), 1 / 3, dtype=np.float32),
        np.zeros(listeners, dtype=np.float32),
        rng.integers(0, tracks, (listeners, 10)).astype(np.int32),
    )
    save_table(folder / "interests.npz", list(map(str, range(listeners))), rows, catalog, about)


def write_config(folder: Path, data: Path, strategy: str, lists: str = "") -> Path:
    """Write a config whose experiment has this strategy in both arms.

    Args:
        folder: Folder for the config and its event log.
        data: Folder of the catalog.
        strategy: One of `STRATEGIES`.
        lists: Folder of the list files inside `data`.
    """
    missing = sorted(set(registry.known()) - set(STRATEGIES))
    if missing:
        raise SystemExit(f"benchmarks/worlds.py: no entry for strategy type {', '.join(missing)}")
    data = data.resolve()
    arms = {"C": {"strategy": strategy, "weight": 50}, "T1": {"strategy": strategy, "weight": 50}}
    config = {
        "catalog": {
            "tracks": str(data / "tracks.jsonl"),
            "top": str(data / "top_tracks.json"),
            "lists": {
                name: str(data / lists / f"{name}.npz") for name in ("contextual", "personal")
            },
            "vectors": {"taste": str(data / "taste.npz")},
            "tables": {"interests": str(data / "interests.npz")},
        },
        "strategies": STRATEGIES,
        "default": "random",
        "experiments": [{"name": "measured", "arms": arms}],
        "events": {"dir": str(folder / "log")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
