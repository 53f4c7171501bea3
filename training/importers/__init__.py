"""Importers: turn public data sets in their own formats into a catalog and a training table.

One file per format. Each has `ABOUT`, a line for the help, and `read(path, into, options)`, which
streams the files at `path` into a `Collector`.
"""

from types import ModuleType

from training.importers import (
    lastfm1k,
    lastfm360k,
    listenbrainz,
    mpd,
    table,
    taste_profile,
    yambda,
)

KINDS: dict[str, ModuleType] = {
    "lastfm1k": lastfm1k,
    "lastfm360k": lastfm360k,
    "listenbrainz": listenbrainz,
    "mpd": mpd,
    "table": table,
    "taste_profile": taste_profile,
    "yambda": yambda,
}
