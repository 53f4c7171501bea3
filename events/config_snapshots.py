"""Config snapshots: copies of the configs that decided, by digest, beside the events.

A snapshot is verified by its own bytes: its digest is that of its content as written, not of the
content that a later version would write. The content has no key that is at its default, so a key
that a later version adds changes no digest. The defaults of absent keys stand beside the content.
"""

import os.path
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from core.allocation import digest_of
from core.errors import InputError
from events.url_path import UrlPath

FOLDER = "configs"
"""Folder of the snapshots, inside the folder of the event log."""
FORMAT = 2
"""Format of a new snapshot. A snapshot of format 1 has no `format` key and has every key."""
RELOAD_KEYS = ("modules", "paths")
"""Keys of a snapshot that say how to load it again; the digest does not cover them."""
BESIDE = "beside"
"""Key of a snapshot for the parts that decide nothing: defaults, plans, report, server. They have
their own digest."""


def read_snapshot(path: Path) -> dict[str, Any]:
    """Read a snapshot, and set its paths to where the data is now.

    Raises:
        InputError: The file cannot be read, is no snapshot, or was changed after it was written.
    """
    try:
        snapshot = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError.one(
            str(path),
            f"cannot be read: {error.strerror or error}. The server writes a snapshot of each "
            "config that it served beside its log; copy that folder with the log",
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
    _verify(snapshot, path)
    return snapshot | _located(snapshot, path)


def content_of(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a snapshot that its digest covers."""
    left_out = ("digest", BESIDE, *RELOAD_KEYS)
    return {key: value for key, value in snapshot.items() if key not in left_out}


def with_digest(beside: Mapping[str, Any]) -> dict[str, Any]:
    """Add its own digest to what stands beside the content."""
    return {**beside, "digest": digest_of(beside)}


def with_defaults(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Add the keys that were at their default when the snapshot was written."""
    defaults = snapshot[BESIDE]["defaults"] if snapshot.get("format", 1) > 1 else {}
    return fill_in(snapshot, defaults)


def fill_in(snapshot: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Add every absent key at a default.

    Args:
        snapshot: Its own keys win.
        defaults: Section (`strategies`, `experiments`, `arms`, `holdout`, `state`) -> key ->
            default. In `strategies`: strategy type -> param -> default.
    """
    by_type, of_arm = defaults.get("strategies", {}), defaults.get("arms", {})
    return {
        **defaults.get("state", {}),
        **snapshot,
        "strategies": {
            name: {**by_type.get(given["type"], {}), **given}
            for name, given in snapshot["strategies"].items()
        },
        "experiments": [
            {
                **defaults.get("experiments", {}),
                **given,
                "arms": [{**of_arm, **arm} for arm in given["arms"]],
            }
            for given in snapshot["experiments"]
        ],
        "holdout": {**defaults.get("holdout", {}), **snapshot["holdout"]},
    }


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


def _verify(snapshot: Mapping[str, Any], path: Path) -> None:
    """Check the content and what stands beside it against their digests, and the file's name."""
    if snapshot.get("format", 1) > FORMAT:
        raise InputError.one(
            f"{path}: format",
            f"must be at most {FORMAT}, got {snapshot['format']}. A later version of Segue wrote "
            "this snapshot: read it with that version",
        )
    if snapshot["digest"] != path.stem:
        raise InputError.one(
            f"{path}: digest",
            f"must be the file's name, {path.stem}, got {snapshot['digest']}. Somebody renamed the "
            "file or changed it: copy it again from the server",
        )
    pieces = [(str(path), snapshot["digest"], content_of(snapshot))]
    if BESIDE in snapshot:
        beside = dict(snapshot[BESIDE])
        pieces.append((f"{path}: {BESIDE}", beside.pop("digest", None), beside))
    for where, digest, content in pieces:
        found = digest_of(content)
        if found != digest:
            raise InputError.one(
                where,
                f"must have the content of digest {digest}, has the content of {found}. "
                "Somebody changed the file: copy it again from the server",
            )


def _located(snapshot: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Find the data of a snapshot that was moved together with its data.

    The rule: take the nearest folder above the snapshot under which every file lies as it lay under
    the folder of the config. If there is no such folder, the files are where they were. So an
    archived log finds the archived data, even if newer data lies at the old paths.
    """
    paths, before = snapshot["paths"], snapshot["modules"]["beside"]
    vectors, tables = paths.get("vectors", {}), paths.get("tables", {})
    files = [paths["tracks"], *filter(None, [paths["top"]]), *paths["lists"].values()]
    files += [*vectors.values(), *tables.values()]
    inside = {file: os.path.relpath(file, before) for file in files}
    if isinstance(path, UrlPath):  # data is read from a disk
        return {}
    for folder in path.absolute().parent.parents:
        if all((folder / each).is_file() for each in inside.values()):
            moved = {file: str(folder / each) for file, each in inside.items()}
            return {
                "modules": {**snapshot["modules"], "beside": str(folder)},
                "paths": {
                    "tracks": moved[paths["tracks"]],
                    "top": paths["top"] and moved[paths["top"]],
                    "lists": {name: moved[file] for name, file in paths["lists"].items()},
                    "vectors": {name: moved[file] for name, file in vectors.items()},
                    "tables": {name: moved[file] for name, file in tables.items()},
                },
            }
    return {}
