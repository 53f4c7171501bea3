"""Learnt artifacts: the versions that `segue learn` made, in the place of the config's own files.

`serving.json` in the folder `catalog.learnt` says which version serves, and which one is tried out
on a pilot share of the listeners. A version is a folder with a number, which nobody changes once it
is there. So a decision can be replayed from the version that made it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from core.allocation import SLOTS
from core.errors import InputError

FORMAT = 1
SERVING_FILE = "serving.json"
MANIFEST_FILE = "manifest.json"
OWN = 0
"""The version of the config's own files."""


@dataclass(frozen=True, slots=True)
class Pilot:
    """A version that a share of the listeners gets.

    Attributes:
        version: Its number.
        share: Share of all listeners, in (0, 0.5].
        since_ms: Start of the pilot, Unix time in ms.
        slots: The slots of the layer `serving` that its experiment takes. They stay as at its
            start: a running experiment must not lose listeners.
    """

    version: int
    share: float
    since_ms: int
    slots: tuple[int, int] = (0, SLOTS)

    @property
    def name(self) -> str:
        """Name of its experiment."""
        return f"pilot_v{self.version}"


@dataclass(frozen=True, slots=True)
class ServingState:
    """The content of `serving.json`.

    Attributes:
        promoted: The versions that served, the last one serves now; 0 for the config's own files.
        pilot: The version that is tried out; None for none.
    """

    promoted: tuple[int, ...] = (OWN,)
    pilot: Pilot | None = None

    @property
    def serving(self) -> int:
        """The version that serves."""
        return self.promoted[-1]

    def as_json(self) -> bytes:
        """Return the content of the file."""
        pilot = self.pilot
        content = {
            "format": FORMAT,
            "promoted": list(self.promoted),
            "pilot": pilot
            and {
                "version": pilot.version,
                "share": pilot.share,
                "since_ms": pilot.since_ms,
                "slots": list(pilot.slots),
            },
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"


@dataclass(frozen=True, slots=True)
class VersionFiles:
    """The files of a version, relative to its folder.

    Attributes:
        version: Its number.
        lists: Name in the config -> file.
        vectors: Name in the config -> file.
        tables: Name in the config -> file.
        top: The popularity list; None if the version has none.
        strategy: The strategy that plays in the place of the config's `default`; None for that one.
    """

    version: int
    lists: Mapping[str, str] = field(default_factory=dict)
    vectors: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    top: str | None = None
    strategy: str | None = None

    @property
    def by_section(self) -> Mapping[str, Mapping[str, str]]:
        """The files with a name, by the section of `catalog` that has them."""
        return {"lists": self.lists, "vectors": self.vectors, "tables": self.tables}


def read_state(folder: Path) -> ServingState:
    """Read which version serves; the config's own files if nothing was learnt.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / SERVING_FILE
    content = _read(path)
    if content is None:
        return ServingState()
    try:
        promoted = tuple(int(each) for each in content["promoted"])
        given = content["pilot"]
        pilot = given and _pilot_of(given)
        if content["format"] != FORMAT or not promoted or promoted[0] != OWN:
            raise ValueError("it has an unknown form")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError.one(
            str(path),
            f"must say which version serves, and cannot be read ({error}). Restore it, or remove "
            "it to serve the config's own files",
        ) from error
    return ServingState(promoted, pilot)


def _pilot_of(given: Mapping[str, Any]) -> Pilot:
    start, end = given["slots"]
    return Pilot(
        int(given["version"]),
        float(given["share"]),
        int(given["since_ms"]),
        (int(start), int(end)),
    )


def read_version(folder: Path, version: int) -> VersionFiles:
    """Read which files a version has.

    Raises:
        InputError: The version is missing or damaged.
    """
    if version == OWN:
        return VersionFiles(OWN)
    path = folder / str(version) / MANIFEST_FILE
    content = _read(path)
    try:
        if content is None:
            raise ValueError("it does not exist")
        return VersionFiles(
            int(content["version"]),
            dict(content["lists"]),
            dict(content["vectors"]),
            dict(content.get("tables", {})),  # a version from before tables were learnt has none
            content["top"],
            content["strategy"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError.one(
            str(path),
            f"must be the manifest of version {version}, and cannot be read ({error}). Restore the "
            "folder, or go back to the version before with `segue learn --roll-back`",
        ) from error


def with_version(
    content: dict[str, Any], folder: Path, files: VersionFiles, suffix: str = ""
) -> dict[str, Any]:
    """Put the files of a version into the content of a config.

    Args:
        content: The content.
        folder: Folder of the versions, as `catalog.learnt` has it.
        files: The files.
        suffix: Added to the names of the files, so that they stand beside the others.
    """
    catalog = dict(content["catalog"])
    for section, found in files.by_section.items():
        learnt = {
            f"{name}{suffix}": str(folder / str(files.version) / file)
            for name, file in found.items()
        }
        if learnt:
            catalog[section] = {**(catalog.get(section) or {}), **learnt}
    if files.top is not None and not suffix:
        catalog["top"] = str(folder / str(files.version) / files.top)
    default = {} if files.strategy is None or suffix else {"default": files.strategy}
    return {**content, **default, "catalog": catalog}


def _read(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None if there is no file."""
    try:
        content = orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError.one(
            str(path), f"cannot be read: {error}. Restore it from a backup"
        ) from error
    if not isinstance(content, dict):
        raise InputError.one(str(path), "must be a JSON object. Restore it from a backup")
    return content
