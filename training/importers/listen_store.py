"""The listen store: listens on the disk while they are imported, grouped by listener in the end.

A listen is 32 bytes in a file without a name, so 50 million of them need 1.6 GB of disk and not
of memory, and nothing is left behind if the process is killed.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from core.errors import InputError

LISTEN = np.dtype(
    [
        ("user", "<i4"),
        ("track", "<i4"),
        ("at", "<i8"),
        ("time", "<f4"),
        ("session", "<i4"),
        ("position", "<i4"),
        ("plays", "<i4"),
    ]
)
"""A listen: codes of listener, track and session (-1: not given), Unix time in ms (`NO_TIME`: not
given), share heard, place in the session (-1: not given), and number of plays."""

NO_TIME = np.iinfo(np.int64).min

Listens = npt.NDArray[np.void]

_BLOCK = 1 << 20
"""Rows that are read at once."""

GROUP = 1 << 21
"""Rows of a group of listeners; sorting one takes about 200 MB."""


@dataclass(slots=True)
class Group:
    """Consecutive listeners, whose listens are side by side in the store.

    Attributes:
        first: Code of the first listener.
        end: Code after the last one.
        start: Place of the first row.
        rows: Number of rows.
    """

    first: int
    end: int
    start: int
    rows: int


class ListenStore:
    """Listens in the order in which they were read.

    Attributes:
        rows: Number of listens.
    """

    def __init__(self, folder: Path) -> None:
        self.rows = 0
        self._folder = folder
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        except OSError as error:
            raise _unwritable(folder, error) from error

    def append(self, listens: Listens) -> None:
        """Add listens at the end."""
        self.write(self.rows, listens)
        self.rows += len(listens)

    def truncate(self, rows: int) -> None:
        """Forget every listen after the first `rows`."""
        self.rows = rows

    def count_listeners(self, listeners: int) -> npt.NDArray[np.int64]:
        """Count the listens of each of this many listeners."""
        counts = np.zeros(listeners, dtype=np.int64)
        for _, block in self.blocks():
            counts += np.bincount(block["user"], minlength=listeners)
        return counts

    def group(self, counts: npt.NDArray[np.integer]) -> list[Group]:
        """Bring the listens of each listener together; their order stays.

        Args:
            counts: Number of listens of each listener.
        """
        groups = _groups(counts)
        grouped = ListenStore(self._folder)
        filled = [group.start for group in groups]
        ends = np.array([group.end for group in groups])
        for _, block in self.blocks():
            place = np.searchsorted(ends, block["user"], side="right")
            if len(groups) < 1 << 16:
                place = place.astype(np.uint16)  # numpy sorts these by their digits, in linear time
            order = np.argsort(place, kind="stable")
            cuts = np.searchsorted(place[order], np.arange(len(groups) + 1))
            for number in np.flatnonzero(np.diff(cuts)).tolist():
                part = block[order[cuts[number] : cuts[number + 1]]]
                grouped.write(filled[number], part)
                filled[number] += len(part)
        self._file.close()
        self._file = grouped._file
        return groups

    def read(self, group: Group) -> Listens:
        """Read the listens of a group."""
        return self._read(group.start, group.rows)

    def replace(self, group: Group, listens: Listens) -> None:
        """Replace the listens of a group by as many, or fewer."""
        assert len(listens) <= group.rows
        self.write(group.start, listens)
        group.rows = len(listens)

    def close(self) -> None:
        """Free the disk."""
        self._file.close()

    def blocks(self) -> Iterator[tuple[int, Listens]]:
        """Yield (place of the first row, listens), up to a million at a time."""
        for start in range(0, self.rows, _BLOCK):
            yield start, self._read(start, min(_BLOCK, self.rows - start))

    def _read(self, start: int, rows: int) -> Listens:
        listens = np.empty(rows, dtype=LISTEN)
        self._file.seek(start * LISTEN.itemsize)
        got = self._file.readinto(listens.view(np.uint8))  # type: ignore[attr-defined]
        assert got == listens.nbytes, "the store holds what was written"
        return listens

    def write(self, start: int, listens: Listens) -> None:
        """Write listens at a place."""
        try:
            self._file.seek(start * LISTEN.itemsize)
            self._file.write(np.ascontiguousarray(listens).view(np.uint8).data)
            self._file.flush()
        except OSError as error:
            raise _unwritable(self._folder, error) from error


def _groups(counts: npt.NDArray[np.integer]) -> list[Group]:
    """Cut the listeners into groups of at most `GROUP` rows, or of one listener."""
    ends = np.cumsum(counts)
    groups, first, start = [], 0, 0
    while first < len(counts):
        end = max(first + 1, int(np.searchsorted(ends, start + GROUP, side="right")))
        groups.append(Group(first, end, start, int(ends[end - 1]) - start))
        first, start = end, int(ends[end - 1])
    return groups


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError.one(
        str(folder),
        f"cannot be written: {error.strerror or error}. An import needs 64 bytes of disk a listen",
    )
