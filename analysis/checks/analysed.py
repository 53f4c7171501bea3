"""Checks of who is analysed: whoever the effects leave out must be alike in all arms."""

from collections.abc import Mapping
from dataclasses import replace

from analysis.checks.arm_counts import (
    NO_CONFIG,
    compare_parts,
    count_by_arm,
    drop_empty_arms,
    list_counts,
    name_parts,
    planned_shares,
    watch,
)
from analysis.checks.context import CheckContext
from analysis.checks.parity import TOO_FEW_ARMS, abandoned_before, compare_shares, sum_by_arm
from analysis.checks.result import CheckResult, Status
from analysis.statistics.concentration import is_heavy
from analysis.statistics.sample_ratio import sample_ratio_p
from events.queries import read_query


def check_analysed_ratio(context: CheckContext, experiment: str) -> CheckResult:
    """Compare the listeners whom the effects count: once, over time, and by part.

    The checks above count everybody with an event. The effects count those with an ended session;
    if an arm decides who that is, the arms are not compared on the same kind of listeners. Each of
    the three tests gets a third of the alarm's p (Bonferroni).
    """
    question = "Does every arm have its planned share of the analysed listeners?"
    seen = count_by_arm(context, experiment, "analysed")
    arms, weights = drop_empty_arms(*planned_shares(context, experiment))
    if not arms:
        return CheckResult("analysed-ratio", question, Status.UNKNOWN, list_counts(seen), NO_CONFIG)
    if len(arms) < 2:
        return CheckResult("analysed-ratio", question, Status.NOT_MADE, TOO_FEW_ARMS)
    if not seen.total():
        return CheckResult(
            "analysed-ratio", question, Status.NOT_MADE, "no listener with an ended session"
        )
    counts = {arm: seen[arm] for arm in arms}
    p = sample_ratio_p(list(counts.values()), weights)
    watched, _ = watch(context, experiment, "analysed", arms, weights)
    parts, tested = compare_parts(context, experiment, "analysed", arms, weights)
    alarm_p = context.thresholds.alarm_p / 3
    alarms = {part: p for part, p in tested.items() if p * len(tested) < alarm_p}
    numbers = {"listeners": counts, "weights": dict(zip(arms, weights, strict=True)), "p": p,
               "watched_p": watched, "tested": len(tested), "alarms": alarms}  # fmt: skip
    figure = f"{list_counts(counts)}; p = {min(p, watched):.3g}"
    if min(p, watched) >= alarm_p and not alarms:
        return CheckResult("analysed-ratio", question, Status.PASSED, figure, numbers=numbers)
    named = f"{name_parts(parts, alarms)}. " if alarms else ""
    return CheckResult(
        "analysed-ratio", question, Status.FAILED, figure,
        f"{named}The effects do not count the listeners of all arms alike. `left-out` says who is "
        "missing, and why; the missing listeners differ from the rest.",
        numbers,
    )  # fmt: skip


def check_left_out(context: CheckContext, experiment: str) -> CheckResult:
    """Check that the effects leave out equally many listeners of every arm."""
    params = {"experiment": experiment, "before_ms": abandoned_before(context)}
    query = read_query("analysis", "listeners_left_out")
    result = compare_shares(
        context, "left-out", "Do the effects leave out equally many listeners of every arm?",
        sum_by_arm(context, query, params),
        "The effects leave out more listeners of one arm, so they compare listeners who differ in "
        "more than their arm.",
        nobody="nobody came early enough to have an ended session",
    )  # fmt: skip
    reasons = context.query(
        f"SELECT arm, reason, count(*) FROM ({query.rstrip().rstrip(';')}) "  # noqa: S608
        "WHERE reason IS NOT NULL GROUP BY ALL ORDER BY ALL",
        params,
    )
    by_arm: dict[str, dict[str, int]] = {}
    for arm, reason, count in reasons:
        by_arm.setdefault(arm, {})[reason] = count
    result = replace(result, numbers={**result.numbers, "reasons": by_arm})
    if result.status not in (Status.FAILED, Status.WARNING):
        return result
    named = ", ".join(f"{arm} {count:,} ({reason})" for arm, reason, count in reasons)
    return replace(result, explanation=f"{result.explanation} Left out: {named}.")


def check_staying(context: CheckContext, experiment: str) -> CheckResult:
    """Check that, after the entry, equally few turns carry no arm of the experiment.

    Such a turn gets the default strategy, because the client left out the attribute that targeting
    asks for. The turn counts for the arm all the same. If the arms differ, the client decides by
    what the arm did, and the effect is not that of the strategies alone.
    """
    result = compare_shares(
        context, "staying", "Do listeners stay in the experiment equally, in every arm?",
        sum_by_arm(
            context, read_query("analysis", "turns_outside"), {"experiment": experiment}
        ),
        "Listeners of one arm leave the experiment more often: more of their turns carry no arm, "
        "and the default strategy answers those. The client probably leaves out an attribute of "
        "`targeting` after what that arm does. Send the attribute with every request.",
        nobody="nobody entered",
    )  # fmt: skip
    if result.status is Status.FAILED and _are_close(_shares_of(result)):
        return replace(
            result,
            status=Status.WARNING,
            explanation="The shares differ, by less than a third of the larger one. Attributes "
            "that come and go in every arm look like this if the sessions of one arm are longer.",
        )
    return _with_examples(
        context, experiment, result, "turns_outside_examples", "listener {}, turn {}: no arm"
    )


def check_empty_sessions(context: CheckContext, experiment: str) -> CheckResult:
    """Check that sessions without a recommendation are equally rare in every arm.

    Such a session counts for no arm. A client that sends the end of a session a second time,
    without an idempotency key, makes one.
    """
    result = compare_shares(
        context,
        "empty-sessions",
        "Are sessions without a recommendation equally rare in every arm?",
        sum_by_arm(context, read_query("analysis", "empty_sessions"), {"experiment": experiment}),
        "One arm has more sessions without a recommendation. They count for no arm, but something "
        "treats the arms differently: a client that sends the end of a session twice, or lines "
        "that are lost. Send an `Idempotency-Key` with every report.",
        nobody="no sessions",
    )
    return _with_examples(
        context, experiment, result, "empty_sessions_examples", "listener {}: session of {} events"
    )


def check_heavy_listener(context: CheckContext, experiment: str) -> CheckResult:
    """Name a listener who holds much of an arm's sessions or answers, as a robot does."""
    question = "Does no single listener hold much of an arm?"
    rows = context.query(read_query("analysis", "heaviest_listeners"), {"experiment": experiment})
    if not rows:
        return CheckResult("heavy-listener", question, Status.NOT_MADE, "no ended sessions")
    numbers = {arm: {"listener": user, "share": share, "of": what}
               for arm, _, user, share, what in rows}  # fmt: skip
    figure = ", ".join(f"{arm} {share:.1%}" for arm, _, _, share, _ in rows)
    held = [
        f"listener {user} holds {share:.0%} of {arm}'s {what}"
        for arm, listeners, user, share, what in rows
        if is_heavy(share, listeners)
    ]
    if not held:
        return CheckResult("heavy-listener", question, Status.PASSED, figure, numbers=numbers)
    sentence = "; ".join(held)
    return CheckResult(
        "heavy-listener", question, Status.WARNING, figure,
        f"{sentence[0].upper()}{sentence[1:]}. No ratio of totals supports a claim then; means by "
        "listener do. If it is a robot, leave its events out.",
        numbers,
    )  # fmt: skip


def _shares_of(result: CheckResult) -> dict[str, float]:
    return {arm: share for arm, share in result.numbers.items() if arm != "p"}


def _are_close(shares: Mapping[str, float]) -> bool:
    """Say whether shares outside differ by no more than honest logs do.

    Listeners whose attribute comes and goes enter late, so they weigh more where sessions are long.
    With a third of such listeners, and sessions a third longer in T1, 12 honest logs had 15.1 % and
    16.8 % on average. A fault in one arm leaves the share of another far below.
    """
    return min(shares.values()) > 2 / 3 * max(shares.values())


def _with_examples(
    context: CheckContext, experiment: str, result: CheckResult, query: str, what: str
) -> CheckResult:
    """Add examples from the arm with the largest share, if the check failed."""
    if result.status is not Status.FAILED:
        return result
    shares = _shares_of(result)
    worst = max(shares, key=lambda arm: shares[arm])
    params = {"experiment": experiment, "arm": worst}
    examples = context.find_examples(read_query("analysis", query), params, what)
    return replace(result, examples=examples)
