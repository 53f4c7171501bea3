"""Play a recipe of every strategy type over the same sessions, and print what each earns.

Run with `python -m benchmarks.league [--world data] [--lists data/lists] [--listener botify]
[--seed 404] [--episodes 5000] [--days 1]`. All recipes play the same sessions with the same random
numbers as `personal`, so the luck is the same. A simulator is no evidence about music.

Time is the recommended time of a session, in tracks, with its standard error. The lift is over
`personal`, with a 95 % interval of the ratio of the means (delta method, clustered by listener).
CPU is that of a turn in process, the simulated listener included.

A world has no fields of tracks, so `filter` and `boost` get one here: the language of an artist,
drawn by its name, one in four `pt`. Listeners of the simulator do not care about it.
"""

import argparse
import hashlib
import json
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import yaml

from cli.progress import bars
from core.catalog import load_catalog
from core.progress import Progress
from simulator.play.paired_comparison import ratio_of_means
from simulator.play.session_table import SessionTable, mean_by_listener
from simulator.simulation.options import SimulationOptions, parse_recommender
from simulator.simulation.plan import SimulationPlan, plan_simulation
from simulator.simulation.run import run_simulation

ROOT = Path(__file__).parents[1]
BASE = "personal"

RECIPES: dict[str, dict[str, Any]] = {
    "random": {"type": "random"},
    "constant": {"type": "constant", "track": 1},
    "popular": {"type": "top_pop", "top": 100, "fallback": "random"},
    "sticky_artist": {"type": "sticky_artist", "fallback": "random"},
    "contextual": {"type": "contextual", "list": "contextual", "fallback": "random"},
    "with_memory": {
        "type": "contextual_with_memory",
        "list": "contextual",
        "popular": "popular",
        "fallback": "random",
    },
    "improved": {
        "type": "contextual_and_popular",
        "list": "contextual",
        "popular": "popular",
        "fallback": "random",
    },
    "personal": {"type": "personal", "list": "personal", "fallback": "popular"},
    "liked": {
        "type": "contextual_liked",
        "list": "similar",
        "personal": "personal",
        "fallback": "popular",
    },
    "near_best": {
        "type": "best_heard",
        "list": "similar",
        "draw": "first",
        "fallback": "personal",
    },
    "shared": {
        "type": "intersection",
        "first": "near_similar",
        "second": "personal",
        "fallback": "personal",
    },
    "near_similar": {"type": "contextual", "list": "similar", "fallback": "personal"},
    "gated": {
        "type": "gate",
        "cases": [{"below": 0.5, "use": "personal"}, {"use": "near_similar"}],
        "fallback": "random",
    },
    "mixed": {"type": "mixture", "strategies": {"recommended": 0.9, "random": 0.1}},
    "merged": {
        "type": "merge",
        "strategies": {"near_best": 1, "personal": 1},
        "draw": "first",
        "unheard": "session",
        "fallback": "personal",
    },
    "capped": {"type": "artist_cap", "of": "near_best", "most": 2, "fallback": "personal"},
    "varied": {"type": "artist_discount", "of": "near_best", "fallback": "personal"},
    "recommended": {
        "type": "session_lists",
        "lists": "similar",
        "personal": "personal",
        "draw": "first",
        "unheard": "session",
        "fallback": "personal",
    },
    "softly": {"type": "explore", "of": "recommended", "temperature": 0.5, "fallback": "personal"},
    "freshened": {"type": "fresh", "of": "recommended", "known": 5000, "fallback": "personal"},
    "pinned": {"type": "pin", "of": "recommended", "tracks": [1], "at": 3, "fallback": "personal"},
    "filtered": {
        "type": "filter",
        "of": "recommended",
        "where": {"language": {"not": "pt"}},
        "fallback": "personal",
    },
    "boosted": {
        "type": "boost",
        "of": "recommended",
        "where": {"language": "pt"},
        "fallback": "personal",
    },
}
"""A recipe of each type that needs no vectors."""

VECTORS: dict[str, dict[str, Any]] = {
    "recommended_vectors": {
        "type": "session_vectors",
        "vectors": "interests",
        "fatigue": 0.8,
        "lengths": 0.5,
        "fallback": "recommended",
    },
}
"""Recipes for a world with `vectors/interests.npz`."""

TABLES: dict[str, dict[str, Any]] = {
    "known_interest": {
        "type": "interest",
        "vectors": "interests",
        "table": "interests",
        "fatigue": 0.8,
        "lengths": 0.5,
        "fallback": "recommended",
    },
}
"""Recipes for a world with `tables/interests.npz` too, of the same training."""


@dataclass(frozen=True, slots=True)
class Played:
    """One recipe's sessions.

    Attributes:
        sessions: The sessions.
        cpu_us: CPU time of a turn, in microseconds.
    """

    sessions: SessionTable
    cpu_us: float


def main() -> None:
    """Play and print a Markdown table."""
    options = _parse()
    with tempfile.TemporaryDirectory() as made:
        config, recipes = write_config(Path(made), options)
        with bars() as progress:
            plan = plan_simulation(
                SimulationOptions(
                    recommenders=(f"local:{BASE}",),
                    world=options.world,
                    listener=options.listener,
                    seed=options.seed,
                    episodes=options.episodes,
                    days=options.days,
                    config=config,
                ),
                progress,
            )
            names = dict.fromkeys([BASE, *(options.only or recipes)])
            played = {name: _play(plan, name, progress) for name in names}
    print("| strategy | type | time | lift over `personal` | CPU, us a turn |")
    print("|---|---|---:|---:|---:|")
    for name in sorted(played, key=lambda each: float(played[each].sessions.time.mean())):
        print(_row(name, recipes[name]["type"], played[name], played[BASE]))


def write_config(folder: Path, options: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """Write a config with every recipe that the world has artifacts for, and return both."""
    tracks = _write_languages(next(options.world.glob("tracks.json*")), folder)
    lists = {path.stem: str(path.absolute()) for path in sorted(options.lists.glob("*.npz"))}
    vectors = {path.stem: str(path.absolute()) for path in sorted(options.vectors.glob("*.npz"))}
    tables = {path.stem: str(path.absolute()) for path in sorted(options.tables.glob("*.npz"))}
    recipes = (
        RECIPES
        | (VECTORS if "interests" in vectors else {})
        | (TABLES if "interests" in tables else {})
    )
    catalog: dict[str, Any] = {
        "tracks": str(tracks),
        "top": str((options.world / "top_tracks.json").absolute()),
        "lists": lists,
    }
    config = {
        "catalog": catalog
        | ({"vectors": vectors} if vectors else {})
        | ({"tables": tables} if tables else {}),
        "strategies": recipes,
        "default": BASE,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path, recipes


def _write_languages(tracks: Path, folder: Path) -> Path:
    """Write the catalog once more, with the language of each track's artist."""
    catalog = load_catalog(tracks)
    path = folder / "tracks.jsonl"
    with path.open("w") as file:
        for track, artist, title in zip(
            catalog.ids, catalog.artist_of, catalog.titles, strict=True
        ):
            name = catalog.artists[artist]
            drawn = hashlib.sha256(name.encode()).digest()[0]
            record = {"track": track, "artist": name, "title": title}
            file.write(json.dumps(record | {"language": "pt" if drawn < 64 else "en"}) + "\n")
    return path


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.league")
    parser.add_argument("--world", type=Path, default=ROOT / "data")
    parser.add_argument("--lists", type=Path, default=ROOT / "data" / "lists")
    parser.add_argument("--vectors", type=Path, default=ROOT / "data" / "vectors")
    parser.add_argument("--tables", type=Path, default=ROOT / "data" / "tables")
    parser.add_argument("--listener", default="botify")
    parser.add_argument("--seed", type=int, default=404)
    parser.add_argument("--episodes", type=int, default=5000)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of the strategies to play")
    options, _ = parser.parse_known_args()
    return options


def _play(plan: SimulationPlan, name: str, progress: Progress) -> Played:
    of_name = replace(plan, recommenders=(parse_recommender(f"local:{name}", False),))
    began = process_time()
    [run] = run_simulation(of_name, lambda: nullcontext(progress))
    spent = process_time() - began
    assert not run.outcome.given_up, run.outcome.errors
    return Played(run.outcome.sessions, spent / run.outcome.requests * 1e6)


def _row(name: str, kind: str, played: Played, base: Played) -> str:
    time = mean_by_listener(played.sessions.time, played.sessions.listener)
    if played is base:
        lift = ""
    else:
        ratio, half = ratio_of_means(base.sessions, played.sessions)
        lift = f"{ratio - 1:+.0%} [{ratio - half - 1:+.0%}, {ratio + half - 1:+.0%}]"
    return (
        f"| `{name}` | `{kind}` | {time.mean:.2f} ± {time.standard_error:.2f} | {lift} | "
        f"{played.cpu_us:.0f} |"
    )


if __name__ == "__main__":
    main()
