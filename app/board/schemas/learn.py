"""The tracks, lists, vectors and models in use, as OpenAPI describes them."""

from typing import Any, Literal

from pydantic import BaseModel

from app.board.schemas.parts import BoardTrackName
from app.schemas import TrackName


class BoardTracks(BaseModel):
    """Tracks that were found."""

    tracks: list[BoardTrackName]
    total: int


class BoardTrack(BoardTrackName):
    """A track."""

    fields: dict[str, Any]
    lists: list[str]


class CatalogInUse(BaseModel):
    """The catalog."""

    path: str
    tracks: int
    artists: int
    checksum: str
    fields: list[str]


class TopInUse(BaseModel):
    """The popularity list."""

    path: str
    tracks: int


class ListsInUse(BaseModel):
    """A file of lists."""

    name: str
    path: str
    of: Literal["track", "user"]
    rows: int
    entries: int
    checksum: str
    manifest: dict[str, Any]
    used_by: list[str]


class VectorsInUse(BaseModel):
    """A file of vectors."""

    name: str
    path: str
    of: Literal["track", "user"]
    rows: int
    dimensions: int
    checksum: str
    manifest: dict[str, Any]
    used_by: list[str]


class TableInUse(BaseModel):
    """A file of listener tables."""

    name: str
    path: str
    of: Literal["user"]
    rows: int
    checksum: str
    manifest: dict[str, Any]
    used_by: list[str]


class ModelInUse(BaseModel):
    """The model behind a file."""

    name: str
    kind: Literal["lists", "vectors", "tables"]
    model: str
    manifest: dict[str, Any]


class BoardArtifacts(BaseModel):
    """The data in use."""

    config: str
    catalog: CatalogInUse
    top: TopInUse | None
    lists: list[ListsInUse]
    vectors: list[VectorsInUse]
    tables: list[TableInUse]
    models: list[ModelInUse]


class RankedTrack(BoardTrackName):
    """A track of a list."""

    rank: int
    score: float | None


class BoardList(BaseModel):
    """A list of a track or of a listener."""

    name: str
    id: TrackName
    of: BoardTrackName | None
    tracks: list[RankedTrack]


class SharedTracks(BaseModel):
    """Number of rows that share so many tracks."""

    shared: int
    rows: int


class BoardOverlap(BaseModel):
    """The common part of two files of lists."""

    a: str
    b: str
    k: int
    both: int
    only_a: int
    only_b: int
    overlap: float | None
    jaccard: float | None
    histogram: list[SharedTracks]
