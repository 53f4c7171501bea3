"""The decisions and their reasons, as OpenAPI describes them."""

from typing import Any, Literal

from pydantic import BaseModel

from app.board.schemas.parts import BoardTrackName, HeardTrack, LikelyTrack
from app.schemas import TrackName


class ShortDecision(BaseModel):
    """A decision in a list of decisions."""

    decision: str
    at_ms: int
    user: TrackName
    session: str | None
    turn: int | None
    heard: HeardTrack | None
    track: BoardTrackName
    strategy: str | None
    answered_by: str | None
    depth: int | None
    propensity: float | None
    candidates: int | None
    experiments: dict[str, str]
    config: str | None
    forced: bool
    seat: bool


class BoardDecisions(BaseModel):
    """The latest decisions."""

    decisions: list[ShortDecision]
    has_more: bool


class ChainMember(BaseModel):
    """A member of a chain, and what came of it."""

    strategy: str
    type: str
    outcome: Literal["answered", "abstained", "failed", "not asked"]
    reasons: list[str]


class BoardCandidates(BaseModel):
    """The candidates of a decision."""

    total: int
    first: list[LikelyTrack]


class BoardDraw(BaseModel):
    """The draw of a decision."""

    stream: str
    tracks: list[BoardTrackName]
    propensity: float


class DifferingField(BaseModel):
    """A field that came out differently."""

    field: str
    logged: Any
    replayed: Any


class MadeAgain(BaseModel):
    """A decision made again now."""

    same: bool
    differing: list[DifferingField]


class BoardDecision(BaseModel):
    """A decision with its reasons."""

    decision: str
    at_ms: int
    user: TrackName
    session: str | None
    turn: int | None
    track: BoardTrackName
    strategy: str | None
    answered_by: str | None
    depth: int | None
    propensity: float | None
    experiments: dict[str, str]
    config: str | None
    forced: bool
    seat: bool
    where: str
    event: dict[str, Any]
    heard: list[HeardTrack]
    heard_count: int
    arms: list[str]
    chain: list[ChainMember]
    why: list[str]
    candidates: BoardCandidates
    draw: BoardDraw
    made_again: MadeAgain
