"""Kept configs: a copy of every config that decided, by digest, beside the events that name it.

A copy holds all that the digest is of, and beside it where the data was. So a decision can be
made again later, from the copy and the very data, or is refused when the data has changed.
"""

import os
from pathlib import Path
from typing import Any

import orjson

from core.errors import Fault, InputError, SegueError
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import settings_of
from events.config_snapshots import FOLDER, read_snapshot
from strategies import registry


def save_snapshot(runtime: Runtime, folder: Path) -> Path:
    """Keep a copy of what decides in the log's folder, if it is not there yet; say where."""
    path = folder / FOLDER / f"{runtime.digest}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = runtime.settings
        section = settings.catalog
        kept: dict[str, Any] = {
            "digest": runtime.digest,
            **runtime.described,
            "modules": {
                "named": list(settings.modules),
                "beside": str(settings.path.parent.absolute()),
            },
            "paths": {
                "tracks": str(settings.resolve(section.tracks).absolute()),
                "top": section.top and str(settings.resolve(section.top).absolute()),
                "lists": {
                    name: str(settings.resolve(path).absolute())
                    for name, path in section.lists.items()
                },
            },
        }
        beside = path.with_name(f"{path.name}.{os.getpid()}.part")
        beside.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2))
        beside.replace(path)
    return path


def load_snapshot(path: Path) -> Runtime:
    """Build again what a kept copy describes.

    Raises:
        InputError: The copy cannot be read, or the data is gone or is not what it was; every piece
            of data that changed is named.
    """
    kept = read_snapshot(path)
    try:
        registry.load(tuple(kept["modules"]["named"]), Path(kept["modules"]["beside"]))
    except SegueError as error:
        raise InputError.one(f"{path}: modules", str(error)) from error
    runtime = load_runtime(settings_of(_content(kept), path))
    if runtime.digest != kept["digest"]:
        raise InputError(_changed(path, kept, runtime))
    return runtime


def _content(kept: dict[str, Any]) -> dict[str, Any]:
    """The copy in the form of config.yaml."""
    return {
        "modules": kept["modules"]["named"],
        "catalog": kept["paths"],
        "strategies": kept["strategies"],
        "default": kept["default"],
        "experiments": [
            {
                **experiment,
                "arms": {
                    arm["name"]: {"strategy": arm["strategy"], "weight": arm["weight"]}
                    for arm in experiment["arms"]
                },
            }
            for experiment in kept["experiments"]
        ],
        "holdout": kept["holdout"],
        "state": {
            key: kept[key] for key in ("history", "session_gap_s", "reset_state_on_new_experiment")
        },
    }


def _changed(path: Path, kept: dict[str, Any], runtime: Runtime) -> list[Fault]:
    """Which data is not what it was; the code or the defaults of a strategy, where all is."""
    before, now = kept["catalog"], runtime.described["catalog"]
    pieces = [("tracks", before["tracks"], now["tracks"]), ("top", before["top"], now["top"])]
    pieces += [
        (f"lists.{name}", checksum, now["lists"].get(name))
        for name, checksum in before["lists"].items()
    ]
    faults = [
        Fault(
            f"{path}: paths.{name}",
            f"must be the data that decided, with checksum {was}; what is there now has {found}. "
            "Put the old file back, or name a config that has it with --config",
        )
        for name, was, found in pieces
        if was != found
    ]
    return faults or [
        Fault(
            str(path),
            f"describes config {kept['digest']}, but this version of Segue makes {runtime.digest} "
            "of it. Replay with the version that served",
        )
    ]
