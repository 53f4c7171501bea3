"""The check of propensities: the logged propensities and candidates of every arm can be."""

from collections import Counter
from typing import Any, NamedTuple

from analysis.checks.archived_configs import ArchivedConfig
from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Status
from events.queries import read_query

UNIFORM = frozenset({"random", "top_pop", "sticky_artist", "contextual", "personal"})
"""Strategy types that propose equal weights if `draw` is `uniform`."""


class _Decisions(NamedTuple):
    """Decisions of one arm by one strategy under one config, and how many are faulty."""

    arm: str
    answered_by: str
    config: str
    decisions: int
    outside: int
    empty: int
    uneven: int
    mean: float | None


def check_propensity(context: CheckContext, experiment: str) -> CheckResult:
    """Check that propensities are in (0, 1], and 1 / candidates where the strategy is uniform."""
    name, question = "propensity", "Are the propensities and candidates of every arm possible?"
    if not context.has_ours(experiment):
        return CheckResult(
            name, question, Status.UNKNOWN, "not in the log",
            "Botify's log has no propensities, so `segue evaluate` cannot use it.",
        )  # fmt: skip
    groups = [
        _Decisions(*row)
        for row in context.query(read_query("analysis", "propensities"), {"experiment": experiment})
    ]
    faults: Counter[tuple[str, str]] = Counter()
    for each in groups:
        faults["outside (0, 1]", each.arm] += each.outside
        faults["without candidates", each.arm] += each.empty
        if _is_uniform(context.configs.by_digest.get(each.config or ""), each):
            faults["not 1 / candidates, of a uniform strategy", each.arm] += each.uneven
    total = sum(each.decisions for each in groups)
    found = {key: count for key, count in faults.items() if count}
    numbers: dict[str, Any] = {
        "decisions": total,
        "faulty": {f"{arm}: {what}": count for (what, arm), count in found.items()},
        "mean": {f"{each.arm}: {each.answered_by}": each.mean for each in groups},
    }
    if not total:
        return CheckResult(name, question, Status.NOT_MADE, "no answers", numbers=numbers)
    if not found:
        return CheckResult(name, question, Status.PASSED, f"{total:,} decisions", numbers=numbers)
    arms = {arm for _, arm in found}
    faulty = [
        f"{each.arm}\n{each.answered_by}"
        for each in groups
        if each.arm in arms
        and (
            each.outside
            or each.empty
            or (each.uneven and _is_uniform(context.configs.by_digest.get(each.config or ""), each))
        )
    ]
    rows = context.query(
        read_query("analysis", "faulty_propensities"),
        {"experiment": experiment, "faulty": faulty},
    )
    told = "; ".join(f"arm {arm}: {count:,} {what}" for (what, arm), count in found.items())
    return CheckResult(
        name, question, Status.FAILED, f"{sum(found.values()):,} of {total:,} decisions",
        f"{told}. Either these lines were changed after the decision, or something else decided. "
        "`segue evaluate` would be wrong, and so may be the arm itself: replay the log.",
        numbers, context.examples(rows, "arm {}, answered by {}: propensity {}, {} candidates"),
    )  # fmt: skip


def _is_uniform(archived: ArchivedConfig | None, decisions: _Decisions) -> bool:
    """Say whether the config says that this strategy draws evenly, in this arm too."""
    if archived is None:
        return False
    strategy = archived.described["strategies"].get(decisions.answered_by)
    if strategy is None or strategy["type"] not in UNIFORM:
        return False
    arms = [arm for each in archived.described["experiments"] for arm in each["arms"]]
    draws = [strategy.get("draw"), archived.described.get("default_draw")]
    draws += [arm.get("draw") for arm in arms if arm["name"] == decisions.arm]
    return all(draw in (None, "uniform") for draw in draws)
