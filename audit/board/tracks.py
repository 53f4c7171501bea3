"""Tracks of a catalog: found by a part of their title or artist, and described."""

from typing import Any
from weakref import WeakKeyDictionary

from core.catalog import Catalog
from core.errors import InputError
from engine.runtime import Runtime

_TEXTS: "WeakKeyDictionary[Catalog, list[str]]" = WeakKeyDictionary()
"""Catalog -> the text of each track that a search looks at."""


def find_tracks(catalog: Catalog, query: str, limit: int) -> dict[str, Any]:
    """Find the tracks that have every word of a query in their artist or title, or as their id.

    Tracks whose title or artist begins with the query come first, then in the catalog's order.
    """
    words = query.casefold().split()
    if not words:
        found = list(range(len(catalog)))
    else:
        texts = _texts_of(catalog)
        found = [index for index, text in enumerate(texts) if all(word in text for word in words)]
    begins = " ".join(words)
    if begins:
        found.sort(key=lambda index: not _begins_with(catalog, index, begins))
    exact = catalog.index_of(query.strip())
    if exact >= 0:
        found = [exact, *(index for index in found if index != exact)]
    shown = [catalog.describe(index) for index in found[:limit]]
    return {"tracks": shown, "total": len(found)}


def describe_track(runtime: Runtime, track: str) -> dict[str, Any]:
    """Describe a track: its fields, and the lists that have one for it.

    Raises:
        InputError: The catalog does not have it.
    """
    index = index_of(runtime.catalog, track, "track")
    catalog, lists = runtime.catalog, runtime.artifacts.lists
    return {
        **catalog.describe(index),
        "fields": {name: field.value(index) for name, field in catalog.fields.items()},
        "lists": [
            name
            for name, each in lists.items()
            if each.key == "track" and each.row_of_track(index) >= 0
        ],
    }


def index_of(catalog: Catalog, track: object, where: str) -> int:
    """Return the index of a track.

    Raises:
        InputError: The catalog does not have it.
    """
    index = catalog.index_of(str(track))
    if index < 0:
        raise InputError.one(where, f"no track {str(track)!r:.80} in the catalog")
    return index


def label(catalog: Catalog, track: object) -> dict[str, Any]:
    """Return a track with its artist and title; both are empty if the catalog lacks it."""
    index = catalog.index_of(str(track))
    if index < 0:
        return {"track": track, "artist": "", "title": ""}
    return catalog.describe(index)


def _texts_of(catalog: Catalog) -> list[str]:
    if catalog not in _TEXTS:
        _TEXTS[catalog] = [
            f"{catalog.artists[artist]}\n{title}".casefold()
            for artist, title in zip(catalog.artist_of.tolist(), catalog.titles, strict=True)
        ]
    return _TEXTS[catalog]


def _begins_with(catalog: Catalog, index: int, begins: str) -> bool:
    artist, _, title = _texts_of(catalog)[index].partition("\n")
    return title.startswith(begins) or artist.startswith(begins)
