"""Config snapshots: the server writes each deciding config beside the log, and can rebuild it.

A snapshot holds all that the digest covers, and where the data was. A decision can be made again
later from the snapshot and the same data. If the data has changed, the snapshot is refused.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from pydantic_core import to_json

from core.errors import Fault, Faults, InputError, SegueError
from engine.runtime import Runtime, load_runtime
from engine.settings.defaults import DECIDING, defaults_of, with_former_defaults
from engine.settings.loading import build_settings
from engine.settings.model import Settings
from events.config_snapshots import (
    FOLDER,
    content_of,
    read_snapshot,
    with_defaults,
    with_digest,
)
from events.durable_files import make_folder, sync_folder, write_file
from strategies import registry
from strategies.base import Artifacts


def save_snapshot(runtime: Runtime, folder: Path) -> Path:
    """Write the snapshot of a config into the log's folder, unless it is there; return its path.

    When this returns, a power cut does not lose the snapshot.

    Raises:
        InputError: A snapshot of this digest exists, and an absent key means something different
            in it than in this version.
    """
    path = folder / FOLDER / f"{runtime.digest}.json"
    snapshot = _snapshot_of(runtime)
    before = _existing(path)
    if before is not None:
        _check_meaning(before, snapshot, path)
        sync_folder(path.parent)  # the process that wrote it may not have come to that yet
        return path
    make_folder(path.parent)
    write_file(path, orjson.dumps(snapshot, option=orjson.OPT_INDENT_2))
    return path


def check_snapshot(runtime: Runtime, folder: Path) -> None:
    """Refuse a config whose snapshot could not be saved, as `save_snapshot` does; write nothing.

    Raises:
        InputError: As `save_snapshot`.
    """
    path = folder / FOLDER / f"{runtime.digest}.json"
    before = _existing(path)
    if before is not None:
        _check_meaning(before, _snapshot_of(runtime), path)


def load_snapshot(
    path: Path, elsewhere: Iterable[Runtime] = (), known: Artifacts | None = None
) -> Runtime:
    """Build the config of a snapshot again, under the digest of the snapshot.

    Args:
        path: The snapshot.
        elsewhere: Configs whose data is read instead, if its checksums are those of the snapshot.
        known: Data in memory; a part of it is used if the file has the same content.

    Raises:
        InputError: The snapshot cannot be read or was changed, or data is missing or has changed;
            the error names every file that changed.
    """
    snapshot = read_snapshot(path)
    for other in elsewhere:
        if other.described["catalog"] == snapshot["catalog"]:
            snapshot["paths"] = _paths(other.settings)
    try:
        registry.load(tuple(snapshot["modules"]["named"]), Path(snapshot["modules"]["beside"]))
    except SegueError as error:
        raise InputError.one(f"{path}: modules", str(error)) from error
    runtime = load_runtime(build_settings(_config_of(snapshot), path), known)
    _check_data(path, snapshot, runtime)
    return replace(runtime, digest=snapshot["digest"], described=content_of(snapshot))


def described_beside(runtime: Runtime) -> dict[str, Any]:
    """Describe the parts of a config that decide nothing, as plain JSON values."""
    settings = runtime.settings
    beside = {
        "defaults": defaults_of(settings),
        "planned": settings.planned,
        # Only where there is one: the snapshot of a config without questions stays as it was.
        **({"questions": settings.questions} if settings.questions else {}),
        "report": settings.report,
        "server": settings.server,
    }
    # `planned` may hold anything that YAML can say, a date for instance.
    described: dict[str, Any] = orjson.loads(to_json(beside, inf_nan_mode="null"))
    return described


def _snapshot_of(runtime: Runtime) -> dict[str, Any]:
    settings = runtime.settings
    return {
        "digest": runtime.digest,
        **runtime.described,
        "modules": {
            "named": list(settings.modules),
            "beside": str(settings.path.parent.absolute()),
        },
        "paths": _paths(settings),
        "beside": with_digest(described_beside(runtime)),
    }


def _paths(settings: Settings) -> dict[str, Any]:
    section = settings.catalog
    return {
        "tracks": str(settings.resolve(section.tracks).absolute()),
        "top": section.top and str(settings.resolve(section.top).absolute()),
        "lists": {
            name: str(settings.resolve(path).absolute()) for name, path in section.lists.items()
        },
        "vectors": {
            name: str(settings.resolve(path).absolute()) for name, path in section.vectors.items()
        },
        "tables": {
            name: str(settings.resolve(path).absolute()) for name, path in section.tables.items()
        },
    }


def _existing(path: Path) -> dict[str, Any] | None:
    """Read the snapshot that is there; None if it is damaged, so that it is written again."""
    try:
        return read_snapshot(path)
    except InputError:
        return None


def _check_meaning(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Refuse a config whose absent keys mean something different in its snapshot."""
    faults = Faults()
    written = with_defaults(now)["strategies"]
    for name, keys in with_defaults(before)["strategies"].items():
        for key, was in keys.items():
            if key in written[name] and written[name][key] != was:
                faults.add(
                    f"{path}: strategies.{name}.{key}",
                    f"must have the default {was!r}, as when this snapshot was written; strategy "
                    f"type '{keys['type']}' now has the default {written[name][key]!r}, and one "
                    "digest cannot name both. Give the type with the new default a new name, or "
                    "log to a new folder (`events.dir`)",
                )
    faults.raise_if_any()


def _config_of(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return the snapshot in the form of config.yaml."""
    written = with_former_defaults(with_defaults(snapshot))
    return {
        "modules": written["modules"]["named"],
        "catalog": written["paths"],
        "strategies": written["strategies"],
        "default": written["default"],
        "default_draw": written.get("default_draw"),
        "experiments": [
            {
                **experiment,
                "arms": {
                    arm["name"]: {key: value for key, value in arm.items() if key != "name"}
                    for arm in experiment["arms"]
                },
            }
            for experiment in written["experiments"]
        ],
        "holdout": written["holdout"],
        "state": {key: written[key] for key in DECIDING if key in written},
    }


def _check_data(path: Path, snapshot: dict[str, Any], runtime: Runtime) -> None:
    """Compare the data with the checksums in the snapshot."""
    before, now = snapshot["catalog"], runtime.described["catalog"]
    pieces = [("tracks", before["tracks"], now["tracks"]), ("top", before["top"], now["top"])]
    pieces += [
        (f"lists.{name}", checksum, now["lists"].get(name))
        for name, checksum in before["lists"].items()
    ]
    pieces += [
        (f"vectors.{name}", checksum, now.get("vectors", {}).get(name))
        for name, checksum in before.get("vectors", {}).items()
    ]
    pieces += [
        (f"tables.{name}", checksum, now.get("tables", {}).get(name))
        for name, checksum in before.get("tables", {}).items()
    ]
    pieces += [
        (f"tracks (field '{name}')", checksum, now.get("fields", {}).get(name))
        for name, checksum in before.get("fields", {}).items()
    ]
    faults = [
        Fault(
            f"{path}: paths.{name}",
            f"must be the data that decided, with checksum {was}; the present file has {found}. "
            "Restore the old file, or give a config that names it by --config",
        )
        for name, was, found in pieces
        if was != found
    ]
    if faults:
        raise InputError(faults)
