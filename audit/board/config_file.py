"""The config that serves beside the config file on the disk: how they differ, and a check."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.start import load_to_serve
from audit.board.configs import BoardConfigs
from audit.board.sources import BoardSources
from core.errors import Fault, InputError, SegueError
from engine.config_snapshots import described_beside
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from events.config_snapshots import BESIDE, content_of, read_snapshot, with_defaults
from strategies.base import Artifacts

Found = dict[str, Any]
MOST_TEXT = 200_000
"""Characters of the config file that the board shows."""


def describe_config(sources: BoardSources, configs: BoardConfigs, served: str | None) -> Found:
    """Describe the served config, the file, how they differ, and what `segue check` says of it.

    Raises:
        InputError: There is no snapshot of the served config.
    """
    digest = served or configs.newest()
    snapshot = read_snapshot(configs.paths()[digest])
    found: Found = {
        "served": {"config": digest, "path": sources.config and str(sources.config)},
        "file": None,
        "diff": [],
        "check": None,
    }
    if sources.config is None:
        return found
    faults = _check(sources.config)
    runtime = _load(sources.config, configs.of(digest).artifacts)
    text = _text_of(sources.config)
    found["check"] = {
        "sound": not faults,
        "faults": [{"where": fault.where, "what": fault.what} for fault in faults],
        "says": [] if faults or runtime is None else _sentences(runtime),
    }
    found["file"] = {
        "config": runtime and runtime.digest,
        "same": runtime is not None and runtime.digest == digest,
        "text": text,
    }
    if runtime is not None:
        before = _comparable(snapshot, snapshot.get(BESIDE, {}))
        after = _comparable(runtime.described, described_beside(runtime))
        found["diff"] = list(differences(before, after))
    return found


def differences(before: Any, after: Any, key: str = "") -> Iterator[Found]:
    """Yield each key whose value differs, with both values; an absent one is None."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            inner = f"{key}.{name}" if key else str(name)
            yield from differences(before.get(name), after.get(name), inner)
    elif before != after:
        yield {"key": key, "served": before, "file": after}


def _comparable(described: Mapping[str, Any], beside: Mapping[str, Any]) -> Found:
    """Bring the content of a config into the form of config.yaml: experiments and arms by name."""
    filled = with_defaults({**described, BESIDE: beside})
    content = content_of(filled)
    for derived in ("format", "chains", "declared"):
        content.pop(derived, None)
    content["experiments"] = {
        each["name"]: {
            **{key: value for key, value in each.items() if key != "name"},
            "arms": {arm["name"]: {k: v for k, v in arm.items() if k != "name"}
                     for arm in each["arms"]},
        }
        for each in filled["experiments"]
    }  # fmt: skip
    for name in ("planned", "questions", "report", "server"):
        content[name] = beside.get(name, {})
    return content


def _check(config: Path) -> tuple[Fault, ...]:
    """List the faults because of which a server would not start with the file."""
    try:
        load_to_serve(config)
    except InputError as error:
        return error.faults
    except SegueError as error:
        return (Fault(str(config), str(error)),)
    return ()


def _load(config: Path, known: Artifacts | None) -> Runtime | None:
    """Load the file; None if it is faulty in itself."""
    try:
        return load_runtime(load_settings(config), known)
    except SegueError:
        return None


def _text_of(config: Path) -> str:
    try:
        return config.read_text(encoding="utf-8", errors="replace")[:MOST_TEXT]
    except OSError as error:
        return f"# cannot be read: {error.strerror}"


def _sentences(runtime: Runtime) -> list[str]:
    settings = runtime.settings
    arms = [
        f"experiment {each.name}: "
        + ", ".join(f"{arm.name} {arm.weight:g} {arm.strategy or ''}".rstrip() for arm in each.arms)
        + f"; traffic {each.traffic:g}"
        for each in settings.experiments
    ]
    return [
        f"{settings.path} is sound: {len(runtime.catalog):,} tracks, "
        f"{len(settings.catalog.lists)} lists, {len(runtime.chains)} strategies, "
        f"config {runtime.digest}",
        *arms,
        f"everyone else: {runtime.default}",
    ]
