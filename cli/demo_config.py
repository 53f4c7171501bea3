"""The configs of the demo: the first day plays at random, the second plays the learnt lists."""

import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from core.errors import InputError

MARK = "# Written by `segue demo`, which may write it again.\n"

RANDOM_DAY: dict[str, Any] = {
    "strategies": {"random": {"type": "random"}},
    "default": "random",
}
"""The first day, when there is nothing to learn from."""

LEARNT_DAY: dict[str, Any] = {
    "strategies": {
        "random": {"type": "random"},
        "popular": {"type": "top_pop", "top": 100, "fallback": "random"},
        "contextual": {"type": "contextual", "list": "near", "fallback": "random"},
        "improved": {
            "type": "contextual_and_popular",
            "list": "near",
            "popular": "popular",
            "fallback": "random",
        },
        "personal": {"type": "personal", "list": "personal", "fallback": "popular"},
        "liked": {
            "type": "contextual_liked",
            "list": "similar",
            "personal": "personal",
            "anchor": "weighted",
            "fallback": "popular",
        },
    },
    "default": "contextual",
    "experiments": [
        {
            "name": "toppop_after_skip",
            "slots": [0, 5000],
            "arms": {
                "C": {"strategy": "contextual", "weight": 50},
                "T1": {"strategy": "improved", "weight": 50},
            },
        },
        {
            "name": "liked_track_vs_personal",
            "slots": [5000, 10000],
            "arms": {
                "C": {"strategy": "personal", "weight": 50},
                "T1": {"strategy": "liked", "weight": 50},
            },
        },
    ],
}
"""The second day: the two default experiments, over lists learnt from the first day."""

LISTS = {
    "near": "lists/neighbours_bm25_by_track.npz",
    "similar": "lists/factors_by_track.npz",
    "personal": "lists/factors_by_listener.npz",
}


def clear_folder(folder: Path) -> None:
    """Make the folder, or remove the log and lists of an earlier demo: they must not count again.

    Raises:
        InputError: The folder holds files that no demo wrote.
    """
    config = folder / "config.yaml"
    if folder.exists() and not folder.is_dir():
        raise InputError.one(str(folder), "must be a folder. Choose a different one with --to")
    if folder.is_dir() and any(folder.iterdir()):
        if not config.is_file() or not config.read_text(encoding="utf-8").startswith(MARK):
            raise InputError.one(
                str(folder),
                "holds files that no demo wrote, and a demo would remove them. Choose a different "
                "folder with --to",
            )
        for name in ("log", "lists"):
            shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def write_config(
    config: Path, tracks: Path, sections: dict[str, Any], lists: dict[str, str] | None = None
) -> None:
    """Write the config of a day, over a catalog and the lists learnt so far."""
    catalog: dict[str, Any] = {"tracks": os.path.relpath(tracks, config.parent)}
    if lists:
        catalog |= {"top": "lists/popular.json", "lists": lists}
    content = {"catalog": catalog, **sections, "events": {"dir": "log/"}}
    config.write_text(MARK + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
