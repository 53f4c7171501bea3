"""A server over the small world, from real files, for tests that send it HTTP in this process."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from starlette.testclient import TestClient

from app.application import create_app
from core.listener_tables import save_table
from core.vector_archive import save_vectors
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from segue.testing import small_world

START_MS = 1_700_000_000_000

CONFIG: dict[str, Any] = {
    "catalog": {
        "tracks": "tracks.jsonl",
        "top": "top_tracks.json",
        "lists": {"contextual": "contextual.jsonl", "personal": "personal.jsonl"},
    },
    "strategies": {
        "random": {"type": "random"},
        "popular": {"type": "top_pop", "top": 8, "fallback": "random"},
        "contextual": {"type": "contextual", "list": "contextual", "fallback": "random"},
        "improved": {
            "type": "contextual_and_popular",
            "list": "contextual",
            "popular": "popular",
            "fallback": "random",
        },
    },
    "default": "contextual",
    "experiments": [
        {
            "name": "fallback",
            "salt": "2026-11",
            "arms": {
                "C": {"strategy": "contextual", "weight": 50},
                "T1": {"strategy": "improved", "weight": 50},
            },
        }
    ],
    "events": {"dir": "log"},
}


class Clock:
    """Unix time in ms; only a test moves it."""

    def __init__(self, at_ms: int = START_MS) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        return self.at_ms

    def tick(self, seconds: float) -> None:
        self.at_ms += round(seconds * 1000)


WITH_VECTORS: dict[str, Any] = {
    **CONFIG["catalog"],
    "vectors": {"taste": "taste.npz"},
    "tables": {"interests": "interests.npz"},
}
"""The section `catalog`, for configs with strategies of every type."""


def write_world(folder: Path) -> None:
    """Write the small world as the files that a config names."""
    catalog = small_world.small_catalog()
    ids = catalog.ids
    _lines(
        folder / "tracks.jsonl",
        (catalog.describe(n) | small_world.fields_of(n) for n in range(len(catalog))),
    )
    (folder / "top_tracks.json").write_text(json.dumps([ids[index] for index in small_world.TOP]))
    _lines(
        folder / "contextual.jsonl",
        (
            {"track": ids[track], "recommendations": [ids[t] for t in small_world.list_of(track)]}
            for track in range(small_world.TRACKS)
            if track not in small_world.WITHOUT_LIST
        ),
    )
    _lines(
        folder / "personal.jsonl",
        (
            {"user": user, "tracks": [ids[t] for t in small_world.list_for(user)]}
            for user in range(1, 7)
        ),
    )
    taste = small_world.small_vectors(catalog)
    save_vectors(folder / "taste.npz", "track", taste.keys, taste.units, catalog, {})
    table = small_world.small_table()
    save_table(folder / "interests.npz", table.keys, table.rows, catalog, {})


def write_config(
    folder: Path, change: Callable[[dict[str, Any]], object] | None = None, **sections: Any
) -> Path:
    """Write the small world and a config over it, changed by whole sections or by a function."""
    if not (folder / "tracks.jsonl").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_world(folder)
    config = {**copy.deepcopy(CONFIG), **sections}
    if change is not None:
        change(config)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def loaded(
    folder: Path, change: Callable[[dict[str, Any]], object] | None = None, **sections: Any
) -> Runtime:
    """Load the runtime of the changed config."""
    return load_runtime(load_settings(write_config(folder, change, **sections)))


@contextmanager
def running(
    folder: Path,
    change: Callable[[dict[str, Any]], object] | None = None,
    clock: Clock | None = None,
    **sections: Any,
) -> Iterator[TestClient]:
    """Run a server in this process; give its client, which gets exceptions as a 500."""
    app = create_app(loaded(folder, change, **sections), clock or Clock())
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def events_in(folder: Path) -> list[dict[str, Any]]:
    """Read every event in the log folder, in the order written."""
    return [
        json.loads(line)
        for path in sorted((folder / "log").glob("events-*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def _lines(path: Path, records: Any) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
