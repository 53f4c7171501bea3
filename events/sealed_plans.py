"""Sealed plans: the plan of each started experiment, kept beside the events.

The server writes the plan into the folder `started` when an experiment first has traffic, and never
changes it. The report reads it there, so nobody can fit a plan to a result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from core.errors import InputError

FOLDER = "started"
"""Folder of the records, inside the folder of the event log."""


@dataclass(frozen=True, slots=True)
class SealedPlan:
    """The plan that an experiment started with.

    Attributes:
        experiment: Its name.
        version: Its version.
        started_ms: When it started, Unix time in ms.
        planned: The plan's keys; none if it started without a plan.
        where: The file that holds it.
    """

    experiment: str
    version: int
    started_ms: int
    planned: Mapping[str, Any]
    where: str


def sealed_plans_beside(logs: Iterable[Path]) -> list[SealedPlan]:
    """Read the plans in every folder `started` beside a log or anywhere below it.

    A record that an earlier version of Segue wrote holds no plan, and is left out.

    Args:
        logs: Files and folders of event logs.

    Returns:
        In the order in which the experiments started.

    Raises:
        InputError: A file is no record of a started experiment.
    """
    found = [_read(path) for path in _records_beside(logs)]
    sealed = [plan for plan in found if plan is not None]
    return sorted(sealed, key=lambda plan: (plan.started_ms, plan.where))


def copy_sealed_plans(logs: Iterable[Path], to: Path) -> None:
    """Copy the records beside the logs into the folder `started` of `to`.

    Where several servers have a record of one name, each gets a number: the first to start counts.
    """
    for path in _records_beside(logs):
        content = path.read_bytes()
        target, number = to / FOLDER / path.name, 2
        while target.exists() and target.read_bytes() != content:
            target = to / FOLDER / f"{path.stem}~{number}.json"
            number += 1
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.write_bytes(content)


def _records_beside(logs: Iterable[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for log in logs:
        pattern = f"**/{FOLDER}/*.json" if log.is_dir() else f"{FOLDER}/*.json"
        for path in sorted((log if log.is_dir() else log.parent).glob(pattern)):
            if not path.name.startswith("."):
                found[path.resolve()] = path
    return list(found.values())


def _read(path: Path) -> SealedPlan | None:
    try:
        record = orjson.loads(path.read_bytes())
        definition = record["definition"]
        if "planned" not in record:
            return None
        return SealedPlan(
            str(definition["name"]),
            int(definition.get("version", 1)),
            int(record["started_ms"]),
            dict(record["planned"]),
            str(path),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError.one(
            str(path),
            f"must be the record of a started experiment, got an unreadable file ({error!r}). Copy "
            "it again from the server; without it the plan of the experiment is unknown",
        ) from error
