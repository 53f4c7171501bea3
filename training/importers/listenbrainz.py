"""ListenBrainz dumps: JSON lines of listens, in `*.listens` files or a tar of them.

If a player reported both duration and duration played, their ratio is the time; if not, the
time counts as 1.
"""

import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from core.errors import InputError
from core.packings import read_file
from training.importers.bad_line import BadLine
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.input_files import (
    InputFile,
    each_line,
    each_of,
    find_files,
    hashed,
    json_object,
)
from training.importers.stamps import moment_ms

ABOUT = "ListenBrainz dump, *.listens (JSON lines), plain, compressed, or in a tar"

_LISTENS = (".listens", ".jsonl", ".json")
_CHUNK = 1 << 18


def read(path: Path, into: Collector, options: ImportOptions) -> bool:
    """Stream a file, a folder of files, or a tar of files."""

    def use(line: str) -> None:
        record = json_object(line)
        meta = record.get("track_metadata")
        if not isinstance(meta, dict):
            raise BadLine(1, "must have an object track_metadata", meta)
        user = record.get("user_name", record.get("user_id"))
        if user is None or user == "":
            raise BadLine(_column(line, "user_"), "must have a user_name or user_id", user)
        if "listened_at" not in record and "timestamp" not in record:
            raise BadLine(1, "must have listened_at")
        stamp = record.get("listened_at", record.get("timestamp"))
        at_ms = moment_ms(stamp, _column(line, "listened_at"), options.now_ms)
        artist, title = meta.get("artist_name"), meta.get("track_name")
        if not isinstance(artist, str) or not artist.strip():
            raise BadLine(_column(line, "artist_name"), "must have an artist_name", artist)
        if not isinstance(title, str) or not title.strip():
            raise BadLine(_column(line, "track_name"), "must have a track_name", title)
        track = into.named_track(_mbid(record, meta), artist.strip(), title.strip())
        listener = into.listener(user, _column(line, "user_"))
        info = meta.get("additional_info")
        share = _share_heard(info if isinstance(info, dict) else {}, into)
        into.add(listener, track, at_ms, share)

    for file in find_files(path, into, (*_LISTENS, ".tar")):
        if file.unpacked_name.endswith(".tar"):
            _each_in_tar(file, into, options, use)
        else:
            each_line(file, into, options.progress, use)
    return True


def _each_in_tar(file: InputFile, into: Collector, options: ImportOptions, use: Any) -> None:
    """Read the *.listens files of a tar; each counts as a file of its own."""
    options.progress.start(file.name)
    stream = _Stream(read_file(file.path))
    try:
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is None or not member.name.endswith(_LISTENS):
                    continue
                with into.file(f"{file.name}!{member.name}") as digest:
                    pieces = iter(partial(content.read, _CHUNK), b"")
                    where = f"{file.path}!{member.name}"
                    each_of(where, hashed(pieces, digest, options.progress), into, use)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise InputError.one(
            str(file.path), f"must be a tar of *.listens files, whole: {error}"
        ) from error
    # tarfile takes a damaged header for the end of the tar, and needs no end.
    if not stream.is_zeros_from(archive.offset):
        raise InputError.one(
            str(file.path),
            "is damaged or cut off (torn tar), so nothing of it is used. Get the file again",
        )


class _Stream:
    """A stream of pieces as the file that tarfile reads; it remembers the last block."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = self._last = b""
        self._end = 0

    def read(self, size: int) -> bytes:
        """Read exactly so many bytes, or up to the end."""
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        given, self._rest = self._rest[:size], self._rest[size:]
        if given:
            self._last = given
            self._end += len(given)
        return given

    def is_zeros_from(self, offset: int) -> bool:
        """Test for the end of a tar at this offset: at least 1,024 zeros, and nothing else."""
        start = self._end - len(self._last)
        tail = self._last[max(0, offset - start) :] + self._rest + b"".join(self._pieces)
        return len(tail) >= 1024 and not tail.strip(b"\0")


def _mbid(record: dict[str, Any], meta: dict[str, Any]) -> str:
    info, mapping = meta.get("additional_info"), meta.get("mbid_mapping")
    for place in (mapping, info, record):
        if isinstance(place, dict):
            found = place.get("recording_mbid") or place.get("recording_msid")
            if isinstance(found, str):
                return found
    return ""


def _share_heard(info: dict[str, Any], into: Collector) -> float:
    played, whole = info.get("duration_played"), info.get("duration")
    if whole is None and isinstance(info.get("duration_ms"), int | float):
        whole = info["duration_ms"] / 1000
    if not isinstance(played, int | float) or not isinstance(whole, int | float) or whole <= 0:
        return 1.0
    share = float(played) / float(whole)
    if not 0 <= share <= 1:
        into.note("time outside 0..1 cut to it")
    return min(max(share, 0.0), 1.0)


def _column(line: str, key: str) -> int:
    return line.find(f'"{key}') + 1 or 1
