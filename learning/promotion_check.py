"""The promotion check: whether a version may play, by what the log tells before anybody hears it.

Two questions, the cheap one first. Offline figures favour what serves, since its tracks are those
that were heard (a version that earned 2.4 times as much had 0.6 of the NDCG@10). So they only show
that lists have collapsed. The off-policy estimate is fair to
both where the log explored; elsewhere it says that it cannot tell, and a pilot must.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.suite import run_all_checks
from audit.policy_comparison import PolicyComparison, compare_policies
from audit.target_policy import TargetPolicy
from core.errors import InputError
from core.progress import SILENT, Progress
from engine.runtime import Runtime
from events.config_snapshots import snapshots_beside
from events.reader import open_log
from learning.offline_figures import OfflineFigures

COLLAPSE = 0.5
"""Part of the questions that the serving lists answer below which new lists are refused."""

Verdict = Literal["no_worse", "worse", "unclear"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one part of the check.

    Attributes:
        check: `offline`, `off_policy` or `pilot`.
        verdict: Whether the version is worse by more than the bound.
        reason: Why, as a sentence.
        figures: What it rests on.
    """

    check: Literal["offline", "off_policy", "pilot"]
    verdict: Verdict
    reason: str
    figures: dict[str, Any] = field(default_factory=dict)


def check_offline(figures: Iterable[OfflineFigures]) -> Finding:
    """Compare the lists of a version with those that serve, on the latest sessions."""
    shown, collapsed = [], []
    values: dict[str, Any] = {}
    for each in figures:
        values[each.name] = asdict(each)
        serving = "" if each.serving is None else f" (serving {each.serving:.4f})"
        shown.append(f"'{each.name}' {each.learnt:.4f}{serving}")
        if each.chance is not None and each.learnt <= each.chance:
            collapsed.append(
                f"NDCG@10 of '{each.name}' is {each.learnt:.4f}, and random lists reach "
                f"{each.chance:.4f}"
            )
        elif each.answered_serving is not None and each.answered < COLLAPSE * each.answered_serving:
            collapsed.append(
                f"'{each.name}' has lists for {each.answered:.0%} of the questions, those that "
                f"serve for {each.answered_serving:.0%}"
            )
    if collapsed:
        return Finding("offline", "worse", "; ".join(collapsed), values)
    return Finding(
        "offline",
        "no_worse",
        f"NDCG@10 on the latest sessions: {', '.join(shown) or 'no lists'}",
        values,
    )


def check_off_policy(
    logs: Sequence[Path],
    serving: Runtime,
    learnt: Runtime,
    since_ms: int,
    bound: float,
    progress: Progress = SILENT,
) -> Finding:
    """Estimate from the log what the version would earn, less what serves.

    Args:
        logs: Event files with late events.
        serving: The config as it serves.
        learnt: The config with the version.
        since_ms: Only sessions that began then or later count: no model has learnt from them.
        bound: How much worse the version may be, as a share, in [0, 1).
        progress: Shows the work.
    """
    control, treatment = (
        TargetPolicy(runtime, runtime.default, runtime.default_draw)
        for runtime in (serving, learnt)
    )
    snapshots = snapshots_beside(_folders(logs))
    try:
        if failed := _failed_checks(logs, snapshots, since_ms, progress):
            return Finding("off_policy", "unclear", fails_checks(failed))
        found = compare_policies(logs, control, treatment, snapshots, since_ms, progress)
    except InputError as error:
        return Finding(
            "off_policy", "unclear", f"the log cannot tell: {_clause(error.faults[0].what)}"
        )
    if found.doubts:
        return Finding("off_policy", "unclear", f"the log cannot tell: {_clause(found.doubts[0])}")
    return judge_lift("off_policy", found.lift, bound, "the off-policy estimate", _values(found))


def _failed_checks(
    logs: Sequence[Path], snapshots: Mapping[str, Path], since_ms: int, progress: Progress
) -> list[str]:
    """Name the checks that the late part of the log fails."""
    with open_log(logs, since_ms=since_ms, progress=progress) as log:
        [found] = run_all_checks(log, ArchivedConfigs.read(snapshots), [], progress=progress)
    return [check.name for check in found.failed]


def fails_checks(names: Iterable[str]) -> str:
    """Say that a log cannot judge a version, since it fails checks."""
    return f"the log fails its checks ({', '.join(names)}); see `segue verify`"


def judge_lift(
    check: Literal["off_policy", "pilot"],
    lift: tuple[float, float, float],
    bound: float,
    what: str,
    figures: dict[str, Any],
) -> Finding:
    """Judge a relative difference with its interval: estimate, low, high."""
    estimate, low, high = lift
    shown = f"{what} is {estimate:+.1%} [{low:+.1%}, {high:+.1%}]"
    if low >= -bound:
        return Finding(check, "no_worse", f"{shown}, no worse than by {bound:.1%}", figures)
    if high < -bound:
        return Finding(check, "worse", f"{shown}, worse by more than {bound:.1%}", figures)
    return Finding(check, "unclear", f"{shown}, which does not exclude {-bound:.1%}", figures)


def _values(found: PolicyComparison) -> dict[str, Any]:
    estimate, low, high = found.lift
    return {
        "lift": round(estimate, 5),
        "low": round(low, 5),
        "high": round(high, 5),
        "decisions": found.treatment.decisions,
        "effective": round(found.treatment.effective),
    }


def _clause(message: str) -> str:
    """Return the first sentence of a message as a part of a sentence."""
    first = message.split(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:]


def _folders(logs: Sequence[Path]) -> list[Path]:
    return list(dict.fromkeys(log if log.is_dir() else log.parent for log in logs))
