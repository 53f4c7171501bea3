"""Moments: the parts that were kept, the origin of each, and the rules by which they add up.

A part is what a report needs of the events of some files. Its rows are sums by session: whole
billionths, so that adding them gives the same in any order. Sums over listeners are made when
parts are read: a listener who comes on two days has one mean, and its square is not the sum of the
squares of two days. Over days sessions add up, over listeners moments do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Self

import orjson

from core.errors import Faults, InputError

FORMAT = 2
"""Format of a part; a later version that keeps different sums has a different number."""
MANIFEST = "moments.json"
TABLES = (
    "pieces", "turns", "seen", "attributes", "config_counts", "catalog",
    "chains", "pauses", "degraded", "forgotten",
)  # fmt: skip
"""Tables of a part, Parquet each; `analysis/sql/moments_NAME.sql` makes them. The first row is what
effects need, the second what checks need beyond that."""


@dataclass(frozen=True, slots=True)
class Part:
    """The origin of one part: files, ids, gap, catalog and checks.

    Attributes:
        name: Its folder's name: first day, and a digest of the files' checksums.
        gap_s: Silence that ends a session, in seconds.
        begin_ms: Time of the first event, Unix time in ms.
        end_ms: Time of the last event.
        files: (path, format, lines, SHA-256) of each event file.
        dropped: (reason, lines, first places) of dropped lines.
        assignments: (text in the events, experiment, arm).
        ids: Process -> first and last id of its lines, and their number.
        numbered: Whether every line has an id of a process, so that `ids` name all lines.
        ends: (number of the file in the part, lines, last id) that writers left at file ends.
        catalog: Digest of the catalog; empty without one.
        validity: Experiment -> its own checks, as plain JSON values; "" -> those of the log.
        format: Format of the part.
        folder: Where it lies; not kept in the manifest.
    """

    name: str
    gap_s: float
    begin_ms: int
    end_ms: int
    files: Sequence[Sequence[Any]]
    dropped: Sequence[Sequence[Any]]
    assignments: Sequence[Sequence[str]]
    ids: Mapping[str, Sequence[int]]
    numbered: bool
    ends: Sequence[Sequence[Any]]
    catalog: str
    validity: Mapping[str, Sequence[Mapping[str, Any]]]
    format: int = FORMAT
    folder: Path = field(default=Path(), compare=False)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a part.

        Raises:
            InputError: It is none, or of a different format.
        """
        path = folder / MANIFEST
        try:
            said = orjson.loads(path.read_bytes())
            found = said["format"]
            if found != FORMAT:
                raise InputError.one(
                    str(path),
                    f"must have format {FORMAT}, has {found}: a different version of Segue wrote "
                    "it. Make it again from its logs",
                )
            part = cls(**said, folder=folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError.one(
                str(path),
                f"must be the manifest of moments that `segue report --moments` wrote, got "
                f"{type(error).__name__}: {error}. Make it again from its logs",
            ) from error
        missing = [name for name in TABLES if not (folder / f"{name}.parquet").exists()]
        if missing:
            raise InputError.one(
                str(folder), f"is not whole: {', '.join(missing)} are not there. Copy it again"
            )
        return part

    def write_manifest(self) -> None:
        """Write the manifest into the part's folder."""
        said = {key: value for key, value in asdict(self).items() if key != "folder"}
        (self.folder / MANIFEST).write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))

    @property
    def place(self) -> str:
        """The place of the part, for messages; a part that is not kept yet is that of the log."""
        return "the log" if self.folder == Path() else str(self.folder)

    @property
    def checksums(self) -> set[str]:
        """Checksums of the files that have a line."""
        return {str(checksum) for _, _, lines, checksum in self.files if lines}


@dataclass(frozen=True, slots=True)
class Moments:
    """Parts that fit together; `+` adds them, in any order and grouping.

    Attributes:
        parts: In the order of time.
    """

    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Self:
        """Put parts together.

        Raises:
            InputError: Two parts do not fit; names all that do not.
        """
        ordered = tuple(sorted(parts, key=lambda part: (part.begin_ms, part.end_ms, part.name)))
        faults = Faults()
        for one, two in combinations(ordered, 2):
            reason = _misfit(one, two)
            if reason:
                faults.add(f"{one.place} and {two.place}", reason)
        faults.raise_if_any()
        return cls(ordered)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `segue report --moments` wrote.

        Raises:
            InputError: It is no such folder, or its parts do not fit.
        """
        if (path / MANIFEST).is_file():
            return cls.of([Part.read(path)])
        folders = sorted(each.parent for each in path.glob(f"*/{MANIFEST}"))
        if not folders:
            raise InputError.one(
                str(path),
                "must be moments that `segue report LOG --moments` wrote, has no part. Name the "
                "folder that you gave it",
            )
        return cls.of(map(Part.read, folders))

    @property
    def experiments(self) -> list[str]:
        """The experiments that have an event in any part, sorted."""
        return sorted({name for part in self.parts for name in part.validity if name})

    def __add__(self, more: "Moments") -> "Moments":
        """Add moments of different events.

        Raises:
            InputError: They do not fit: the same lines, a different gap or a different catalog.
        """
        return Moments.of([*self.parts, *more.parts])


def _misfit(one: Part, two: Part) -> str:
    """Say why two parts must not be added; empty if they may be."""
    if one.gap_s != two.gap_s:
        return (
            f"must have one gap between sessions, have {one.gap_s / 60:g} and {two.gap_s / 60:g} "
            "minutes. Make one of them again with the --gap of the other"
        )
    if one.catalog != two.catalog:
        return (
            "must be of one catalog, have different ones, so artists are not counted alike. Make "
            "one of them again with the --catalog of the other"
        )
    shared = one.checksums & two.checksums
    if shared:
        path = next(path for path, _, _, checksum in two.files if checksum in shared)
        return f"must not share a file, share {path}. Leave one of them out"
    if one.numbered and two.numbered:
        for stem in sorted(one.ids.keys() & two.ids.keys()):
            (first, last, _), (begin, end, _) = one.ids[stem], two.ids[stem]
            if first <= end and begin <= last:
                return (
                    f"must not share a line, have lines {max(first, begin):x} to "
                    f"{min(last, end):x} of process {stem} twice. Leave one of them out"
                )
    elif one.begin_ms <= two.end_ms and two.begin_ms <= one.end_ms:
        return (
            "must not overlap in time, because not every line has a number that would show a line "
            "that is in both. Read these logs together"
        )
    return ""
