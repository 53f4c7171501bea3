"""ListenBrainz dumps: JSON lines of listens, in `*.listens` files or a tar of them.

If a player reported both duration and duration played, their ratio is the time; if not, the
time counts as 1.
"""

import io
import tarfile
from pathlib import Path
from typing import IO, Any, cast

from core.errors import InputError
from training.importers.collector import BadLine, Collector, ImportOptions
from training.importers.text_files import (
    each_line,
    each_of,
    files,
    json_object,
    moment_ms,
    open_file,
)
from training.interactions import Interactions

ABOUT = "ListenBrainz dump, *.listens (JSON lines), plain, compressed, or in a tar"

_LISTENS = (".listens", ".jsonl", ".json")
_TARS = (".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


def read(path: Path, into: Collector, options: ImportOptions) -> Interactions:
    """Stream a file, a folder of files, or a tar of files."""

    def use(line: str) -> None:
        record = json_object(line)
        meta = record.get("track_metadata")
        if not isinstance(meta, dict):
            raise BadLine(1, "must have an object track_metadata", meta)
        user = record.get("user_name", record.get("user_id"))
        if not isinstance(user, str | int) or user == "":
            raise BadLine(_column(line, "user_"), "must have a user_name or user_id", user)
        if "listened_at" not in record and "timestamp" not in record:
            raise BadLine(1, "must have listened_at")
        stamp = record.get("listened_at", record.get("timestamp"))
        at_ms = moment_ms(stamp, _column(line, "listened_at"))
        artist, title = meta.get("artist_name"), meta.get("track_name")
        if not isinstance(artist, str) or not artist.strip():
            raise BadLine(_column(line, "artist_name"), "must have an artist_name", artist)
        if not isinstance(title, str) or not title.strip():
            raise BadLine(_column(line, "track_name"), "must have a track_name", title)
        track = into.named_track(_mbid(record, meta), artist.strip(), title.strip())
        info = meta.get("additional_info")
        into.add(
            str(user), track, at_ms, _share_heard(info if isinstance(info, dict) else {}, into)
        )

    packed = tuple(suffix + pack for suffix in _LISTENS for pack in (".gz", ".bz2", ".xz", ".zst"))
    for file in files(path, (*_LISTENS, *packed, *_TARS)):
        if file.name.endswith(_TARS):
            _each_in_tar(file, into, options, use)
        else:
            each_line(file, into, options.progress, use)
    return into.finish(options)


def _each_in_tar(path: Path, into: Collector, options: ImportOptions, use: Any) -> None:
    into.source(path)
    options.progress.start(path.name)
    try:
        with open_file(path) as file, tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and member.name.endswith(_LISTENS):
                    inside = Path(f"{path}!{member.name}")
                    lines = cast(IO[bytes], io.BufferedReader(cast(io.RawIOBase, content)))
                    each_of(inside, lines, into, options.progress, use)
    except (tarfile.TarError, EOFError) as error:
        raise InputError.one(str(path), f"must be a tar of *.listens files: {error}") from error


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
        into.notes["time outside 0..1 cut to it"] += 1
    return min(max(share, 0.0), 1.0)


def _column(line: str, key: str) -> int:
    return line.find(f'"{key}') + 1 or 1
