"""A small world made by hand: 24 tracks, 8 artists, lists, and listeners of every kind.

Ids differ from indices (track 0 has the id 1000, track 1 the id 1010 ...), so that a test notices
code that confuses the two. Tracks 20 to 23 have no list, and listener "9" has none either.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.archive import Key
from core.candidates import Candidates
from core.catalog import UNKNOWN, Catalog
from core.listener import Listener
from core.listener_tables import ListenerRows, ListenerTable
from core.lists import Lists
from core.track_fields import FieldColumns
from core.vectors import Vectors
from strategies import registry
from strategies.base import Artifacts, Named, Params, marks_of

TRACKS = 24
ARTISTS = (*"aaaaaa", *"bbbbb", *"cccc", *"ddd", *"ee", *"ff", "g", "h")
WITHOUT_LIST = (20, 21, 22, 23)
TOP = (3, 0, 8, 13, 1, 20, 5, 17, 11, 2)
CONFIGURED: dict[str, dict[str, Any]] = {
    "random": {"type": "random"},
    "popular": {"type": "top_pop", "top": 8},
    "contextual": {"type": "contextual", "list": "contextual"},
    "personal": {"type": "personal", "list": "personal"},
}


def small_catalog(more: int = 0) -> Catalog:
    """Make 24 tracks with the ids 1000, 1010 ... 1230, by Artist a (6 tracks) to Artist h (1).

    Args:
        more: How many tracks to add, each by an artist of its own.
    """
    added = [f"Another {number}" for number in range(more)]
    columns = FieldColumns(())
    for index in range(TRACKS + more):
        columns.add(fields_of(index) if index < TRACKS else {})
    return Catalog(
        ids=[1000 + 10 * index for index in range(TRACKS + more)],
        artists=[*(f"Artist {letter}" for letter in ARTISTS), *added],
        titles=[f"Title {index}" for index in range(TRACKS + more)],
        fields=columns.fields(),
    )


def fields_of(track: int) -> dict[str, Any]:
    """Give genre, year and tags of a track; track 23 has none of them."""
    if track == TRACKS - 1:
        return {}
    tags = [["new"], ["live", "new"], []][track % 3]
    return {"genre": "rock" if track % 2 else "pop", "year": 1990 + track, "tags": tags}


def small_vectors(catalog: Catalog) -> Vectors:
    """Make vectors by track, similar ones for one artist; tracks WITHOUT_LIST have none."""
    tracks = [track for track in range(TRACKS) if track not in WITHOUT_LIST]
    angles = np.array([catalog.artist_of[track] + 0.05 * (track % 7) for track in tracks])
    points = np.stack([np.cos(angles), np.sin(angles), np.full(len(angles), 0.2)], axis=1)
    points *= 1 + np.arange(len(tracks))[:, None] % 3
    return Vectors("track", tracks, points.astype(np.float32), catalog, {}, "made-by-hand")


def small_table() -> ListenerTable:
    """Make interests for the listeners "1" to "6", near Artists a and d, or b and e, or c and f."""
    angles = np.array([[user % 3, user % 3 + 3] for user in range(1, 7)], dtype=np.float32)
    interests = np.stack([np.cos(angles), np.sin(angles), np.full((6, 2), 0.2)], axis=2)
    rows = ListenerRows(
        interests.astype(np.float32),
        np.array([[0.75, 0.25]] * 6, dtype=np.float32),
        np.zeros(6, dtype=np.float32),
        np.array([[user, UNKNOWN] for user in range(6)], dtype=np.int32),
    )
    return ListenerTable([str(user) for user in range(1, 7)], rows, {}, "made-by-hand")


def lists_of(key: Key, rows: Mapping[Any, Sequence[int]], catalog: Catalog) -> Lists:
    """Make lists in memory: catalog indices by track index or by listener id."""
    lengths = [len(row) for row in rows.values()]
    return Lists(
        key,
        list(rows),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([np.asarray(row, dtype=np.int32) for row in rows.values()]),
        catalog,
        {"key": key},
        "made-by-hand",
        np.concatenate([1 / np.arange(2, length + 2) for length in lengths]).astype(np.float32),
    )


def list_of(track: int) -> list[int]:
    """Give the row of the lists `contextual` for a track, best first."""
    return [(track + step) % TRACKS for step in (1, 5, 7, 11, 13, 17)]


def list_for(user: int) -> list[int]:
    """Give the row of the lists `personal` for a listener, best first."""
    return [(5 * user + step) % TRACKS for step in (0, 3, 4, 9, 14)]


def small_artifacts(more: int = 0) -> Artifacts:
    """Make the small world: its catalog, popularity list, lists and strategies.

    Lists: `contextual` by track, `personal` by listener ("1" to "6"). Strategies: `random`,
    `popular`, `contextual` and `personal`.

    Args:
        more: How many tracks to add to the catalog; they are in no list.
    """
    catalog = small_catalog(more)
    artifacts = Artifacts(
        catalog,
        np.array(TOP, dtype=np.int32),
        {
            "contextual": lists_of(
                "track",
                {t: list_of(t) for t in range(TRACKS) if t not in WITHOUT_LIST},
                catalog,
            ),
            "personal": lists_of(
                "user", {str(user): list_for(user) for user in range(1, 7)}, catalog
            ),
        },
    )
    artifacts.vectors["taste"] = small_vectors(catalog)
    artifacts.tables["interests"] = small_table()
    for name, entry in CONFIGURED.items():
        params = {key: value for key, value in entry.items() if key != "type"}
        artifacts.strategies[name] = Named(name, build(entry["type"], artifacts, **params))
    return artifacts


def example_params(params: type[Params]) -> dict[str, Any]:
    """Find params that are valid over the small world.

    These are the model's first example if it has one, else its required params alone, each with a
    value found by what the param names, by its own example, or by its least value.
    """
    extra = params.model_config.get("json_schema_extra")
    if isinstance(extra, dict) and extra.get("examples"):
        first: Any = extra["examples"]
        return dict(first[0])
    schema = params.model_json_schema()["properties"]
    found: dict[str, Any] = {}
    used: set[str] = set()
    for key, info in params.model_fields.items():
        if not info.is_required():
            continue
        kinds = {mark.kind for mark in marks_of(info)}
        said = schema[info.alias or key]
        if "strategy" in kinds:
            unused = (name for name in ("contextual", "popular", *CONFIGURED) if name not in used)
            found[key] = key if key in CONFIGURED else next(unused)
            used.add(found[key])
        elif "track vectors" in kinds:
            found[key] = "taste"
        elif "user tables" in kinds:
            found[key] = "interests"
        elif "track lists" in kinds:
            found[key] = "contextual"
        elif "user lists" in kinds:
            found[key] = "personal"
        elif "track" in kinds:
            found[key] = small_catalog().ids[0]
        elif "examples" in said or "enum" in said:
            found[key] = (said.get("examples") or said["enum"])[0]
        elif said.get("type") in ("integer", "number"):
            found[key] = said.get("minimum", said.get("exclusiveMinimum", 0) + 1)
        elif said.get("type") == "boolean":
            found[key] = True
        else:
            raise AssertionError(
                f"{params.__name__}.{key} is required, and nothing says what it may be. Type it "
                "as StrategyName, TrackLists, UserLists or CatalogTrack, or give the model "
                "examples (json_schema_extra)"
            )
    return found


def build(type_name: str, artifacts: Artifacts | None = None, **params: Any) -> Any:
    """Make a strategy of this type over the small world, from params as config has them."""
    found = registry.find(type_name)
    return found.make(found.params.model_validate(params), artifacts or small_artifacts())


def why(strategy: Any, listener: Listener) -> list[str]:
    """List the reasons that the strategy notes when a request asks why."""
    notes: list[str] = []
    strategy.propose(
        Listener(listener.id, listener.packed, listener.session_start, listener.turn, notes)
    )
    return notes


def chances(candidates: Candidates) -> dict[int, float]:
    """Give the chance of each track."""
    return dict(zip(candidates.listed(), candidates.chances().tolist(), strict=True))


def some_listeners() -> dict[str, Listener]:
    """Make listeners of every kind that strategies treat differently, by a name for the kind."""
    everything = [(track, 0.5) for track in range(TRACKS)]
    return {
        "first-visit": Listener.of("1"),
        "liked": Listener.of("1", [(4, 1.0)], turn=2),
        "skipped": Listener.of("2", [(4, 0.05)], turn=2),
        "bored": Listener.of("2", [(7, 0.2)], turn=2),
        "half-heard": Listener.of("3", [(0, 0.5)], turn=2),
        "three-in-a-row": Listener.of("3", [(0, 1.0), (6, 0.95), (11, 0.7)], turn=4),
        "two-skips-after-a-hit": Listener.of("4", [(2, 0.95), (9, 0.02), (12, 0.1)], turn=4),
        "without-a-list": Listener.of("9", [(21, 0.8)], turn=2),
        "unknown-track": Listener.of("9", [(UNKNOWN, 0.8)], turn=2),
        "unknown-then-known": Listener.of("5", [(UNKNOWN, 1.0), (3, 0.4)], turn=3),
        "new-session": Listener.of("5", earlier=[(8, 1.0), (9, 0.3)], turn=3),
        "second-session": Listener.of("6", [(10, 0.92)], earlier=[(1, 1.0), (2, 0.1)], turn=4),
        "heard-everything": Listener.of("6", everything, turn=25),
        "heard-everything-before": Listener.of("1", [(14, 1.0)], everything, turn=26),
        "same-track-twice": Listener.of("2", [(15, 1.0), (15, 0.0)], turn=3),
    }
