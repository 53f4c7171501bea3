"""The reader: turns event files into an `EventLog` of events, sessions and listeners."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from core.catalog import Catalog
from core.errors import EmptyLog, InputError
from core.progress import SILENT, Progress
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import MEMORY_MB, database, load
from events.event_files import EventFile, find_event_files
from events.queries import NamedQuery, read_named
from events.query_engine import QueryEngine
from events.spark_session import SparkOptions, start_session

GAP_S = 1800.0
SKIP_BELOW = 0.1


class EventLog:
    """The tables of a log in a query engine; `query` reads them. Close it, or use `with`.

    Every time is Unix time in ms; `time` is the share of a track that was heard, in [0, 1], so a
    session's time is counted in tracks. Ids are text: 7 and "7" are one listener.

    `files(file_id, path, format, lines, checksum)`: the files read; format is `ours`, `botify` or
        `parquet` (by `segue logs compact`); lines counts dropped lines too.
    `dropped(reason, lines, examples)`: lines that are no events; examples are up to three places
        `path:line`. `dropped_lines(file_id, line, reason)` has them all.
    `events`: one row an event: file_id, line (from 1; of Parquet the row), message (`next`,
        `heard`, `last`), at_ms, user, track, time (both null where the client sent no listen),
        latency_s, recommendation, experiments (JSON text), schema (0: botify), decision, session,
        turn (orders a listener's events), strategy, answered_by, depth, propensity, candidates,
        config, forced (a tester's, or of a seat on the board), attributes (JSON text), key, reset,
        n, recommendations, exclude (JSON text), took_us, asked, seat, failed, filter. Events of
        botify lack decision, and all that follows turn.
    `unplaced`: turns of ours without a place in a session: those without an answer (message
        `error`) and those that were decided without the listener's state (`degraded`). They are
        no `events`.
    `log_span(begin_ms, end_ms)`: of all lines but `odd_stamps(file_id, line, at_ms)`, those of a
        clock that is years or hours off.
    `written_ids(stem, first_id, last_id, ids)`: the ids of each process of schema 2, by number;
        `file_ends(file_id, lines, last)`: the end of a file, as its writer recorded it.
    `assignments(experiments, experiment, arm)`: the distinct values of events.experiments, parsed.
    `exposures(file_id, line, user, session, turn, at_ms, experiment, arm, forced)`: one row for
        each event and experiment.
    `sessions`: user, session (together the key), schema, first_turn, config (of its first event),
        started_ms, ended_ms, ended_by (`last`, `gap`, or `open`: within `gap_s` of the end of the
        log), ended, forced, events, listens (events with a time), listens_chosen, time_all,
        time_chosen, skips, recommendations, fallbacks (answers at depth > 0), latency_s (sum of
        each answer's took_us, or latency without) over `timed` answers that have one. No
        recommendation of the session chose the track of its first event: listens and time_all
        count that track, listens_chosen, time_chosen and skips do not.
    `variety(user, session, tracks, artists)`: distinct tracks and artists heard; a view, computed
        when read; artists are 0 unless a catalog was given. `catalog(track, artist)`.
    `session_arms(user, session, experiment, arm, arms, events)`: arms > 1 where a session saw
        several; events counts the session's events in the experiment.
    `entered_sessions(experiment, arm, user, session, started_ms, forced, answered, events, inside,
        moved)`: every session from the one in which the listener entered the experiment on, under
        the arm of that entry; answered: it has a recommendation; inside counts the events that
        carry an arm of the experiment; moved: one of them carries a different arm.
    `exposed(experiment, user, arm, first_ms, reason)`: each listener who entered; reason is null
        for a listener who counts.
    `arm_sessions(experiment, arm, and all of sessions)`: the sessions that count: entered ones with
        a recommendation, of listeners who count.
    `listeners`: one row for each experiment and user who counts: experiment, arm, user, first_ms,
        sessions (ended ones, as all that follows), open_sessions, mean_time_all, mean_time_chosen,
        mean_listens (means over sessions; null without an ended session), and the sums time_all,
        time_chosen, listens, listens_chosen, skips, recommendations, fallbacks, latency_s, timed;
        and of ended sessions before the experiment's first event, for CUPED: before_sessions,
        before_mean_time_all, before_mean_time_chosen, before_time_all (null without).
    `excluded(experiment, user, arm, reason)`: listeners left out: `forced`, `more than one arm`,
        `no recommendation`, and, though `listeners` has them, `no ended session`.
    """

    def __init__(self, engine: QueryEngine, folder: Any, gap_s: float) -> None:
        self.engine = engine
        self.gap_s = gap_s
        self._folder = folder

    def query(self, query: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.engine.rows(query, params)

    def one(self, query: str, params: Sequence[Any] = ()) -> Any:
        """The single value of a query."""
        (row,) = self.query(query, params)
        return row[0]

    def experiments(self) -> dict[str, list[str]]:
        """Arms of each experiment, both sorted."""
        found: dict[str, list[str]] = {}
        for experiment, arm in self.query(
            "SELECT DISTINCT experiment, arm FROM assignments ORDER BY 1, 2"
        ):
            found.setdefault(experiment, []).append(arm)
        return found

    def close(self) -> None:
        """Delete the tables and free the memory."""
        self.engine.close()
        self._folder.cleanup()

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_log(
    paths: Iterable[str | Path],
    *,
    gap_s: float = GAP_S,
    skip_below: float = SKIP_BELOW,
    since_ms: int | None = None,
    until_ms: int | None = None,
    catalog: Catalog | None = None,
    memory_mb: int = MEMORY_MB,
    threads: int | None = None,
    folder: Path | None = None,
    progress: Progress = SILENT,
    spark: SparkOptions | None = None,
) -> EventLog:
    """Read event files of Segue and of botify, mixed, compressed or not, or compacted.

    Args:
        paths: Files, or folders, which are read with all their subfolders; or their URLs.
        gap_s: Silence that ends a session, in seconds. The server has already ended sessions of
            Segue; here the gap only decides whether one is `open`.
        skip_below: Share heard below which a listen is a skip, in (0, 1].
        since_ms: Only sessions that began then or later, Unix time in ms.
        until_ms: Only sessions that began before.
        catalog: For the number of artists in `variety`.
        memory_mb: Memory that DuckDB may use; it spills to the disk beyond that. The process
            takes some 300 MB more.
        threads: Threads of DuckDB; all cores by default.
        folder: Folder for the tables while the log is open; the system's temporary folder by
            default. 10 million events take about 2 GB.
        progress: Shows the bytes read.
        spark: Read on Spark, in a session with these options, and keep the tables there; memory,
            threads and folder are DuckDB's. None: DuckDB.

    Raises:
        InputError: Spark does not start. Or a path is missing or unreadable, or there is no event
            in all the files.
    """
    if gap_s <= 0:
        raise InputError.one("--gap", f"must be above 0, got {gap_s}")
    sources = find_event_files(list(paths))
    kept = tempfile.TemporaryDirectory(prefix="segue-log-", dir=folder)
    engine = open_tables(Path(kept.name), memory_mb, threads, spark)
    log = EventLog(engine, kept, gap_s)
    try:
        _load(engine, sources, progress)
        make_tables(log, sources[0].path, skip_below, (since_ms, until_ms), catalog, progress)
    except BaseException:
        log.close()
        raise
    return log


def make_tables(
    log: EventLog,
    path: Path,
    skip_below: float,
    window: tuple[int | None, int | None],
    catalog: Catalog | None,
    progress: Progress,
) -> None:
    """Make events, sessions and listeners of the lines that were loaded.

    Raises:
        InputError: No event is left; the message names `path`.
    """
    engine, gap_ms = log.engine, round(log.gap_s * 1000)
    _add_catalog(engine, catalog)
    make_events(log)
    _keep_window(engine, *window, gap_ms)
    _check_some(log, path)
    progress.start("sessions")
    _create(engine, "sessions", gap_ms=gap_ms, skip_below=repr(float(skip_below)))
    progress.start("listeners")
    for name in ("listeners", "listener_sums", "excluded"):
        _create(engine, name)


def make_events(log: EventLog) -> None:
    """Make events of the lines that were loaded, and no session or listener."""
    _create(log.engine, "events", gap_ms=round(log.gap_s * 1000))
    _create(log.engine, "dropped")


def open_tables(
    folder: Path, memory_mb: int, threads: int | None, spark: SparkOptions | None
) -> QueryEngine:
    """Open an engine without a table: Spark with these options, or DuckDB in a file of the folder.

    Raises:
        InputError: Spark does not start.
    """
    if spark is None:
        return DuckDbEngine(database(folder / "log.duckdb", memory_mb, threads))
    from events.spark_engine import SparkEngine

    return SparkEngine(start_session(spark))


def _load(engine: QueryEngine, sources: list[EventFile], progress: Progress) -> None:
    if isinstance(engine, DuckDbEngine):
        load(engine, sources, progress)
        return
    from events.spark_engine import SparkEngine
    from events.spark_loader import load_on_spark

    assert isinstance(engine, SparkEngine)
    load_on_spark(engine, sources, progress)


def _create(engine: QueryEngine, name: str, **values: object) -> None:
    """Create the tables and views of a file of `events/sql/`."""
    for query in read_named("events", name, **values):
        engine.create(query)


def _add_catalog(engine: QueryEngine, catalog: Catalog | None) -> None:
    import pyarrow as pa

    tracks = [] if catalog is None else [str(track) for track in catalog.ids]
    artists = [] if catalog is None else [str(artist) for artist in catalog.artist_of.tolist()]
    columns = {"track": pa.array(tracks, pa.string()), "artist": pa.array(artists, pa.string())}
    engine.add("catalog", pa.table(columns))


def _keep_window(
    engine: QueryEngine, since_ms: int | None, until_ms: int | None, gap_ms: int
) -> None:
    """Delete whole sessions that did not begin in the window."""
    if since_ms is None and until_ms is None:
        return
    since = -(2**62) if since_ms is None else since_ms
    until = 2**62 if until_ms is None else until_ms
    outside = (
        'SELECT "user", session FROM events GROUP BY "user", session '
        "HAVING min(at_ms) < ? OR min(at_ms) >= ?"
    )
    engine.create(NamedQuery("table", "outside", outside), [since, until])
    for table in ("loaded", "botify_events"):
        engine.remove(table, "outside", ('"user"', "session"))
    for query in read_named("events", "events", gap_ms=gap_ms):
        if query.kind == "view":  # Spark's views keep the rows that they saw at first
            engine.create(query)


def _check_some(log: EventLog, path: Path) -> None:
    if log.one("SELECT count(*) FROM (SELECT 1 FROM events LIMIT 1)"):
        return
    dropped = log.query("SELECT reason, lines, examples FROM dropped ORDER BY lines DESC LIMIT 3")
    reasons = "; ".join(
        f"{lines} x {reason}, as at {places[0]}" for reason, lines, places in dropped
    )
    raise EmptyLog.one(
        str(path),
        f"no event is left in the log. Dropped: {reasons}" if reasons else "the log is empty",
    )
