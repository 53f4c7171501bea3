"""`segue doctor`: prove the pipeline, from the config to the gates, before an experiment starts."""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.progress import Bars, bars

if TYPE_CHECKING:
    from engine.runtime import Runtime

IDS = 100_000
SAMPLED = 200
TRIAL_LISTENERS = 800
TRIAL_SESSIONS = 2500
SHARES_ALARM = 1e-6
"""p below which shares are off: the ids are always the same, so one salt in a million is."""


@dataclass(slots=True)
class DoctorStep:
    """What one examination found.

    Attributes:
        name: In a table.
        asks: What was asked.
        figure: What was found, in short.
        faults: A sentence for each thing that is wrong.
        columns, rows: A table, where there is one.
    """

    name: str
    asks: str
    figure: str = ""
    faults: list[str] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    seconds: float = 0.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    config: Annotated[Path, typer.Option("--config", help="The config file.")] = Path(
        "config.yaml"
    ),
    listeners: Annotated[
        int, typer.Option(min=100, help="Listeners that ask the canary, over HTTP.")
    ] = 3000,
    salts: Annotated[int, typer.Option(min=50, help="Splits of the A/A test.")] = 1000,
    log: Annotated[
        list[Path] | None,
        typer.Option(help="A recorded log for the A/A test; one is made up otherwise; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine the server that a config describes; no log is needed.

    Serves canaries over HTTP, asks every arm, counts shares, splits listeners by many salts, and
    plants known faults to see which gate finds them. Ends with 1 if anything is wrong.
    """
    from engine.runtime import load_runtime
    from engine.settings.loading import load_settings

    runtime = load_runtime(load_settings(config))
    found: list[DoctorStep] = []
    out = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="segue-doctor-") as folder, bars() as progress:
        for examine in _examinations(runtime, Path(folder), listeners, salts, log, progress):
            started = perf_counter()
            part = examine()
            part.seconds = perf_counter() - started
            found.append(part)
            if not as_json:
                _show(part, out)
    sick = [part.name for part in found if part.faults]
    if as_json:
        print(json.dumps({"sound": not sick, "parts": [_plain(p) for p in found]}, indent=2))  # noqa: T201
    elif sick:
        out.print(f"[red]Not sound[/red]: {', '.join(sick)}.")
    else:
        out.print(f"[green]Sound[/green], in {sum(part.seconds for part in found):.0f} s.")
    if sick:
        raise typer.Exit(1)


def _examinations(
    runtime: "Runtime",
    folder: Path,
    listeners: int,
    salts: int,
    log: list[Path] | None,
    progress: Bars,
) -> Iterator[Callable[[], DoctorStep]]:
    from audit.synthetic_traffic import SyntheticTraffic, isolated_experiment
    from engine.runtime import load_runtime

    yield lambda: _canary(runtime, folder / "canary", listeners, progress)
    yield lambda: _arms(runtime, progress)
    yield lambda: _shares(runtime, progress)
    progress.start("a trial run")
    experiment, settings = isolated_experiment(runtime.settings)
    alone = load_runtime(settings, runtime.catalog)
    with SyntheticTraffic(alone, folder / "trial", plain=True) as trial:
        trial.play(_users(alone), TRIAL_SESSIONS)
    yield lambda: _splits(log or [folder / "trial"], experiment.name, salts, progress)
    yield lambda: _faults(folder, experiment.name, alone, progress)


def _canary(runtime: "Runtime", folder: Path, listeners: int, progress: Bars) -> DoctorStep:
    from audit.canary import run_canaries

    progress.start("canary", listeners)
    part = DoctorStep("canary", "Is the arm that is played the arm that is told and logged?")

    def asking() -> Iterator[int]:
        for listener in range(listeners):
            progress.advance()
            yield listener

    flight = run_canaries(runtime.settings, runtime.catalog, folder, asking())
    part.columns = ("arm", "listeners")
    part.rows = [(place, f"{count:,}") for place, count in sorted(flight.by_arm.items())]
    part.figure = f"{flight.listeners - flight.disagreeing:,} of {flight.listeners:,} agree"
    if flight.disagreeing:
        part.faults = [f"{flight.disagreeing:,} listeners disagree", *flight.wrong]
    part.faults += [f"nobody was in {place}" for place in flight.missing]
    return part


def _arms(runtime: "Runtime", progress: Bars) -> DoctorStep:
    from audit.arm_checks import sample_arms, sample_listeners

    progress.start("arms")
    part = DoctorStep("arms", "Does every arm answer for itself, and differently from the others?")
    samples, part.faults = sample_arms(runtime, sample_listeners(runtime, SAMPLED))
    part.columns = ("arm", "strategy", "answers itself", "fewest candidates")
    part.rows = [
        (f"{each.experiment} {each.arm}", each.strategy, f"{each.own / each.listeners:.0%}",
         f"{each.smallest:,}")
        for each in samples
    ]  # fmt: skip
    part.figure = f"{len(samples)} arms, {SAMPLED} listeners"
    return part


def _shares(runtime: "Runtime", progress: Bars) -> DoctorStep:
    from analysis.statistics.sample_ratio import sample_ratio_p
    from audit.arm_checks import arm_shares

    experiments = runtime.allocation.experiments
    progress.start("shares", len(experiments))
    part = DoctorStep("shares", f"Do {IDS:,} ids fall into the arms as the config says?")
    part.columns = ("arm", "planned", "got", "off by", "in standard errors")
    for experiment in experiments:
        arms, seen, planned = arm_shares(runtime, experiment, IDS)
        for arm, count, share in zip(arms, seen, planned, strict=True):
            error = (share * (1 - share) / IDS) ** 0.5
            off = count / IDS - share
            if count or share > 1e-9:
                part.rows.append(
                    (f"{experiment.name} {arm}", f"{share:.3%}", f"{count / IDS:.3%}",
                     f"{off:+.3%}", f"{off / error:+.1f}" if error else "0")
                )  # fmt: skip
        p = sample_ratio_p(seen, [max(0.0, round(share, 12)) for share in planned])
        if p < SHARES_ALARM:
            part.faults.append(f"{experiment.name}: p = {p:.2g} of falling so far from its shares")
        progress.advance()
    part.figure = f"{len(experiments)} experiments"
    return part


def _splits(logs: list[Path], experiment: str, salts: int, progress: Bars) -> DoctorStep:
    from audit.aa_test import mean_times, run_aa_test
    from events.reader import open_log

    progress.start("A/A")
    part = DoctorStep("a/a", "Are the p-values uniform when nothing differs?")
    with open_log(logs) as log:
        values = mean_times(log)
    splits = run_aa_test(values, experiment, salts)
    part.figure = (
        f"{salts:,} salts over {splits.listeners:,} listeners: {splits.rejected:.1%} below 0.05, "
        f"uniform p = {splits.uniform_p:.2g}"
    )
    if not splits.sound:
        part.faults.append("the p-values are not uniform, so 5 % is not the rate of false alarms")
    return part


def _faults(folder: Path, experiment: str, runtime: "Runtime", progress: Bars) -> DoctorStep:
    """Plant every known fault, into copies of the trial's log and into servers of canaries."""
    from audit.canary import run_canaries
    from audit.fault_detection import FaultDetector
    from audit.log_faults import (
        LOG_FAULTS,
        REPLAY_FAULTS,
        CleanLog,
        FaultNotApplicable,
        new_failures,
    )
    from audit.server_faults import SERVER_FAULTS

    befores = list(dict.fromkeys([CleanLog.copy, *(fault.before for fault in LOG_FAULTS)]))
    progress.start(
        "planted faults",
        len(befores) + len(LOG_FAULTS) + len(REPLAY_FAULTS) + len(SERVER_FAULTS) + 1,
    )
    part = DoctorStep("planted faults", "Is every known fault found, and by what?")
    part.columns = ("fault", "what goes wrong", "found by")
    judge = FaultDetector(folder, experiment, runtime)
    clean = judge.clean_log()
    before: dict[Any, list[str]] = {}
    for kind in befores:
        before[kind] = judge.failing_checks(kind(clean), f"before {kind.__name__}")
        progress.advance()
    before[CleanLog.copy] += [] if judge.replays(clean.copy(), "again") else ["replay"]
    progress.advance()
    if before[CleanLog.copy]:
        part.faults.append(f"a sound log fails already: {', '.join(before[CleanLog.copy])}")

    def note(name: str, what: str, found: list[str]) -> None:
        part.rows.append((name, what, ", ".join(found) or "nothing"))
        if not found:
            part.faults.append(f"nothing finds that {what}")
        progress.advance()

    for fault in (*LOG_FAULTS, *REPLAY_FAULTS):
        try:
            planted = fault.inject(clean)
        except FaultNotApplicable as reason:
            part.rows.append((fault.name, fault.what, f"cannot happen here: {reason}"))
            progress.advance()
            continue
        if fault in REPLAY_FAULTS:
            failed = [] if judge.replays(planted, fault.name) else ["replay"]
        else:
            failed = judge.failing_checks(planted, fault.name)
        note(fault.name, fault.what, new_failures(failed, before[fault.before]))
    for name, what, plant in SERVER_FAULTS:
        flight = run_canaries(runtime.settings, runtime.catalog, folder / name, range(200), plant)
        note(name, what, ["canary"] if flight.disagreeing else [])
    part.figure = f"{len(part.rows) - len(part.faults)} of {len(part.rows)} found"
    return part


def _users(runtime: "Runtime") -> list[int | str]:
    from audit.arm_checks import listener_ids

    return listener_ids(runtime, TRIAL_LISTENERS)


def _show(part: DoctorStep, out: Console) -> None:
    colour, word = ("red", "not sound") if part.faults else ("green", "sound")
    out.print(
        f"[bold]{part.name}[/bold] [{colour}]{word}[/{colour}] {part.asks} {part.figure} "
        f"[dim]{part.seconds:.1f} s[/dim]"
    )
    for fault in part.faults:
        out.print(f"  [red]{fault}[/red]", soft_wrap=True)
    if part.rows:
        table = Table(*part.columns, box=None, padding=(0, 2))
        for row in part.rows:
            table.add_row(*row)
        out.print(table)
    out.print()


def _plain(part: DoctorStep) -> dict[str, Any]:
    return {
        "name": part.name,
        "asks": part.asks,
        "sound": not part.faults,
        "figure": part.figure,
        "faults": part.faults,
        "table": [dict(zip(part.columns, row, strict=True)) for row in part.rows],
        "seconds": round(part.seconds, 2),
    }
