"""Config snapshots: copies of the configs that decided, by digest, beside the events."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from core.allocation import digest_of
from core.errors import InputError

FOLDER = "configs"
"""Folder of the snapshots, inside the folder of the event log."""
RELOAD_KEYS = ("modules", "paths")
"""Keys of a snapshot that say how to load it again; the digest does not cover them."""


def read_snapshot(path: Path) -> dict[str, Any]:
    """Read a snapshot.

    Raises:
        InputError: The file cannot be read, is no snapshot, or was changed after it was written.
    """
    try:
        snapshot = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError.one(
            str(path),
            f"cannot be read: {error.strerror}. The server writes a snapshot of each config "
            "that it served beside its log; copy that folder with the log",
        ) from error
    except orjson.JSONDecodeError as error:
        raise InputError.one(str(path), f"must be JSON: {error.msg}") from error
    if (
        not isinstance(snapshot, dict)
        or not {"digest", "experiments", *RELOAD_KEYS} <= snapshot.keys()
    ):
        raise InputError.one(
            str(path),
            "must be a config snapshot that `segue serve` wrote; it "
            "lacks keys. Copy it again from the server",
        )
    found = digest_of(
        {key: snapshot[key] for key in snapshot if key not in ("digest", *RELOAD_KEYS)}
    )
    if found != snapshot["digest"]:
        raise InputError.one(
            str(path),
            f"must have the content of digest {snapshot['digest']}, has the content of {found}. "
            "Somebody changed the file: copy it again from the server",
        )
    return snapshot


def snapshots_beside(logs: Iterable[Path], folders: Iterable[Path] = ()) -> dict[str, Path]:
    """Find all snapshots, by digest, in a folder `configs` beside a log or anywhere below it.

    Args:
        logs: Files and folders of event logs.
        folders: More folders of snapshots; their names do not matter.

    Raises:
        InputError: One of `folders` is not a folder.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError.one(
                str(folder),
                "must be a folder of config snapshots, DIGEST.json each. Name configs/ of a log",
            )
        found |= {path.stem: path for path in sorted(folder.glob("*.json"))}
    for log in logs:
        pattern = f"**/{FOLDER}/*.json" if log.is_dir() else f"{FOLDER}/*.json"
        for path in sorted((log if log.is_dir() else log.parent).glob(pattern)):
            found.setdefault(path.stem, path)
    return found
