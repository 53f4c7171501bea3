"""The configs of the demo: the lists that one has play first, then what the loop learnt."""

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
"""A first day without any list."""

STRATEGIES: dict[str, Any] = {
    "random": {"type": "random"},
    "popular": {"type": "top_pop", "top": 100, "fallback": "random"},
    "contextual": {"type": "contextual", "list": "contextual", "fallback": "random"},
    "improved": {
        "type": "contextual_and_popular",
        "list": "contextual",
        "popular": "popular",
        "fallback": "random",
    },
    "personal": {"type": "personal", "list": "personal", "fallback": "popular"},
    "liked": {
        "type": "contextual_liked",
        "list": "similar",
        "personal": "personal",
        "fallback": "popular",
    },
    "recommended": {
        "type": "session_lists",
        "lists": {"similar": 1, "contextual": 1},
        "fallback": "personal",
    },
    "exploring": {
        "type": "explore",
        "of": "recommended",
        "temperature": 0.2,
        "epsilon": 0.05,
        "fallback": "personal",
    },
}

LEARNING: dict[str, Any] = {
    "strategies": STRATEGIES,
    "default": "personal",
    "events": {"dir": "log/"},
}
"""The days of the loop: the lists that one has, shuffled, until a version is promoted."""

COMPARING: dict[str, Any] = {
    "strategies": STRATEGIES,
    "default": "recommended",
    "experiments": [
        {
            "name": "toppop_after_skip",
            "slots": [0, 4000],
            "arms": {
                "C": {"strategy": "contextual", "weight": 50},
                "T1": {"strategy": "improved", "weight": 50},
            },
        },
        {
            "name": "liked_track_vs_personal",
            "slots": [4000, 10000],
            "arms": {
                "C": {"strategy": "personal", "weight": 34},
                "T1": {"strategy": "liked", "weight": 33},
                "T2": {"strategy": "recommended", "weight": 33},
            },
        },
    ],
    "events": {"dir": "served/"},
}
"""The last day: the two default experiments, and the recommended recipe as a third arm."""

MODELS = {
    "similar": "neighbours:listener",
    "contextual": "neighbours:bm25",
    "personal": "neighbours:listener",
}
"""List of the demo -> the model that learns it."""


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
        for name in ("log", "lists", "artifacts", "first", "served"):
            shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def write_config(
    config: Path, tracks: Path, sections: dict[str, Any], top: Path | None = None
) -> None:
    """Write a config over a catalog, and over the lists in `lists/` if it has a popularity list."""
    catalog: dict[str, Any] = {"tracks": os.path.relpath(tracks, config.parent)}
    if top is not None:
        lists = {name: f"lists/{name}.npz" for name in MODELS}
        catalog |= {"top": os.path.relpath(top, config.parent), "lists": lists}
    content = {"catalog": catalog, **sections}
    config.write_text(MARK + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
