"""A plain table with named columns: CSV or TSV with a header line, JSON lines, or Parquet.

`user` and `track` are needed. Optional: `time` (share heard, 1 where absent), `at` (ISO 8601 or
Unix time), `session`, `position`, `artist`, `title`, `plays`. A column may have another name.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from core.errors import InputError, unknown_name
from core.jsonl import repeated_key
from training.importers.bad_line import BadLine, shorten
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.input_files import (
    InputFile,
    each_of,
    find_files,
    json_object,
    reading,
    text_lines,
)
from training.importers.parquet_files import feed, is_parquet, open_parquet
from training.importers.spotify_history import looks_like_history
from training.importers.table_header import MEANINGS, Header, read_header
from training.importers.table_rows import RowReader, parquet_columns

ABOUT = "CSV, TSV, JSON lines or Parquet with named columns (--column user=listener ...)"

_ENDINGS = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet")
_BATCH = 1 << 16


def read(path: Path, into: Collector, options: ImportOptions) -> bool:
    """Stream the file, or the folder's files."""
    for meaning in options.columns:
        if meaning not in MEANINGS:
            raise InputError.one("--column", unknown_name("meaning", meaning, MEANINGS))
    for file in find_files(path, into, _ENDINGS):
        if file.unpacked_name.endswith(".parquet") or is_parquet(file.path):
            _read_parquet(file, into, options)
        else:
            _read_text(file, into, options)
    return True


def _read_text(file: InputFile, into: Collector, options: ImportOptions) -> None:
    """Read CSV, TSV or JSON lines; the first character says whether it is JSON."""
    where = str(file.path)
    with reading(file, into, options.progress) as pieces:
        head, pieces = _peek(pieces)
        begins = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if begins == b"[":
            raise _json_array(where, head)
        if begins == b"{":
            each_of(where, pieces, into, _json_line(into, options))
            return
        lines = text_lines(where, pieces, into)
        number, line = next(lines, (0, ""))
        if not number:
            return
        header = read_header(where, number, line, file.unpacked_name, options.columns)
        into.leave_out("header line")
        _read_lines(where, lines, header, into, options)


def _read_lines(
    where: str, lines: Iterator[tuple[int, str]], header: Header, into: Collector,
    options: ImportOptions,
) -> None:  # fmt: skip
    reader = RowReader(into, options, header.places)
    split, places, size = header.split, header.places, header.size
    for number, line in lines:
        try:
            cells = split(line)
            if len(cells) != size:
                raise BadLine(
                    min(len(cells), size) + 1,
                    f"must have {size} fields as the header",
                    f"{len(cells)} fields",
                )
            reader.add({meaning: cells[place] for meaning, place in places.items()})
        except BadLine as trouble:
            into.reject(where, number, trouble)


def _json_line(into: Collector, options: ImportOptions) -> Any:
    """Make the function that adds the record of a line."""
    names = {meaning: options.columns.get(meaning, meaning) for meaning in MEANINGS}
    reader = RowReader(into, options, {})
    keys = [f'"{name}"' for name in names.values()]

    def use(line: str) -> None:
        record = json_object(line)
        # A value may be spelled as the key is, so a second one is only a reason to look.
        if any(line.count(key) > 1 for key in keys) and (twice := repeated_key(line)) is not None:
            raise BadLine(1, "must have each key once", twice)
        found = {m: record[n] for m, n in names.items() if record.get(n) is not None}
        for meaning in ("user", "track"):
            if meaning not in found and names[meaning] not in record:
                has = ", ".join(map(shorten, list(record)[:12]))
                raise BadLine(
                    1,
                    f"must have a key '{names[meaning]}' for the {meaning} "
                    f"(--column {meaning}=NAME names another one), has {has}",
                )
        reader.places = _KeyPlaces(line, names)
        reader.add(found)

    return use


class _KeyPlaces(Mapping[str, int]):
    """Places of the keys in a line of JSON, looked for only when a fault needs one."""

    def __init__(self, line: str, names: Mapping[str, str]) -> None:
        self._line, self._names = line, names

    def __getitem__(self, meaning: str) -> int:
        return max(0, self._line.find(f'"{self._names[meaning]}"'))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _read_parquet(file: InputFile, into: Collector, options: ImportOptions) -> None:
    where = str(file.path)
    with into.file(file.name) as digest, open_parquet(file.path) as content:
        feed(file.path, digest)
        content.require(())
        header = Header.of(where, 1, content.names, options.columns)
        names = {meaning: content.names[place] for meaning, place in header.places.items()}
        reader = RowReader(into, options, header.places)
        number = 0
        for batch in content.batches(list(dict.fromkeys(names.values())), _BATCH, options.progress):
            into.count(batch.num_rows)
            columns = parquet_columns(where, batch, names)
            for cells in zip(*columns.values(), strict=True):
                number += 1
                try:
                    reader.add(dict(zip(columns, cells, strict=True)))
                except BadLine as trouble:
                    into.reject(where, number, trouble)


def _peek(pieces: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The beginning of the content, and all of it."""
    rest, kept, head = iter(pieces), [], b""
    for piece in rest:
        kept.append(piece)
        head += piece
        if len(head) >= 4096:
            break
    return head, chain(kept, rest)


def _json_array(where: str, head: bytes) -> InputError:
    """The error about a JSON array; a streaming history of Spotify has a kind of its own."""
    text = head.decode(errors="replace")
    is_history = looks_like_history(
        {name: 0 for name in ("endTime", "trackName", "ts", "ms_played") if f'"{name}"' in text}
    )
    if is_history:
        return InputError.one(
            where,
            "is a streaming history of Spotify. Import it as what it is: "
            "segue data import spotify_history",
        )
    return InputError.one(
        where,
        "is one JSON array, must be JSON lines, one object a line. "
        "Make lines of it: jq -c '.[]' FILE > FILE.jsonl",
    )
