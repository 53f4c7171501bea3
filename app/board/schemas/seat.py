"""The turns of a seat and the comparison of arms, as OpenAPI describes them."""

from pydantic import BaseModel

from app.board.schemas.parts import BoardTrackName, LikelyTrack
from app.schemas import TrackName


class SeatTurn(BaseModel):
    """A turn of a seat."""

    listener: TrackName
    turn: int | None
    session: str | None
    decision: str | None
    track: BoardTrackName | None
    experiments: dict[str, str]
    config: str
    degraded: bool
    strategy: str | None = None
    answered_by: str | None = None
    depth: int | None = None
    candidates: int | None = None
    propensity: float | None = None
    took_us: float | None = None
    why: list[str] | None = None


class ComparedArm(BaseModel):
    """The proposal of an arm for the next track."""

    experiment: str | None
    arm: str | None
    strategy: str
    own: bool
    answered_by: str | None
    depth: int
    candidates: int
    first: list[LikelyTrack]
    why: list[str]
    problem: str | None


class BoardComparison(BaseModel):
    """The proposals of all arms for the next track."""

    listener: TrackName
    config: str
    arms: list[ComparedArm]
