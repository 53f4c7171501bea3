"""The reward of each logged decision, as arrays."""

from dataclasses import dataclass

import numpy as np

from analysis.off_policy.estimators import Ints, encode
from analysis.statistics.sample_moments import Values
from analysis.workspace import Workspace
from core.errors import InputError
from events.reader import EventLog


@dataclass(frozen=True, slots=True, eq=False)
class LoggedRewards:
    """Decisions that have a reward; all (decisions,).

    Attributes:
        decisions: Id of a decision -> its place in the arrays.
        listeners: int64, the listener's number, 0..n-1.
        tracks: Track ids, as text.
        propensities: float64, the logged propensity of the track.
        rewards: float64, share of the track that was heard, in [0, 1].
        left_out: Reason -> number of decisions without a reward.
    """

    decisions: dict[str, int]
    listeners: Ints
    tracks: list[str]
    propensities: Values
    rewards: Values
    left_out: dict[str, int]


def logged_rewards(
    log: EventLog, first: bool = False, arm: tuple[str, str] | None = None
) -> LoggedRewards:
    """Read the decisions of a log that have a reward.

    Args:
        log: The log.
        first: Only the first decision of each session.
        arm: Only decisions in this experiment and arm.

    Raises:
        InputError: No decision has a reward.
    """
    where = ["TRUE"]
    params: list[str] = []
    if first:
        where.append("r.first")
    if arm is not None:
        where.append(
            "r.experiments IN "
            "(SELECT experiments FROM assignments WHERE experiment = ? AND arm = ?)"
        )
        params = list(arm)
    chosen = f"FROM logged_rewards AS r WHERE {' AND '.join(where)}"
    with Workspace(log, ("logged_rewards",)) as tables:
        left_out = dict(
            tables.query(
                f"SELECT why_not, count(*) {chosen} AND why_not IS NOT NULL "
                "GROUP BY 1 ORDER BY 2 DESC, 1",
                params,
            )
        )
        rows = tables.engine.arrow(
            'SELECT decision, "user", recommendation, propensity, reward '
            f"{chosen} AND why_not IS NULL ORDER BY decision",
            params,
        )
    if not len(rows):
        reasons = ", ".join(f"{count} x {reason}" for reason, count in left_out.items())
        raise InputError.one(
            "LOG",
            "must have a decision of ours with a known reward, has none"
            + (f": {reasons}" if reasons else ". Botify logged no propensities: use a log of ours"),
        )
    decisions, users, tracks = (
        rows.column(name).to_pylist() for name in ("decision", "user", "recommendation")
    )
    return LoggedRewards(
        {decision: place for place, decision in enumerate(decisions)},
        encode(users),
        tracks,
        rows.column("propensity").to_numpy().astype(np.float64),
        rows.column("reward").to_numpy().astype(np.float64),
        left_out,
    )
