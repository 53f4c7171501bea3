"""The parts that answers of several pages of the board have in common."""

from pydantic import BaseModel, Field

from app.schemas import TrackName


class BoardTrackName(BaseModel):
    """A track with its artist and title; both are empty if the catalog does not have it."""

    track: TrackName
    artist: str
    title: str


class HeardTrack(BoardTrackName):
    """A track that a listener heard."""

    time: float | None = Field(description="Share of it that was heard, in [0, 1].")
    in_session: bool | None = Field(None, description="Whether in the session of the decision.")


class LikelyTrack(BoardTrackName):
    """A candidate."""

    chance: float = Field(description="Its probability in the draw.")
    drawn: bool | None = Field(None, description="Whether it was drawn.")


class BoardInterval(BaseModel):
    """An estimate with its bounds."""

    estimate: float | None
    low: float | None
    high: float | None


class BoardExample(BaseModel):
    """A case of what a check found."""

    where: str
    what: str
