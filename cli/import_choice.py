"""The kind of a file of listens, by its first line, and its columns, by their names.

A guess is shown, and every part of it can be overruled: `--kind` and `--column`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from core.errors import InputError
from core.lines import line_blocks, text_pieces
from core.packings import read_file

_HEAD = 100_000
_PARQUET = b"PAR1"

_BY_NAME = (
    (re.compile(r"(Streaming_History|StreamingHistory|endsong).*\.json"), "spotify_history"),
    (re.compile(r"mpd\.slice\..*\.json"), "mpd"),
    (re.compile(r"train_triplets\.txt.*"), "taste_profile"),
)
_BY_LINE = (
    (re.compile(r"user_\d+\t\d{4}-\d\d-\d\dT[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*"), "lastfm1k"),
    (re.compile(r"[0-9a-f]{40}\t[^\t]*\t[^\t]*\t\d+"), "lastfm360k"),
    (re.compile(r"[0-9a-f]{40}\tSO[0-9A-Z]{16}\t\d+"), "taste_profile"),
    (re.compile(r'\{.*"track_metadata"'), "listenbrainz"),
    (re.compile(r'\s*\[?\s*\{?\s*"(ts|endTime)"\s*:'), "spotify_history"),
)

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "user": ("user_id", "userid", "listener", "listener_id", "uid", "username"),
    "track": ("track_id", "trackid", "item", "item_id", "itemid", "movieid", "movie_id", "song",
              "song_id", "songid", "track_uri"),
    "at": ("timestamp", "ts", "played_at", "listened_at", "datetime", "date"),
    "artist": ("artist_name", "artistname"),
    "title": ("track_name", "trackname", "song_name"),
    "session": ("session_id", "sessionid"),
    "plays": ("play_count", "playcount"),
}  # fmt: skip
"""Meaning -> names, in lower case, under which public tables have its column."""


@dataclass(frozen=True, slots=True)
class ImportChoice:
    """The reading of a file.

    Attributes:
        kind: Name of the importer.
        columns: Meaning -> name of its column, for `table`.
        unread: Columns of a table that have no meaning for Segue.
    """

    kind: str
    columns: Mapping[str, str]
    unread: Sequence[str] = ()


def choose_import(path: Path, kind: str | None, columns: Mapping[str, str]) -> ImportChoice:
    """Choose the importer of a file or folder, and the columns of a table.

    Args:
        path: The file, or a folder of files of one kind.
        kind: The importer, if the user named it.
        columns: Meaning -> column, as far as the user named them.

    Raises:
        InputError: There is no such file.
    """
    first = _first_file(path)
    if kind is None:
        kind = _kind_of(first) if not columns else "table"
    if kind != "table":
        return ImportChoice(kind, columns)
    header = _header(first)
    chosen = dict(columns)
    for meaning, names in _SYNONYMS.items():
        known = [name for name in header if name.lower() in names]
        # Two candidates are no guess, and neither is a column that the user gave a meaning.
        is_open = meaning not in {*chosen, *header}
        if is_open and len(known) == 1 and known[0] not in chosen.values():
            chosen[meaning] = known[0]
    read = {*chosen.values(), *_MEANINGS}
    return ImportChoice(kind, chosen, [name for name in header if name not in read])


_MEANINGS = frozenset(
    {"user", "track", "time", "at", "session", "position", "artist", "title", "plays"}
)


def _first_file(path: Path) -> Path:
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file())
        if not found:
            raise InputError.one(f"--from {path}", "must hold files of listens, is empty")
        return next((each for each in found if _named_kind(each) is not None), found[0])
    if not path.exists():
        raise InputError.one(f"--from {path}", "does not exist. Name a file or a folder of files")
    return path


def _named_kind(path: Path) -> str | None:
    return next((kind for name, kind in _BY_NAME if name.fullmatch(path.name)), None)


def _kind_of(path: Path) -> str:
    named = _named_kind(path)
    if named is not None:
        return named
    if _is_parquet(path):
        return "yambda" if {"uid", "item_id"} <= set(_header(path)) else "table"
    line = _first_line(path)
    return next((kind for form, kind in _BY_LINE if form.match(line)), "table")


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _PARQUET


def _header(path: Path) -> list[str]:
    """List the names of a table's columns; none if its first line tells none."""
    if _is_parquet(path):
        from pyarrow import ArrowException, parquet

        try:
            return list(parquet.read_schema(path).names)
        except (OSError, ArrowException):
            return []  # the importer says what is wrong
    line = _first_line(path)
    if line.startswith("{"):
        try:
            record: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            return []
        return list(record)
    return [name.strip().strip('"') for name in line.split("\t" if "\t" in line else ",")]


def _first_line(path: Path) -> str:
    """Return the first line of a text, in a packing or not; a long line is cut."""
    where = str(path)
    for piece in text_pieces(where, read_file(path)):
        if piece:
            _, (line, *_) = next(line_blocks(where, [piece[:_HEAD]]))
            return line.decode("utf-8", "replace")
    return ""
