"""The cost of training.

Run with `python -m benchmarks.training [MILLIONS] [MODEL ...] [--tracks N]`. Generates a million
listens over 50,000 tracks by 20,000 listeners with tastes, or so many millions over 100,000 or N
tracks, fits each model, and makes its lists of 100 for all tracks, or for the first 10,000 where
there are more than a million listens. Prints wall and CPU seconds, because a busy machine changes
only the first; memory is the maximum of the process so far.
"""

import argparse
import resource
import sys
from importlib.util import find_spec
from time import perf_counter, process_time

import numpy as np
from rich.console import Console
from rich.table import Table

import training.models  # noqa: F401  (importing it registers the models)
from core.catalog import Catalog
from training.interactions import Interactions, assemble
from training.model import FitRun, build

TRACKS, USERS, LISTENS, LENGTH, GENRES = 50_000, 20_000, 1_000_000, 10, 500
"""Sizes of the generated listening; LENGTH is that of a session, and listeners have 50 listens."""
MODELS = {"popular": "numpy", "neighbours": "scipy", "factors": "implicit", "neural": "torch"}
"""Models measured by default -> the package that each needs."""

AIMS = {"popular": "20", "neighbours": "20", "factors": "60", "neural": "300"}


def main() -> None:
    """Print seconds of the fit and of the lists, and memory."""
    options = _parse()
    wanted = options.models
    installed = [name for name, package in MODELS.items() if find_spec(package)]
    if options.millions:
        tracks = options.tracks or 2 * TRACKS
        log = listening(options.millions * LISTENS, tracks, options.millions * USERS)
    else:
        log = listening(tracks=options.tracks or TRACKS)
    listens, catalog = len(log), log.catalog
    early, valid = log.split(0.1)
    del log  # 50 million listens take 2.2 GB, and a fit needs only the two parts
    table = Table(title=f"{listens:,} listens of {len(catalog):,} tracks", title_justify="left")
    for heading in ("model", "fit s", "of CPU", "aim", "lists s", "of CPU", "aim", "memory GB"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    keys = np.arange(len(catalog) if listens <= LISTENS else 10_000)
    for name in wanted or installed:
        model, _ = build(name)
        fitted, fit_s, fit_cpu_s = _timed(model.fit, early, FitRun(valid))
        _, lists_s, lists_cpu_s = _timed(fitted.rankers["track"], keys, 100)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        aim = AIMS.get(name.partition(":")[0], "")
        del fitted
        table.add_row(
            name, f"{fit_s:.1f}", f"{fit_cpu_s:.1f}", aim,
            f"{lists_s:.1f}", f"{lists_cpu_s:.1f}", "30", f"{memory:.1f}",
        )  # fmt: skip
    Console().print(table)
    if len(installed) < len(MODELS) and not wanted:
        print(f"Not installed, so not measured: {', '.join(MODELS.keys() - set(installed))}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("what", nargs="*", help="millions of listens, then models")
    parser.add_argument("--tracks", type=int, help="tracks of the catalog")
    options, _ = parser.parse_known_args()
    if not sys.argv[0].endswith("training.py"):  # run with all benchmarks, whose names these are
        options.what = []
    first = options.what[:1]
    options.millions = int(first[0]) if first and first[0].isdigit() else None
    options.models = options.what[1:] if options.millions else options.what
    return options


def listening(listens: int = LISTENS, tracks: int = TRACKS, users: int = USERS) -> Interactions:
    """Make sessions of ten listens; three in four are of the session's genre and liked."""
    draws = np.random.default_rng(31337)
    sessions = listens // LENGTH
    # Small types, and one column after the other: at 50 million listens 64 bits take 0.4 GB each.
    user = np.repeat(draws.integers(0, users, sessions).astype(np.int32), LENGTH)
    genre = (user * 7 + np.repeat(draws.integers(0, 3, sessions), LENGTH) * 131) % GENRES
    liked = draws.random(listens) < 0.75
    # The square of a uniform number favours low places, as popularity does in a real catalog.
    track = (draws.random(listens) ** 2 * (tracks // GENRES)).astype(np.int32)
    track += genre.astype(np.int32) * (tracks // GENRES)
    del genre
    track = np.where(liked, track, draws.integers(0, tracks, listens).astype(np.int32))
    time = np.where(liked, draws.uniform(0.3, 1, listens), draws.uniform(0, 0.3, listens))
    time = time.astype(np.float32)
    session = np.repeat(np.arange(sessions, dtype=np.int32), LENGTH)
    catalog = Catalog(
        range(tracks), [f"artist {index // 4}" for index in range(tracks)], [""] * tracks
    )
    return assemble(
        user, track, time, session * np.int64(10_000) + np.arange(listens) % LENGTH * 100,
        [str(index) for index in range(users)], catalog, {}, session=session,
    )  # fmt: skip


def _timed(work, *arguments):  # type: ignore[no-untyped-def]
    start, start_cpu = perf_counter(), process_time()
    result = work(*arguments)
    return result, perf_counter() - start, process_time() - start_cpu


if __name__ == "__main__":
    main()
