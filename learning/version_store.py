"""The version store: the folder in which each learnt version has a folder of its own.

A version is written beside its place and renamed into it, and `serving.json` is replaced as a
whole. So a loop that is killed at any moment leaves the version that serves as it was.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from core.errors import InputError, SegueError
from core.file_lock import try_lock
from engine.settings.learnt_artifacts import (
    FORMAT,
    MANIFEST_FILE,
    SERVING_FILE,
    ServingState,
    VersionFiles,
    read_state,
)
from events.durable_files import make_folder, sync_file, sync_folder, write_file

LOCK_FILE = ".lock"
PART = ".part"


class VersionStore:
    """The versions of one config.

    Args:
        folder: `catalog.learnt`, resolved; made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def state(self) -> ServingState:
        """Read which version serves.

        Raises:
            InputError: `serving.json` is damaged.
        """
        return read_state(self.folder)

    def save_state(self, state: ServingState) -> None:
        """Replace `serving.json`, as a whole.

        Raises:
            InputError: The folder is not writable.
        """
        with self._writing():
            write_file(self.folder / SERVING_FILE, state.as_json())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other loop out; remove what a killed one left unfinished.

        Raises:
            SegueError: A second loop has the lock.
            InputError: The folder is not writable.
        """
        with self._writing():
            make_folder(self.folder)
            lock = (self.folder / LOCK_FILE).open("ab")
        with lock:
            if not try_lock(lock):
                raise SegueError(
                    f"{self.folder}: a second `segue learn` has its lock ({LOCK_FILE}), and two "
                    "would promote over each other. Wait for it, or end it"
                )
            for left in self.folder.glob(f".*{PART}"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def numbers(self) -> list[int]:
        """List the versions that are there, ascending."""
        if not self.folder.is_dir():
            return []
        return sorted(
            int(each.name)
            for each in self.folder.iterdir()
            if each.name.isdecimal() and (each / MANIFEST_FILE).is_file()
        )

    def next_number(self) -> int:
        """Return the number of the next version; no number is used twice."""
        return max([0, *self.numbers(), *self.state().promoted]) + 1

    @contextmanager
    def new_folder(self, number: int) -> Iterator[Path]:
        """Give a folder for the files of a version; it takes its place only if the block succeeds.

        The block ends with `seal`.

        Raises:
            InputError: The folder is not writable.
        """
        part = self.folder / f".{number}{PART}"
        with self._writing():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
        try:
            yield part
            with self._writing():
                part.rename(self.folder / str(number))
                sync_folder(self.folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def seal(self, part: Path, files: VersionFiles, about: Mapping[str, Any]) -> None:
        """Write the manifest of a version, and bring all its files to the disk."""
        with self._writing():
            content = {"format": FORMAT, **asdict(files), **about}
            write_file(part / MANIFEST_FILE, orjson.dumps(content, option=orjson.OPT_INDENT_2))
            for each in part.iterdir():
                if os.name != "nt":
                    sync_file(each)
            sync_folder(part)

    def manifest(self, number: int) -> dict[str, Any]:
        """Read the whole manifest of a version; empty for the config's own files."""
        path = self.folder / str(number) / MANIFEST_FILE
        return dict(orjson.loads(path.read_bytes())) if path.is_file() else {}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError.one(
                str(error.filename or self.folder),
                f"cannot be written: {error.strerror or error}. Nothing has changed; make the "
                f"folder {self.folder} writable, or name a different one (`catalog.learnt`)",
            ) from error
