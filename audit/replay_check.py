"""The check `replay`: every decision of a log is made again, as one check of its certificate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from analysis.checks.context import CheckContext
from analysis.checks.result import EXAMPLES, CheckResult, Example, Status
from audit.replay_processes import ReplayJob, run_replay
from audit.replay_result import ReplayResult
from core.errors import SegueError
from core.progress import SILENT, Progress
from events.config_snapshots import snapshots_beside
from events.event_files import find_event_files
from events.spark_session import SparkOptions

NAME = "replay"
QUESTION = "Does every decision come out the same when it is made again from its id?"
MOST_EVENTS = 200_000
"""Up to so many lines the check is made unless somebody says no: some 5 seconds on one core."""
ASK = "Ask for it with --replay."


@dataclass(frozen=True, slots=True)
class ReplayFiles:
    """The files of a replay.

    Attributes:
        logs: Event files or folders.
        folders: Folders of config snapshots that are not beside the logs.
        configs: Config files that decided, or that have the data which decided.
        spark: Options of the Spark session whose executors replay; None to replay here.
    """

    logs: Sequence[Path]
    folders: Sequence[Path] = ()
    configs: Sequence[Path] = ()
    spark: SparkOptions | None = None


def replay_check(
    files: ReplayFiles, asked: bool | None, progress: Progress = SILENT
) -> Callable[[CheckContext], CheckResult]:
    """The check, for `analysis.checks.suite.run_all_checks`.

    Args:
        files: What is replayed, and by which configs.
        asked: True: make it, whatever the size. False: do not. None: make it if the log is small
            and its configs and their data are at hand.
        progress: Shows the bytes read.
    """
    return partial(_check, files=files, asked=asked, progress=progress)


def _check(
    context: CheckContext, *, files: ReplayFiles, asked: bool | None, progress: Progress
) -> CheckResult:
    """Replay the log.

    Raises:
        InputError: It was asked for, and a config that decided is not at hand.
    """
    reason = _reason_against(context, files, asked)
    if reason is not None:
        return CheckResult(NAME, QUESTION, Status.NOT_MADE, *reason)
    try:
        result = _replay(files, progress)
    except SegueError as error:
        if asked:
            raise
        faults = "; ".join(str(error).splitlines()).rstrip(".")
        explanation = (
            f"No decision was made again: {faults}. If the data lies in a new place, use `segue "
            "replay LOG --config FILE`."
        )
        return CheckResult(
            NAME, QUESTION, Status.NOT_MADE, "config or data not at hand", explanation
        )
    return _judge(result)


def _reason_against(
    context: CheckContext, files: ReplayFiles, asked: bool | None
) -> tuple[str, str] | None:
    """Say why the check is not made: (figure, explanation); None if it is made."""
    if asked is False:
        return "switched off", f"No decision was made again. {ASK}"
    if not context.ours:
        return "no decision of ours", "Only a log of Segue has what a decision was made of."
    if context.one("SELECT count(*) FROM files WHERE format = 'parquet'"):
        return "a compacted file", "Replay the event files that it was made of: `segue replay`."
    lines = int(context.one("SELECT coalesce(sum(lines), 0) FROM files"))
    if asked is None and lines > MOST_EVENTS:
        return (
            f"{lines:,} lines",
            f"A log of over {MOST_EVENTS:,} lines is replayed only on demand. {ASK}",
        )
    if asked is None and not (snapshots_beside(files.logs, files.folders) or files.configs):
        return "no config", (
            "The configs that decided are not beside the log. Name their folder with --configs."
        )
    return None


def _replay(files: ReplayFiles, progress: Progress) -> ReplayResult:
    sources = find_event_files(files.logs)
    snapshots = snapshots_beside(files.logs, files.folders)
    # The check `lines` counts lines that are no event; botify's are no fault here.
    job = ReplayJob(sources, snapshots, files.configs, EXAMPLES, counts_dropped=False)
    if files.spark is None:
        return run_replay(job, progress=progress).result
    from audit.replay_on_spark import replay_on_spark

    return replay_on_spark(job, files.spark, progress).result


def _judge(result: ReplayResult) -> CheckResult:
    skipped = result.skipped.total()
    numbers = {
        "decisions": result.decisions,
        "mismatched": result.mismatched,
        "by_arm": dict(sorted(result.mismatched_by_arm.items())),
        "skipped": dict(result.skipped),
    }
    figure = f"{result.decisions:,} decisions again"
    if result.mismatched:
        arms = ", ".join(
            f"{arm} {count:,}" for arm, count in result.mismatched_by_arm.most_common()
        )
        return CheckResult(
            NAME, QUESTION, Status.FAILED,
            f"{result.mismatched:,} of {result.events:,} events differ",
            f"By arm: {arms}. The log does not say what the server of its config decides: another "
            "program answered, lines were changed, or a strategy's code or data is not the one "
            "that its config names. `segue replay` shows each field, `segue replay --decision ID` "
            "explains one decision.",
            numbers, _examples(result),
        )  # fmt: skip
    if skipped:
        reasons = "; ".join(
            f"{count:,} x {reason}" for reason, count in result.skipped.most_common()
        )
        return CheckResult(
            NAME, QUESTION, Status.WARNING, f"{figure}, {skipped:,} could not be",
            f"All decisions that could be made again came out the same. The rest: {reasons}.",
            numbers, _examples(result),
        )  # fmt: skip
    if not result.decisions:
        return CheckResult(NAME, QUESTION, Status.NOT_MADE, "no decision", numbers=numbers)
    return CheckResult(NAME, QUESTION, Status.PASSED, f"{figure}, all the same", numbers=numbers)


def _examples(result: ReplayResult) -> tuple[Example, ...]:
    differing = [
        Example(
            each.where,
            f"{each.field} is {each.logged!r:.60} in the log, and {each.replayed!r:.60} again",
        )
        for each in result.mismatches
    ]
    missing = [Example(where, reason) for reason, where in result.examples.items()]
    return tuple((differing + missing)[:EXAMPLES])
