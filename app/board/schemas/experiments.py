"""The snapshot of all experiments, as OpenAPI describes it."""

from typing import Literal

from pydantic import BaseModel, Field

from app.board.schemas.parts import BoardExample, BoardInterval


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
