"""The pilot of learnt artifacts: the experiment in which a share of the listeners gets a version.

The strategy of the version, and the strategies below it that read a learnt file, get a copy that
reads the new files. The control plays what serves.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.allocation import SERVING, SLOTS
from core.errors import InputError
from engine.settings.learnt_artifacts import Pilot, VersionFiles, with_version
from engine.settings.model import Settings
from strategies.base import FILE_KINDS, named_in, with_names

CONTROL, TREATMENT = "C", "T"


def with_pilot(
    content: dict[str, Any], settings: Settings, folder: Path, files: VersionFiles, pilot: Pilot
) -> dict[str, Any]:
    """Add the experiment, its strategies and its files to the content of a config.

    Args:
        content: The content, with the version that serves.
        settings: The same, checked.
        folder: Folder of the versions, as `catalog.learnt` has it.
        files: The files of the pilot's version.
        pilot: The pilot.

    Raises:
        InputError: The strategy reads no learnt file.
    """
    suffix = f".v{pilot.version}"
    strategy = files.strategy or settings.default
    copies = copied_strategies(settings, strategy, files, suffix)
    if f"{strategy}{suffix}" not in copies and strategy == settings.default:
        named = [name for found in files.by_section.values() for name in found]
        learnt = ", ".join(f"'{name}'" for name in named) or "none"
        raise InputError.one(
            f"{settings.path}: strategies.{strategy}",
            f"must read a learnt list, vectors or table ({learnt}) to be tried out, and reads "
            "none. Name a strategy that does with `segue learn --strategy NAME`",
        )
    start, end = pilot.slots
    treatment = round(min(50.0, 100 * pilot.share * SLOTS / (end - start)), 6)
    draw = {} if settings.default_draw is None else {"draw": settings.default_draw}
    played = f"{strategy}{suffix}" if f"{strategy}{suffix}" in copies else strategy
    experiment = {
        "name": pilot.name,
        "slots": [start, end],
        "arms": {
            CONTROL: {"strategy": settings.default, "weight": 100 - treatment, **draw},
            TREATMENT: {"strategy": played, "weight": treatment, **draw},
        },
    }
    content = with_version(content, folder, files, suffix)
    return {
        **content,
        "strategies": {**content["strategies"], **copies},
        "experiments": [*(content.get("experiments") or []), experiment],
    }


def copied_strategies(
    settings: Settings, first: str, files: VersionFiles, suffix: str
) -> dict[str, dict[str, Any]]:
    """Copy the strategies of a chain that read files of a version, directly or through others."""
    renames = {
        section: {name: f"{name}{suffix}" for name in found}
        for section, found in files.by_section.items()
    }
    wanted = _below(settings, first)
    copies: dict[str, dict[str, Any]] = {}
    copied: dict[str, str] = {}
    for name, strategy in settings.strategies.items():  # each after those that it uses
        if name not in wanted:
            continue
        params = strategy.params.model_dump(mode="json")
        for kind in FILE_KINDS:
            params = with_names(strategy.params, params, kind, renames[kind.split()[1]])
        params = with_names(strategy.params, params, "strategy", copied)
        fallback = strategy.fallback and copied.get(strategy.fallback, strategy.fallback)
        is_touched = fallback != strategy.fallback or params != strategy.params.model_dump(
            mode="json"
        )
        if is_touched:
            copied[name] = f"{name}{suffix}"
            copies[copied[name]] = _entry(strategy.type.name, fallback, strategy.timeout_ms, params)
    return copies


def _entry(
    kind: str, fallback: str | None, timeout_ms: float | None, params: Mapping[str, Any]
) -> dict[str, Any]:
    beside = {"fallback": fallback, "timeout_ms": timeout_ms}
    return {"type": kind, **params, **{k: v for k, v in beside.items() if v is not None}}


def _below(settings: Settings, first: str) -> set[str]:
    """Name a strategy, its fallbacks, and all that they use."""
    found: set[str] = set()
    left = [first]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        strategy = settings.strategies[name]
        left += [used for _, used in named_in(strategy.params, "strategy")]
        left += [strategy.fallback] if strategy.fallback else []
    return found


def free_slots(settings: Settings) -> tuple[int, int]:
    """Find the widest range of slots that no experiment of the config takes.

    Raises:
        InputError: No slot is free for a pilot.
    """
    taken = sorted(each.slots for each in settings.experiments if each.layer == SERVING)
    free, at = [], 0
    for start, end in taken:
        free.append((at, start))
        at = end
    widest = max([*free, (at, SLOTS)], key=lambda each: each[1] - each[0])
    if widest[0] >= widest[1]:
        raise InputError.one(
            f"{settings.path}: experiments",
            f"must leave slots of layer '{SERVING}' free for a pilot, and take all {SLOTS:,}. Give "
            "each experiment fewer slots, for instance [0, 4500] and [4500, 9000], or learn "
            "without a pilot (`segue learn --pilot 0`)",
        )
    return widest
