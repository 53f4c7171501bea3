"""JSON lines: reads them, and names every faulty line."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from core.errors import Faults
from core.lines import text_in
from core.sealed import read_whole


def read_records(path: Path, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each line of a file that is a JSON object.

    The file may be packed. A faulty line is added to `faults` and skipped; a blank line is skipped.

    Raises:
        InputError: The file cannot be read.
    """
    yield from records_in(read_whole(path), path, faults)


def records_in(content: bytes, path: Path, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a file whose content was read before, as `read_records` does."""
    for number, line in enumerate(text_in(str(path), content).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            faults.add(f"{path}:{number}", f"must be one JSON object a line: {error.msg}")
            continue
        if isinstance(record, dict):
            # A line has at least as many colons as keys, and most lines have no more.
            twice = repeated_key(line) if line.count(b":") > len(record) else None
            if twice is None:
                yield number, record
            else:
                faults.add(f"{path}:{number}", f"must have each key once, has {twice!r:.80} twice")
        else:
            faults.add(f"{path}:{number}", f"must be a JSON object, got {type(record).__name__}")


def repeated_key(line: str | bytes) -> str | None:
    """Find a key that stands twice in a line's object: readers differ in the value they take."""
    objects: list[list[str]] = []
    with suppress(RecursionError):  # json nests less deeply than orjson
        json.loads(line, object_pairs_hook=lambda pairs: objects.append([key for key, _ in pairs]))
    keys = objects[-1] if objects else []  # the outermost object ends last
    return next((key for place, key in enumerate(keys) if key in keys[:place]), None)
