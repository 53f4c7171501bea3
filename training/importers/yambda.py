"""Yambda: Parquet of listens with the ratio played, flat or one row per listener (`sequential`).

The data set has no titles. Artists come from `artist_item_mapping.parquet`: beside the file, in a
folder above it, or named by --artists. Stamps are seconds from an origin that was not published.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import InputError
from training.importers.collector import BadLine, Collector, ImportOptions
from training.importers.text_files import files
from training.interactions import Interactions

ABOUT = "Yambda, listens.parquet or multi_event.parquet (artist_item_mapping.parquet beside)"

_ARTISTS = "artist_item_mapping.parquet"
_WANTED = ("uid", "timestamp", "item_id", "played_ratio_pct", "event_type")
_BATCH = 1 << 16


def read(path: Path, into: Collector, options: ImportOptions) -> Interactions:
    """Stream the file in batches of rows."""
    if path.is_dir():
        path = next((p for p in files(path, ("listens.parquet", "multi_event.parquet"))), path)
    mapping = options.artists or _find_artists(path)
    artists: dict[int, str] = {}
    if mapping is not None:
        for batch in _batches(mapping, ("artist_id", "item_id"), ("artist_id", "item_id"), options):
            for artist, item in zip(batch["artist_id"], batch["item_id"], strict=True):
                artists.setdefault(item, f"artist {artist}")
    into.source(path)
    number = 0
    for batch in _batches(path, _WANTED, ("uid", "timestamp", "item_id"), options):
        none = [None] * len(batch["uid"])
        kinds, ratios = batch.get("event_type", none), batch.get("played_ratio_pct", none)
        has_ratio = "event_type" in batch or "played_ratio_pct" in batch
        for row in zip(batch["uid"], batch["timestamp"], batch["item_id"], kinds, ratios,
                       strict=True):  # fmt: skip
            number += 1
            try:
                _add(into, artists, has_ratio, *row)
            except BadLine as trouble:
                into.reject(path, number, trouble)
    return into.finish(options)


def _add(
    into: Collector, artists: dict[int, str], has_ratio: bool, user: Any, stamp: Any, item: Any,
    kind: Any, ratio: Any,
) -> None:  # fmt: skip
    if kind is not None and kind != "listen":
        into.notes["event that is no listen"] += 1
        return
    if user is None or item is None or stamp is None:
        raise BadLine(1, "uid, timestamp and item_id must not be null")
    if has_ratio and ratio is None:
        raise BadLine(_WANTED.index("played_ratio_pct") + 1, "played_ratio_pct must not be null")
    percent = 100 if ratio is None else ratio
    if percent > 100:
        into.notes["time outside 0..1 cut to it"] += 1
    track = into.track(item, artists.get(item, ""))
    into.add(str(user), track, int(stamp) * 1000, min(max(percent, 0), 100) / 100)


def _batches(
    path: Path, wanted: tuple[str, ...], needed: tuple[str, ...], options: ImportOptions
) -> Iterator[dict[str, list[Any]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except FileNotFoundError as error:
        raise InputError.one(str(path), "does not exist") from error
    except (OSError, pa.ArrowException) as error:
        raise InputError.one(f"{path}:1:1", f"must be a Parquet file: {error}") from error
    names = file.schema_arrow.names
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError.one(
            f"{path}:1:1",
            f"must have the columns {', '.join(needed)}; {', '.join(missing)} missing, "
            f"has {', '.join(names)}",
        )
    columns = [name for name in wanted if name in names]
    options.progress.start(path.name, file.metadata.num_rows)
    for batch in file.iter_batches(_BATCH, columns=columns):
        nested = [name for name in columns if pa.types.is_list(batch.schema.field(name).type)]
        content = batch.to_pydict()
        if nested:
            content = _unnest(content, nested)
        yield content
        options.progress.advance(batch.num_rows)


def _unnest(content: dict[str, list[Any]], nested: list[str]) -> dict[str, list[Any]]:
    """Expand one row per listener to one row per listen."""
    lengths = [len(cell or ()) for cell in content[nested[0]]]
    return {
        name: [value for cell in cells for value in cell or ()]
        if name in nested
        else [value for value, length in zip(cells, lengths, strict=True) for _ in range(length)]
        for name, cells in content.items()
    }


def _find_artists(path: Path) -> Path | None:
    places = [path.parent, *list(path.resolve().parents)[1:3]]
    return next((place / _ARTISTS for place in places if (place / _ARTISTS).exists()), None)
