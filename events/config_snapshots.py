"""Copies of the configs that decided, kept by digest beside the events that name them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from core.allocation import digest_of
from core.errors import InputError

FOLDER = "configs"
"""Where the copies stand, inside the folder of the event log."""
BESIDES = ("modules", "paths")
"""What a copy has beside that which decided: how to load it again."""


def read_snapshot(path: Path) -> dict[str, Any]:
    """A copy's content.

    Raises:
        InputError: It cannot be read, is no copy of a config, or was changed since.
    """
    try:
        kept = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError.one(
            str(path),
            f"cannot be read: {error.strerror}. The server keeps a copy of each config that it "
            "served beside its log; copy that folder with the log",
        ) from error
    except orjson.JSONDecodeError as error:
        raise InputError.one(str(path), f"must be JSON: {error.msg}") from error
    if not isinstance(kept, dict) or not {"digest", "experiments", *BESIDES} <= kept.keys():
        raise InputError.one(str(path), "must be the copy of a config that `segue serve` kept")
    found = digest_of({key: kept[key] for key in kept if key not in ("digest", *BESIDES)})
    if found != kept["digest"]:
        raise InputError.one(
            str(path),
            f"must be as it was kept, with digest {kept['digest']}; its content now has {found}. "
            "Somebody changed it: copy it again from the server",
        )
    return kept


def snapshots_beside(logs: Iterable[Path], folders: Iterable[Path] = ()) -> dict[str, Path]:
    """Digest -> copy, of all copies in a folder `configs` beside a log or anywhere below it.

    Args:
        logs: Files and folders of event logs.
        folders: Further folders of copies, whatever they are called.

    Raises:
        InputError: One of `folders` is no folder.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError.one(str(folder), "must be a folder of kept configs, DIGEST.json each")
        found |= {path.stem: path for path in sorted(folder.glob("*.json"))}
    for log in logs:
        pattern = f"**/{FOLDER}/*.json" if log.is_dir() else f"{FOLDER}/*.json"
        for path in sorted((log if log.is_dir() else log.parent).glob(pattern)):
            found.setdefault(path.stem, path)
    return found
