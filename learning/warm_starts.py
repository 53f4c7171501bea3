"""Warm starts of the loop: what the last fit of each model left, so that the next one takes less.

A start is a file in the folder `warm` of the versions, with the checksums of the listens that it
has learnt from. A start that is damaged, or of listens that are no longer there, is not used.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.archive import named_keys, write_archive
from events.durable_files import make_folder
from learning.recipe import LearntFile
from training.interactions import Interactions
from training.warm_start import WarmStart

FOLDER = "warm"
FORMAT = 1


class WarmStarts:
    """The starts of one folder of versions.

    Args:
        folder: The folder.
        say: Gets the reason why a start is not used, as a sentence.
    """

    def __init__(self, folder: Path, say: Callable[[str], object]) -> None:
        self._folder = folder / FOLDER
        self._say = say

    def of(self, file: LearntFile, listens: Interactions) -> WarmStart | None:
        """Load the start of a file's fit; None if there is none for these listens."""
        path = self._path(file)
        if not path.is_file():
            return None
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            about = json.loads(arrays.pop("manifest").tobytes())
            users = json.loads(arrays.pop("keys").tobytes())
            start = _start_of(arrays, users)
            fault = _misfit(about, start, file, listens)
        # A damaged archive makes numpy raise nearly anything.
        except Exception as error:
            fault = f"cannot be read ({str(error) or type(error).__name__:.100})"
        if fault is None:
            return start
        self._say(f"'{file.model}' is learnt from its beginning: {path} {fault}")
        return None

    def keep(self, file: LearntFile, listens: Interactions, start: WarmStart) -> None:
        """Write the start that a fit left, in the place of the one before.

        Raises:
            InputError: The folder is not writable.
        """
        make_folder(self._folder)
        content = json.dumps(_about(file, listens), sort_keys=True).encode()
        write_archive(
            self._path(file),
            {
                "manifest": np.frombuffer(content, np.uint8),
                "keys": named_keys("user", start.users),
                **{f"track_{name}": values for name, values in start.by_track.items()},
                **{f"user_{name}": values for name, values in start.by_listener.items()},
            },
        )

    def _path(self, file: LearntFile) -> Path:
        name, params = file.fit
        settings = hashlib.sha256(params.model_dump_json().encode()).hexdigest()[:12]
        return self._folder / f"{name}-{settings}.npz"


def _about(file: LearntFile, listens: Interactions) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "model": file.model,
        "catalog": listens.catalog.checksum,
        "listens": dict(listens.sources),
    }


def _start_of(arrays: Mapping[str, Any], users: Any) -> WarmStart:
    found: dict[str, dict[str, Any]] = {"track": {}, "user": {}}
    for name, values in arrays.items():
        key, _, own = name.partition("_")
        found[key][own] = values
    return WarmStart(found["track"], found["user"], users)


def _misfit(
    about: Mapping[str, Any], start: WarmStart, file: LearntFile, listens: Interactions
) -> str | None:
    """Say why a start does not fit; None if it does."""
    now = _about(file, listens)
    gone = [name for name, sum_ in about["listens"].items() if now["listens"].get(name) != sum_]
    if gone:
        return "has learnt from listens that are no longer there"
    if about["format"] != FORMAT or about["catalog"] != now["catalog"]:
        return "is of a different catalog"
    sizes = {len(values) for values in start.by_track.values()} - {len(listens.catalog)}
    sizes |= {len(values) for values in start.by_listener.values()} - {len(start.users)}
    return "has arrays of different lengths" if sizes else None
