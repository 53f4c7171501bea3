"""Checks of what was heard: a listener hears the track that was recommended in the turn before."""

from typing import Any, NamedTuple

from analysis.checks.context import CheckContext
from analysis.checks.parity import TOO_FEW_ARMS, comparable, heterogeneity, sum_by_arm
from analysis.checks.result import CheckResult, Example, Status

QUESTION = "Was each heard track recommended just before?"
OURS, BOTIFY = "ours", "botify"


class _Listens(NamedTuple):
    """Listens of one format that follow a recommendation.

    Attributes:
        format: `ours` or `botify`.
        followed: All of them.
        broken: Those of a track that was not recommended.
        misplaced: Broken ones whose track was recommended to the listener in a different turn.
        again: Broken ones that repeat the listen of the turn before.
    """

    format: str
    followed: int
    broken: int
    misplaced: int
    again: int

    @property
    def share(self) -> float:
        return self.broken / self.followed if self.followed else 0.0


def check_played(context: CheckContext) -> CheckResult:
    """Check that each listen is of a track that was recommended in the turn before it."""
    found = _count_listens(context)
    followed, broken = sum(each.followed for each in found), sum(each.broken for each in found)
    numbers: dict[str, Any] = {
        "followed": followed,
        "broken": broken,
        "misplaced": sum(each.misplaced for each in found),
        "again": sum(each.again for each in found),
    }
    if not followed:
        return CheckResult(
            "played", QUESTION, Status.NOT_MADE, "no listen after a recommendation", numbers=numbers
        )
    statuses = [_level(context, each) for each in found]
    status = max(statuses, key=[Status.PASSED, Status.WARNING, Status.FAILED].index)
    figure = (
        f"{broken:,} of {followed:,} listens ({broken / followed:.2%}) are of a different track"
    )
    if not broken:
        return CheckResult("played", QUESTION, status, f"{followed:,} listens", numbers=numbers)
    if status is Status.PASSED:
        return CheckResult("played", QUESTION, status, figure, numbers=numbers)
    worst = found[statuses.index(status)]
    explain = _explain_ours if worst.format == OURS else _explain_botify
    return CheckResult(
        "played", QUESTION, status, figure, explain(worst), numbers, _examples(context)
    )


def check_played_by_arm(context: CheckContext, experiment: str) -> CheckResult:
    """Compare between the arms the share of listens of a track that was not recommended.

    Where people also choose tracks (`report.own_choice`), a treatment may change how often they do.
    """
    name, question = "played-by-arm", "Is the heard track the recommended one equally often?"
    groups = sum_by_arm(context, _BY_ARM, [experiment])
    p = heterogeneity(groups)
    ratios = {group.name: group.ratio for group in groups}
    figure = ", ".join(f"{arm} {ratio:.2%} not" for arm, ratio in ratios.items())
    numbers = {"p": p, **ratios}
    if len(comparable(groups)) < 2:
        return CheckResult(name, question, Status.NOT_MADE, TOO_FEW_ARMS, numbers=numbers)
    limits = context.thresholds
    if p >= limits.alarm_p or max(ratios.values()) - min(ratios.values()) <= limits.parity_gap:
        return CheckResult(name, question, Status.PASSED, figure, numbers=numbers)
    worst = max(ratios, key=lambda arm: ratios[arm])
    explanation = (
        f"In arm {worst}, more listens are of a track that the log does not recommend than in the "
        "other arms. "
    )
    if context.configs.own_choice:
        status = Status.WARNING
        explanation += "Listeners of this app also choose tracks, so this may be the effect itself."
    else:
        status = Status.FAILED
        explanation += (
            "Something other than the logged decision plays there: a fallback that the log hides, "
            "retries without an `Idempotency-Key`, or lines that were changed. If listeners of "
            "this app also choose tracks, set `report.own_choice: true`."
        )
    return CheckResult(
        name, question, status, figure, explanation, numbers, _examples(context, experiment, worst)
    )


def _count_listens(context: CheckContext) -> list[_Listens]:
    """Count the listens of each format; whoever heard all as recommended misplaced none."""
    rows = context.query(_COUNTS)
    misplaced = dict(context.query(_MISPLACED)) if any(broken for _, _, broken, _ in rows) else {}
    return [
        _Listens(name, followed, broken, misplaced.get(name, 0), again)
        for name, followed, broken, again in rows
    ]


def _level(context: CheckContext, listens: _Listens) -> Status:
    """Judge the share: botify's only client, the simulator, plays what is recommended."""
    limits = context.thresholds
    if listens.format == BOTIFY:
        if listens.share > limits.broken_share:
            return Status.FAILED
        return Status.WARNING if listens.broken else Status.PASSED
    if listens.share > limits.not_told_share and not context.configs.own_choice:
        return Status.FAILED
    if listens.share > limits.broken_share and not context.configs.own_choice:
        return Status.WARNING
    return Status.PASSED


def _explain_ours(listens: _Listens) -> str:
    if listens.again > listens.broken / 2:
        return (
            f"{listens.again:,} of these listens repeat the listen of the turn before: the client "
            "sent a request again and played the second answer. Send an `Idempotency-Key` with "
            "each request, so that a retry gets the same answer."
        )
    if listens.misplaced > listens.broken / 2:
        return (
            f"{listens.misplaced:,} of these tracks were recommended to the same listener in a "
            "different turn. Either several servers without a shared state answer one listener, or "
            "one listener has several sessions at once. Each session here lacks part of what was "
            "heard, and the arms are not compared on what they played."
        )
    return (
        "The log does not show what made listeners hear these tracks. If they also choose tracks "
        "themselves, set `report.own_choice: true`. If not, the tracks in the log are not the "
        "tracks that were played."
    )


def _explain_botify(listens: _Listens) -> str:
    if listens.misplaced > listens.broken / 2:
        return (
            f"The simulator plays what is recommended, and {listens.misplaced:,} of these tracks "
            "were recommended to the same listener at a different moment. So the lines are there, "
            "but in the wrong order. The servers' clocks differ by more than the time between two "
            "requests, or two simulators play the same listener at once."
        )
    # Each broken listen lacks at least the line just before it, whatever the balancer did. If one
    # of two servers that took turns is missing, nearly all listens are broken, and half the lines
    # are lost.
    sure = listens.broken / (listens.followed + listens.broken)
    return (
        "The simulator plays what is recommended, so the line that recommended the track is "
        f"missing. It is sure that at least {listens.broken:,} lines are not in these files, "
        f"{sure:.0%} of all. How many more is a guess: {listens.share:.0%} of all, if a balancer "
        "spread the requests at random. Servers or workers were left out when the files were "
        "collected, or two workers of one server rotate one file. Listening times from this log "
        "are too short."
    )


def _examples(
    context: CheckContext, experiment: str | None = None, arm: str | None = None
) -> tuple[Example, ...]:
    rows = context.query(
        """SELECT file_id, line, "user", recommended, track FROM followed_listens
        WHERE broken AND ($1 IS NULL OR experiments IN (
            SELECT experiments FROM assignments WHERE experiment = $1 AND arm = $2))
        ORDER BY file_id, line LIMIT 10""",
        [experiment, arm],
    )
    return context.examples(rows, "listener {} was recommended {} and next heard {}")


_COUNTS = """SELECT CASE WHEN "schema" = 0 THEN 'botify' ELSE 'ours' END AS format,
    count(*), count(*) FILTER (WHERE broken), count(*) FILTER (WHERE again)
FROM followed_listens GROUP BY format ORDER BY format"""

_MISPLACED = """SELECT CASE WHEN "schema" = 0 THEN 'botify' ELSE 'ours' END AS format, count(*)
FROM followed_listens
WHERE broken AND ("user", track) IN (
    SELECT "user", recommendation FROM events WHERE recommendation IS NOT NULL)
GROUP BY format"""

_BY_ARM = """SELECT a.arm, f."user", count(*) FILTER (WHERE f.broken) AS x, count(*) AS y
FROM followed_listens AS f INNER JOIN assignments AS a ON f.experiments = a.experiments
WHERE a.experiment = $1 GROUP BY a.arm, f."user" """
