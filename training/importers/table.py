"""A plain table with named columns: CSV or TSV with a header line, JSON lines, or Parquet.

`user` and `track` are needed. Optional: `time` (share heard, 1 where absent), `at` (ISO 8601 or
Unix time), `session`, `position`, `artist`, `title`, `plays`. A column may have another name.
"""

import csv
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import IO, Any

from core.errors import InputError, unknown_name
from training.importers.collector import BadLine, Collector, ImportOptions
from training.importers.text_files import each_line, files, json_object, moment_ms, open_file
from training.interactions import Interactions

ABOUT = "CSV, TSV, JSON lines or Parquet with named columns (--column user=listener ...)"

MEANINGS = ("user", "track", "time", "at", "session", "position", "artist", "title", "plays")
_TEXTS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst")
_JSONS = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def read(path: Path, into: Collector, options: ImportOptions) -> Interactions:
    """Stream the file, or the folder's files."""
    for meaning in options.columns:
        if meaning not in MEANINGS:
            raise InputError.one("--column", unknown_name("meaning", meaning, MEANINGS))
    for file in files(path, (*_TEXTS, *_JSONS, ".parquet")):
        if file.name.endswith(".parquet"):
            _read_parquet(file, into, options)
        elif file.name.endswith(_JSONS):
            _read_json(file, into, options)
        else:
            _read_text(file, into, options)
    return into.finish(options, stamped=bool(into.notes.pop("stamped", 0)))


def _read_text(path: Path, into: Collector, options: ImportOptions) -> None:
    into.source(path)
    with open_file(path) as file:
        options.progress.start(path.name, path.stat().st_size)
        tabs = ".tsv" in path.suffixes[-2:]
        rows = csv.reader(_decode(path, file, into, options), delimiter="\t" if tabs else ",")
        header = next(rows, None)
        if header is None:
            raise InputError.one(f"{path}:1:1", "must have a header line, is empty")
        header = [name.strip() for name in header]
        places = _places(path, header, options)
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                into.reject(path, rows.line_num, BadLine(1, f"must be CSV: {error}"))
                continue
            if row is None:
                return
            if not row:
                continue
            try:
                if len(row) != len(header):
                    raise BadLine(
                        min(len(row), len(header)) + 1,
                        f"must have {len(header)} fields as the header",
                        f"{len(row)} fields",
                    )
                _add(into, {m: row[p] for m, p in places.items()}, places, options)
            except BadLine as trouble:
                into.reject(path, rows.line_num, trouble)


def _decode(path: Path, file: IO[bytes], into: Collector, options: ImportOptions) -> Iterator[str]:
    for number, raw in enumerate(file, start=1):
        options.progress.advance(len(raw))
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            into.reject(path, number, BadLine(error.start + 1, "must be UTF-8"))
            yield "\n"


def _read_json(path: Path, into: Collector, options: ImportOptions) -> None:
    names = {meaning: options.columns.get(meaning, meaning) for meaning in MEANINGS}

    def use(line: str) -> None:
        record = json_object(line)
        found = {m: record[n] for m, n in names.items() if record.get(n) is not None}
        columns = {m: line.find(f'"{n}"') for m, n in names.items()}
        for meaning in ("user", "track"):
            if meaning not in found:
                raise BadLine(1, f"must have {names[meaning]!r}")
        _add(into, found, columns, options)

    each_line(path, into, options.progress, use)


def _read_parquet(path: Path, into: Collector, options: ImportOptions) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    into.source(path)
    try:
        file = parquet.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError.one(f"{path}:1:1", f"must be a Parquet file: {error}") from error
    header = file.schema_arrow.names
    places = _places(path, header, options)
    options.progress.start(path.name, file.metadata.num_rows)
    number = 0
    for batch in file.iter_batches(1 << 16, columns=[header[p] for p in places.values()]):
        columns = batch.to_pydict()
        for row in zip(*(columns[header[p]] for p in places.values()), strict=True):
            number += 1
            try:
                found = {m: v for m, v in zip(places, row, strict=True) if v is not None}
                _add(into, found, places, options)
            except BadLine as trouble:
                into.reject(path, number, trouble)
        options.progress.advance(batch.num_rows)


def _places(path: Path, header: list[str], options: ImportOptions) -> dict[str, int]:
    """Meaning -> place of its column in the header."""
    places = {}
    for meaning in MEANINGS:
        name = options.columns.get(meaning, meaning)
        if name in header:
            places[meaning] = header.index(name)
        elif meaning in options.columns or meaning in ("user", "track"):
            raise InputError.one(
                f"{path}:1:1",
                f"must have a column '{name}' for the {meaning}, has {', '.join(header)}. "
                f"Name it: --column {meaning}=NAME",
            )
    return places


def _add(
    into: Collector, row: dict[str, Any], places: dict[str, int], options: ImportOptions
) -> None:
    """Add one row of the table; columns count from 1."""

    def fault(meaning: str, reason: str) -> BadLine:
        return BadLine(places.get(meaning, 0) + 1, reason, row.get(meaning))

    user, track = row.get("user"), row.get("track")
    user = str(user).strip() if user is not None else ""
    if not 0 < len(user) <= 256:
        raise fault("user", "user must have 1 to 256 characters")
    if isinstance(track, str):
        track = track.strip()
    if isinstance(track, float) or track in (None, ""):
        raise fault("track", "track must be an int or have 1 to 256 characters")
    plays = _number(row, "plays", fault, 1)
    if plays < 1 or plays != int(plays) or plays > 2**31 - 1:
        raise fault("plays", "plays must be a count of at least 1")
    position = _number(row, "position", fault, -1)
    session = row.get("session")
    at_ms = 0
    if row.get("at") not in (None, ""):
        at_ms = moment_ms(row["at"], places.get("at", 0) + 1)
        into.notes["stamped"] = 1
    artist, title = str(row.get("artist") or ""), str(row.get("title") or "")
    into.add(
        user,
        into.track(track, artist, title),
        at_ms,
        _share(row, into, fault, options),
        session=f"{user}\0{session}" if session is not None else None,
        position=int(position),
        plays=int(plays),
    )


def _share(row: dict[str, Any], into: Collector, fault: Any, options: ImportOptions) -> float:
    time = _number(row, "time", fault, 100 if options.percent else 1)
    share = time / 100 if options.percent else time
    if share < 0:
        raise fault("time", "time must not be negative")
    if share > 1:
        if not options.percent:
            raise fault("time", "time must be a share in 0..1 (percent? then --percent)")
        into.notes["time outside 0..1 cut to it"] += 1
    return min(share, 1.0)


def _number(row: dict[str, Any], meaning: str, fault: Any, absent: float) -> float:
    value = row.get(meaning)
    if value is None or value == "":
        return absent
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise fault(meaning, f"{meaning} must be a number") from None
    if not isfinite(number):
        raise fault(meaning, f"{meaning} must be a number")
    return number
