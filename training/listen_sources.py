"""Listens from files: event logs, read by the same reader as the report, or a training table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.catalog import UNKNOWN, Catalog
from core.errors import Faults, InputError, unknown_name
from core.progress import SILENT, Progress
from events.url_path import on_disk
from training.importers.parquet_files import is_parquet
from training.interactions import Interactions, Ints, assemble
from training.training_table import load_table

if TYPE_CHECKING:
    import pyarrow as pa

    from events.query_engine import QueryEngine
    from events.reader import EventLog
    from events.spark_session import SparkOptions

_NUMBERS = ("turn", "time", "at_ms", "propensity")

_FILES = "SELECT path, checksum FROM files ORDER BY file_id"
_STRANGE = """SELECT track FROM events
WHERE "time" IS NOT NULL AND track NOT IN (SELECT track FROM catalog_tracks)
ORDER BY "user", session, turn LIMIT 1"""
"""A track that the catalog does not have."""

InverseIn = Literal["fit", "judge", "both"]
"""The uses of inverse propensity weights: in the fit, in the evaluation (`judge`), or in both."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice of listens that count, and of their weights.

    Attributes:
        since_ms: Only sessions that began then or later, Unix time in ms.
        until_ms: Only sessions that began before.
        arms: Experiment -> arms; only listens of turns in one of them. Empty: all.
        min_time: Only listens with this share heard, or more.
        inverse_in: Where each listen counts for the inverse of its propensity; None: nowhere.
        cap: Inverse propensities above this multiple of the smallest are cut to it.
        sample: Share of the listeners, in (0, 1]; each with all of their listens. The id decides
            who is in it, so a sample is the same tomorrow, and part of every larger one.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    arms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    min_time: float = 0.0
    inverse_in: InverseIn | None = None
    cap: float = 100.0
    sample: float = 1.0

    def as_json(self) -> dict[str, Any]:
        """Options that differ from the default, for a manifest."""
        stated: dict[str, Any] = {
            "since": None if self.since_ms is None else _iso(self.since_ms),
            "until": None if self.until_ms is None else _iso(self.until_ms),
            "arms": {name: list(arms) for name, arms in self.arms.items()} or None,
            "min_time": self.min_time or None,
            "sample": None if self.sample == 1 else self.sample,
            "inverse_propensity": {"in": self.inverse_in, "most": self.cap}
            if self.inverse_in
            else None,
        }
        return {name: value for name, value in stated.items() if value is not None}

    def apply(self, table: Interactions) -> Interactions:
        """Keep the listens that count, and weight them; the reader has applied arms and dates."""
        if self.sample < 1:
            table = _listeners_of(table, self.sample)
        if self.min_time > 0:
            table = table.where(table.time >= np.float32(self.min_time))
        return table.weight_by_inverse_propensity(self.cap) if self.inverse_in else table


def _listeners_of(table: Interactions, share: float) -> Interactions:
    """Keep listeners whose id has a hash in the first `share` of all hashes."""
    below = round(share * (1 << 64))
    chosen = np.array(
        [
            int.from_bytes(blake2b(user.encode(), digest_size=8).digest(), "big") < below
            for user in table.users
        ],
        dtype=bool,
    )
    kept = table.where(chosen[table.user])
    number = np.cumsum(chosen, dtype=np.int32) - 1
    users = [user for user, is_in in zip(table.users, chosen.tolist(), strict=True) if is_in]
    return replace(kept, user=number[kept.user].astype(np.int32), users=users)


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def load(
    paths: Sequence[Path],
    catalog: Catalog,
    selection: Selection,
    progress: Progress = SILENT,
    spark: "SparkOptions | None" = None,
) -> Interactions:
    """Read listens and keep those that count.

    Args:
        paths: Event logs, or one training table.
        catalog: The catalog that was served.
        selection: Which listens count.
        progress: Shows the work.
        spark: Read event logs on Spark, in a session with these options. None: DuckDB.

    Raises:
        InputError: Nothing to read, nothing left, or not for this catalog.
    """
    if len(paths) == 1 and paths[0].is_file() and _is_table(paths[0]):
        if selection.arms:
            raise InputError.one(
                str(paths[0]),
                "is a training table, which has no arms. Leave out --arms, or give the event log",
            )
        progress.start("reading")
        with on_disk(paths[0]) as table:
            listens = load_table(table, catalog).between(selection.since_ms, selection.until_ms)
    else:
        listens = _from_events(paths, catalog, selection, progress, spark)
    kept = selection.apply(listens)
    if not len(kept):
        raise InputError.one(", ".join(map(str, paths)), "has no listen that counts")
    return kept


def _is_table(path: Path) -> bool:
    """Test whether the file is a training table, and not the Parquet of a compacted log."""
    if not is_parquet(path):
        return False
    from pyarrow import ArrowException, parquet

    try:
        with path.open("rb") as file:
            return b"segue" in (parquet.read_schema(file).metadata or {})
    except (OSError, ArrowException):
        return False  # damaged: the reader of event logs says so


def _from_events(
    paths: Sequence[Path],
    catalog: Catalog,
    selection: Selection,
    progress: Progress,
    spark: "SparkOptions | None",
) -> Interactions:
    """Read the listens of event logs."""
    from events.reader import open_log

    since_ms, until_ms = selection.since_ms, selection.until_ms
    with open_log(
        paths, since_ms=since_ms, until_ms=until_ms, progress=progress, spark=spark
    ) as log:
        _check_arms(selection.arms, log.experiments())
        return listens_of(log, ", ".join(map(str, paths)), catalog, selection.arms, progress)


def listens_of(
    log: "EventLog",
    where: str,
    catalog: Catalog,
    arms: Mapping[str, Sequence[str]],
    progress: Progress = SILENT,
) -> Interactions:
    """Take the listens of an open log, none or more.

    Args:
        log: The log.
        where: Stands in errors.
        catalog: The catalog that was served.
        arms: Experiment -> arms that count; empty for all.
        progress: Shows the work.

    Raises:
        InputError: Most tracks are not in the catalog.
    """
    from events.queries import read_query

    progress.start("listens")
    chosen = [f"{experiment}={arm}" for experiment, names in arms.items() for arm in names]
    query = read_query("training", "listens").rstrip("; \n")
    with closing(log.engine.workspace()) as tables:
        tables.add("catalog_tracks", _number_tracks(catalog))
        rows = tables.arrow(query, [chosen or [""], not chosen])
        track = rows.column("track").to_numpy()
        _check_catalog(track, tables, where, progress)
        sources = _name_sources(tables.rows(_FILES))
    kept = track != UNKNOWN
    names = rows.column("listener")
    begins = rows.column("begins").to_numpy()
    column = {name: rows.column(name).to_numpy()[kept] for name in _NUMBERS}
    return assemble(
        (np.cumsum(names.is_valid().to_numpy()) - 1)[kept],
        track[kept],
        column["time"],
        column["at_ms"],
        names.drop_null().to_pylist(),
        catalog,
        sources,
        session=(np.cumsum(begins) - 1)[kept],
        position=column["turn"],
        propensity=column["propensity"],
    )


def _number_tracks(catalog: Catalog) -> "pa.Table":
    """The tracks of a catalog as events name them, each with its index."""
    import pyarrow as pa

    from events.arrow_rows import table_of

    rows = [(str(track), number) for number, track in enumerate(catalog.ids)]
    return table_of(rows, track=pa.string(), number=pa.int32())


def _check_catalog(track: Ints, tables: "QueryEngine", where: str, progress: Progress) -> None:
    """Refuse a wrong catalog: a retired track or two is normal, more than half are not.

    Raises:
        InputError: Most tracks are not in the catalog.
    """
    known = int((track != UNKNOWN).sum())
    if known * 2 < len(track):
        (strange,) = tables.rows(_STRANGE)[0]
        raise InputError.one(
            where,
            f"{len(track) - known} of {len(track)} listens are of tracks that the catalog "
            f"does not have, for instance {strange!r}. Give the catalog that was served",
        )
    if known < len(track):
        progress.say(
            f"Left out {len(track) - known} listens of tracks that the catalog does not have."
        )


def _name_sources(files: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Checksum by file name, with as many of its folders as tell two files apart."""
    paths = [Path(path) for path, _ in files]
    taken = dict.fromkeys(paths, 1)
    while True:
        names = {path: "/".join(path.parts[-taken[path] :]) for path in paths}
        counts = Counter(names.values())
        alike = [
            path for path in names if counts[names[path]] > 1 and taken[path] < len(path.parts)
        ]
        if not alike:
            return {names[Path(path)]: sum_ for path, sum_ in files}
        for path in alike:
            taken[path] += 1


def _check_arms(wanted: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]]) -> None:
    faults = Faults()
    for experiment, arms in wanted.items():
        if experiment not in found:
            faults.add("--arms", unknown_name("experiment", experiment, found))
            continue
        for arm in arms:
            if arm not in found[experiment]:
                faults.add("--arms", unknown_name(f"arm of {experiment}", arm, found[experiment]))
    faults.raise_if_any()
