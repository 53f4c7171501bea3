"""The check `canary`: an arm that always plays one track shows in any log which arm was played."""

from collections.abc import Callable, Mapping
from functools import partial

from analysis.checks.context import CheckContext
from analysis.checks.result import EXAMPLES, CheckResult, Example, Status
from events.queries import read_query

NAME = "canary"
QUESTION = "Does every listener of a constant arm get its one track?"


def constant_arm_check(
    tracks: Mapping[str, str],
) -> Callable[[CheckContext, str], CheckResult]:
    """The check, for `run_all_checks`.

    Args:
        tracks: Arm -> id of the one track that it plays.
    """
    return partial(check_constant_arms, tracks=tracks)


def check_constant_arms(
    context: CheckContext, experiment: str, *, tracks: Mapping[str, str]
) -> CheckResult:
    """Check that each recommendation to a constant arm's listeners is the arm's track.

    Botify's own fault was found like this: the arm in its log was not the arm that it played.
    """
    shares: dict[str, dict[str, tuple[int, int]]] = {}
    for arm, track in tracks.items():
        rows = context.query(read_query("analysis", "track_by_arm"), [experiment, track])
        shares[arm] = {name: (played, answers) for name, played, answers in rows}
    known = {arm: by_arm[arm] for arm, by_arm in shares.items() if arm in by_arm}
    numbers = {"played": {arm: dict(by_arm) for arm, by_arm in shares.items()}}
    if not known:
        arms = ", ".join(tracks)
        return CheckResult(NAME, QUESTION, Status.NOT_MADE, f"no answer in {arms}", numbers=numbers)
    figure = ", ".join(
        f"{arm} {played:,} of {answers:,}" for arm, (played, answers) in known.items()
    )
    wrong = [arm for arm, (played, answers) in known.items() if played < answers]
    if not wrong:
        return CheckResult(NAME, QUESTION, Status.PASSED, figure, numbers=numbers)
    return CheckResult(
        NAME, QUESTION, Status.FAILED, figure,
        " ".join(_explain(arm, tracks[arm], shares[arm]) for arm in wrong),
        numbers, _examples(context, experiment, {arm: tracks[arm] for arm in wrong}),
    )  # fmt: skip


def _explain(arm: str, track: str, shares: Mapping[str, tuple[int, int]]) -> str:
    played, answers = shares[arm]
    others = ", ".join(
        f"{name} {got / all_of_it:.1%}"
        for name, (got, all_of_it) in sorted(shares.items())
        if name != arm
    )
    return (
        f"Listeners logged in {arm} got track {track} in {played / answers:.1%} of their answers, "
        f"and should get nothing else. Share of the track in the remaining arms: {others or 'none'}"
        ". If all arms have it alike, the logged arm is not the arm that was played: no effect of "
        "this experiment can be believed."
    )


def _examples(
    context: CheckContext, experiment: str, tracks: Mapping[str, str]
) -> tuple[Example, ...]:
    found: list[Example] = []
    for arm, track in tracks.items():
        rows = context.query(
            read_query("analysis", "other_tracks_of_arm"), [experiment, arm, track, EXAMPLES]
        )
        what = f"listener {{}} is logged in {arm} and got track {{}}, not {track}"
        found += context.examples(rows, what)
    return tuple(found[:EXAMPLES])
