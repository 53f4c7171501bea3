"""`segue replay`: make every decision of a log again, and compare it with the log."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from audit.archived_runtimes import runtimes_by_digest
from audit.decision_search import find_decision, find_sources
from audit.explanation import Explanation, explain
from audit.replay_processes import ReplayJob, ReplayRun, run_replay
from cli.engine_options import ConfOption, EngineOption, MasterOption, parse_engine
from cli.progress import bars
from cli.terminal import terminal
from core.errors import InputError
from engine.runtime import Runtime
from events.config_snapshots import snapshots_beside
from events.url_path import log_path


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    logs: Annotated[
        list[Path],
        typer.Argument(
            parser=log_path, help="Event files of Segue, or folders of them, or their URLs."
        ),
    ],
    configs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of config snapshots that is not beside the logs; repeatable."),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            help="A config that decided, or that has the data which decided, if the data lies in "
            "a new place; repeatable."
        ),
    ] = None,
    decision: Annotated[str | None, typer.Option(help="Explain this one decision instead.")] = None,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            help="Replay in so many processes, each a part of the listeners. Each has the data of "
            "the configs in memory.",
        ),
    ] = 1,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    conf: ConfOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make all decisions of a log again. The exit code is 1 if one differs from the log.

    It is 2 if the input is faulty, or if the data of a config has changed.
    """
    spark = parse_engine(engine, master, conf)
    sources = find_sources(logs)
    snapshots = snapshots_beside(logs, configs or ())
    if decision is not None:
        _explain(decision, logs, runtimes_by_digest(snapshots, config))
        return
    started = perf_counter()
    job = ReplayJob(sources, snapshots, config or ())
    with bars() as progress:
        if spark is None:
            run = run_replay(job, processes, progress)
        else:
            from audit.replay_on_spark import replay_on_spark

            run = replay_on_spark(job, spark, progress)
    seconds = perf_counter() - started
    if not run.result.events:
        raise InputError.one(
            str(logs[0]),
            "must have events of Segue, got none. Name a log that `segue serve` wrote",
        )
    if as_json:
        print(json.dumps(_described(run, seconds), indent=2, default=str))  # noqa: T201
    else:
        _show(run, seconds)
    if not run.result.sound:
        raise typer.Exit(1)


def _described(run: ReplayRun, seconds: float) -> dict[str, Any]:
    result = run.result
    return {
        "sound": result.sound,
        "events": result.events,
        "decisions": result.decisions,
        "mismatched": result.mismatched,
        "mismatches": [
            {
                "where": each.where,
                "decision": each.decision,
                "field": each.field,
                "logged": each.logged,
                "replayed": each.replayed,
            }
            for each in result.mismatches
        ],
        "not_replayed": dict(_by_count(result.skipped)),
        "first_at": dict(sorted(result.examples.items())),
        "answered_by": dict(_by_count(result.by_strategy)),
        "configs": dict(_by_count(result.configs)),
        "seconds": round(seconds, 3),
        "peaks_mb": run.peaks_mb,
    }


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Sort by count, then by name, so that the order does not depend on the processes."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _show(run: ReplayRun, seconds: float) -> None:
    out = terminal()
    result = run.result
    table = Table(title="Replayed", title_justify="left", title_style="bold")
    table.add_column("answered by")
    table.add_column("decisions", justify="right")
    for name, count in _by_count(result.by_strategy):
        table.add_row(name, f"{count:,}")
    out.print(table)
    if result.mismatches:
        shown = Table(title="Differences", title_justify="left", title_style="bold red")
        for column in ("where", "decision", "field", "logged", "replayed"):
            shown.add_column(column, overflow="fold")
        for each in result.mismatches:
            shown.add_row(
                each.where, each.decision, each.field, str(each.logged), str(each.replayed)
            )
        out.print(shown)
    for reason, count in _by_count(result.skipped):
        out.print(
            Text.assemble(
                (f"{count:,} not replayed", "red"),
                f": {reason}, first at {result.examples[reason]}",
            ),
            soft_wrap=True,
        )
    out.print(
        f"{result.events:,} events, {result.decisions:,} decisions, {len(result.configs)} configs "
        f"({', '.join(digest for digest, _ in _by_count(result.configs))}); "
        f"{result.events / seconds:,.0f} events a second{_memory(run.peaks_mb)}"
    )
    if result.sound:
        out.print("Every decision came out the same.", style="green")
    else:
        out.print(
            Text.assemble(
                (f"{result.mismatched:,} events differ from the log", "red"),
                f", {result.skipped.total():,} could not be replayed.",
            )
        )


def _memory(peaks_mb: Sequence[float]) -> str:
    if not peaks_mb:
        return ""
    if len(peaks_mb) == 1:
        return f", at most {peaks_mb[0]:,.0f} MB"
    return (
        f"; {len(peaks_mb)} processes, at most {sum(peaks_mb):,.0f} MB in all, "
        f"{max(peaks_mb):,.0f} MB in one"
    )


def _explain(decision: str, logs: Sequence[Path], runtime_of: Callable[[str], Runtime]) -> None:
    """Find the decision, replay its listener up to it, and explain it."""
    with bars() as progress:
        found = find_decision(decision, logs, runtime_of, progress=progress)
    explained = explain(found.event, found.history, found.runtime)
    _show_explanation(found.event, found.where, explained)


def _show_explanation(event: Mapping[str, Any], where: str, found: Explanation) -> None:
    out = terminal()
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    title = Text.assemble((f"Decision {event['decision']}", "bold"), f" at {where}")
    out.print(title, soft_wrap=True)
    out.print(
        f"  listener {event['user']}, turn {event['turn']}, session {event['session']}, "
        f"{at} UTC, config {event['config']}"
    )
    out.print(_titled("Heard", f"{found.heard_count} known listens, newest last:"))
    for track, about, time, in_session in found.heard:
        out.print(f"  {time:4.2f} of {track} {about}{'' if in_session else '  (before)'}")
    out.print("Arm", style="bold")
    for step in found.arms:
        out.print(f"  {step}")
    out.print(_titled("Chain", " -> ".join(found.chain)))
    for reason in found.why:
        out.print(f"  {reason}")
    out.print(_titled("Candidates", f"{found.candidates:,}, the most likely first:"))
    for track, about, chance in found.most_likely:
        out.print(f"  {chance:8.4%} {track} {about}")
    out.print(_titled("Draw", f"from the stream '{found.stream}':"))
    for track, about in found.tracks:
        out.print(f"  {track} {about}")
    out.print(f"  propensity of the first: {found.propensity:.4%}")
    if found.differing:
        out.print("The log differs:", style="red")
        for name, logged, replayed in found.differing:
            out.print(f"  {name}: logged {logged}, replayed {replayed}")
        raise typer.Exit(1)
    out.print("The log says the same.", style="green")


def _titled(title: str, rest: str) -> Text:
    return Text.assemble((title, "bold"), f" {rest}")
