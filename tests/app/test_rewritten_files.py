"""Data files that change under a server change none of its answers until it loads them again."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from audit.archived_runtimes import runtimes_by_digest
from audit.replay import Replayer
from core.lists import save_lists
from events.config_snapshots import snapshots_beside
from segue.testing.small_world import TRACKS, WITHOUT_LIST, small_catalog
from tests.app.test_kill import started
from tests.service import events_in, write_world

CATALOG = small_catalog()
IDS = CATALOG.ids
LISTED = [track for track in range(TRACKS) if track not in WITHOUT_LIST]
SECTIONS: dict[str, Any] = {
    "catalog": {
        "tracks": "tracks.jsonl",
        "top": "top_tracks.json",
        "lists": {"contextual": "contextual.npz", "personal": "personal.jsonl"},
    },
    "experiments": [],
}


def write_lists(path: Path, step: int) -> Path:
    """Write lists of one track each: the one that is `step` tracks later."""
    rows = {track: [(track + step) % TRACKS] for track in LISTED}
    save_lists(path, "track", rows, CATALOG, {})
    return path


def overwrite(path: Path, by: Path) -> None:
    shutil.copyfile(by, path)  # as `cp` does: into the file that is there


def cut(path: Path, by: Path) -> None:
    os.truncate(path, 0)


def remove(path: Path, by: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [overwrite, cut, remove])
def test_a_server_answers_from_the_files_that_it_loaded(
    tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    folder = tmp_path / "world"
    folder.mkdir()
    write_world(folder)
    lists = write_lists(folder / "contextual.npz", 1)
    kept = shutil.copytree(folder, tmp_path / "kept")
    server, address = started(folder, **SECTIONS)

    def answers() -> list[Any]:
        with httpx.Client(base_url=address, timeout=60) as client:
            return [
                client.post("/recommend", json={"user": 7, "track": IDS[track], "time": 1}).json()[
                    "track"
                ]
                for track in LISTED
            ]

    expected = [IDS[(track + 1) % TRACKS] for track in LISTED]
    try:
        assert answers() == expected
        change(lists, write_lists(tmp_path / "new.npz", 2))
        for name in ("tracks.jsonl", "top_tracks.json", "personal.jsonl"):
            change(folder / name, folder / "config.yaml")
        assert answers() == expected
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate()
    assert server.returncode == 0

    shutil.copytree(kept, folder, dirs_exist_ok=True)
    replayer = Replayer(runtimes_by_digest(snapshots_beside([folder / "log"]), None))
    for number, event in enumerate(events_in(folder)):
        replayer.take(event, f"line {number}")
    result = replayer.finish()
    assert result.sound, result.mismatches
