"""OpenAPI models of the board's answers; docs/board.md explains them.

The board's process writes the answers without these models; a test compares the two.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.board.seat import SeatRequest
from app.requests import schema_of
from app.schemas import ErrorResponse, TrackName


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


class BoardProblem(BaseModel):
    """The reason for a snapshot without experiments."""

    code: Literal["no_analysis", "no_events", "faulty_log", "failed"]
    message: str


class BoardLog(BaseModel):
    """The lines that a snapshot is made of."""

    lines: int
    files: int
    until_ms: int | None = Field(description="Time of the last event in an experiment, Unix ms.")
    took_s: float = Field(description="Time that the snapshot took, in seconds.")


class BoardArm(BaseModel):
    """An arm."""

    name: str
    strategy: str | None
    strategy_type: str | None
    planned_share: float | None
    seen_share: float | None
    listeners: int
    sessions: int
    open_sessions: int
    answers: int
    mean_time: float | None = Field(description="Mean session time in tracks; null if withheld.")
    fallback_share: float | None
    failure_share: float | None
    degraded_share: float | None
    latency_ms: dict[str, float | None]


class BoardPlan(BaseModel):
    """Planned and seen listeners."""

    listeners: int | None
    source: str
    seen: int
    left: int | None
    days_left: float | None
    alpha: float
    power: float
    metric: str
    reached: bool


class BoardExample(BaseModel):
    """A case of what a check found."""

    where: str
    what: str


class BoardLight(BaseModel):
    """A check of validity."""

    name: str
    status: Literal["passed", "warning", "failed", "cannot tell", "not made"]
    question: str
    figure: str
    sentence: str
    link: str
    examples: list[BoardExample]


class BoardValidity(BaseModel):
    """All checks of an experiment."""

    valid: bool
    lights: list[BoardLight]


class BoardMetric(BaseModel):
    """A metric."""

    name: str
    label: str
    unit: str
    better: str


class BoardEffect(BaseModel):
    """An effect; see docs/statistics.md."""

    control: str
    treatment: str
    metric: BoardMetric
    role: Literal["primary", "secondary", "guardrail"]
    control_mean: float | None
    treatment_mean: float | None
    difference: BoardInterval | None
    lift: BoardInterval | None
    confidence: float | None
    method: str
    claim: Literal["up", "down"] | None
    good: bool | None
    guard: str | None
    margin: str
    note: str


class TimePoint(BaseModel):
    """The lift in a stretch of time."""

    from_ms: int
    so_far: BoardInterval | None = Field(description="Of all time so far, always-valid.")
    alone: BoardInterval | None = Field(description="Of the stretch alone.")


class OverTime(BaseModel):
    """The lift over time."""

    control: str
    treatment: str
    step_ms: int | None
    series: list[TimePoint]


class DayPoint(BaseModel):
    """The lift on a day after the listeners' entry."""

    day: int
    listeners: int
    lift: BoardInterval | None


class ByDay(BaseModel):
    """The lift by days since a listener entered."""

    control: str
    treatment: str
    series: list[DayPoint]


class ArrivalPoint(BaseModel):
    """Listeners first seen in a stretch of time, by arm."""

    from_ms: int
    listeners: dict[str, int]


class Arrivals(BaseModel):
    """Listeners by the time of their entry."""

    step_ms: int
    series: list[ArrivalPoint]


class BoardExperiment(BaseModel):
    """An experiment."""

    name: str
    question: str | None
    status: Literal["collecting", "unhealthy", "decided", "past plan"]
    reason: str
    control: str
    window: list[int] = Field(description="First and last event, Unix ms.")
    arms: list[BoardArm]
    plan: BoardPlan
    inference: Literal["fixed", "always-valid"]
    validity: BoardValidity
    withheld: bool
    verdicts: list[str]
    effects: list[BoardEffect]
    over_time: list[OverTime]
    by_day: list[ByDay]
    arrivals: Arrivals | None


class BoardSnapshot(BaseModel):
    """All experiments of a log at one moment."""

    id: str
    made_ms: int
    log: BoardLog
    problem: BoardProblem | None
    experiments: list[BoardExperiment]


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


class BoardTracks(BaseModel):
    """Tracks that were found."""

    tracks: list[BoardTrackName]
    total: int


class BoardTrack(BoardTrackName):
    """A track."""

    fields: dict[str, Any]
    lists: list[str]


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


class ServedConfig(BaseModel):
    """The config that serves."""

    config: str
    path: str | None
    since_ms: int | None = None


class FileConfig(BaseModel):
    """The config file on the disk."""

    config: str | None
    same: bool
    text: str


class ConfigDifference(BaseModel):
    """A key whose value differs."""

    key: str
    served: Any
    file: Any


class ConfigCheck(BaseModel):
    """The findings of `segue check` in the file."""

    sound: bool
    faults: list[BoardExample]
    says: list[str]


class ConfigReload(BaseModel):
    """The right to reload the config here, and the last failure."""

    allowed: bool
    token: str
    failure: str | None


class BoardConfig(BaseModel):
    """The config that serves, and the file."""

    served: ServedConfig
    file: FileConfig | None
    diff: list[ConfigDifference]
    check: ConfigCheck | None
    reload: ConfigReload | None = None


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


def described(answer: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route: its own, and errors."""
    return {200: {"model": answer}, **_ERRORS}


def described_text(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route that gives text."""
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}, **_ERRORS}


_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorResponse, "description": "The request is at fault."},
    "5XX": {"model": ErrorResponse, "description": "The board or its process is at fault."},
}


def seat_body() -> dict[str, Any]:
    """Describe the body of a seat's turn."""
    schema = schema_of(SeatRequest)
    content = {"application/json": {"schema": schema, "example": {"listener": "me"}}}
    return {"requestBody": {"required": True, "content": content}}
