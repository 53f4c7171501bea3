"""The doctor: examines the server that a config describes, step by step, without a log."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

from analysis.statistics.sample_ratio import sample_ratio_p
from audit.aa_test import mean_session_times, run_aa_test
from audit.arm_checks import arm_shares, listener_ids, sample_arms, sample_listeners
from audit.canary import run_canaries
from audit.fault_detection import FaultDetector
from audit.injected_faults import (
    FaultFinding,
    count_steps,
    failures_without_fault,
    inject_all,
)
from audit.log_faults import CleanLog
from audit.synthetic_traffic import SyntheticTraffic, isolated_experiment
from core.progress import Progress
from engine.runtime import Runtime, load_runtime
from events.reader import open_log

IDS = 100_000
SAMPLED = 200
TRIAL_LISTENERS = 800
TRIAL_SESSIONS = 2500
SHARES_ALARM = 1e-6
"""p below which shares are a fault. The ids never change: one salt in a million fails by luck."""


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """Options of an examination.

    Attributes:
        listeners: Listeners that ask the canary over HTTP, a count.
        salts: Splits of the A/A test, a count.
        logs: Recorded logs for the A/A test; synthetic traffic if there are none.
    """

    listeners: int = 3000
    salts: int = 1000
    logs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class DoctorStep:
    """The result of one step.

    Attributes:
        name: Name of the step.
        question: The question that the step answers.
        figure: The result in short.
        faults: A sentence for each fault found.
        columns, rows: A table; empty if the step has none.
        seconds: Wall time of the step.
    """

    name: str
    question: str
    figure: str
    faults: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    seconds: float = 0.0


def examine(
    runtime: Runtime, options: DoctorOptions, folder: Path, progress: Progress
) -> Iterator[DoctorStep]:
    """Run the steps in order.

    Args:
        runtime: The loaded config to examine.
        options: Sizes of the steps.
        folder: Empty folder for the logs of canaries and synthetic traffic.
        progress: Shows each step.
    """
    canary = partial(_check_canary, runtime, folder / "canary", options.listeners, progress)
    for step in (
        canary,
        partial(_check_arms, runtime, progress),
        partial(_check_shares, runtime, progress),
    ):
        yield _time(step)
    progress.start("a trial run")
    experiment, settings = isolated_experiment(runtime.settings)
    isolated = load_runtime(settings, runtime.artifacts)
    with SyntheticTraffic(isolated, folder / "trial", plain=True) as traffic:
        traffic.play(listener_ids(isolated, TRIAL_LISTENERS), TRIAL_SESSIONS)
    logs = list(options.logs) or [folder / "trial"]
    yield _time(partial(_check_p_values, logs, experiment.name, options.salts, progress))
    yield _time(partial(_check_fault_detection, folder, experiment.name, isolated, progress))


def _time(step: Callable[[], DoctorStep]) -> DoctorStep:
    began = perf_counter()
    result = step()
    return replace(result, seconds=perf_counter() - began)


def _check_canary(runtime: Runtime, folder: Path, listeners: int, progress: Progress) -> DoctorStep:
    progress.start("canary", listeners)

    def users() -> Iterator[int]:
        for listener in range(listeners):
            progress.advance()
            yield listener

    report = run_canaries(runtime.settings, runtime.catalog, folder, users())
    faults = [f"nobody was in {place}" for place in report.missing]
    if report.disagreeing:
        faults = [f"{report.disagreeing:,} listeners disagree", *report.wrong, *faults]
    return DoctorStep(
        "canary",
        "Is the played arm the arm in the response and in the log?",
        f"{report.listeners - report.disagreeing:,} of {report.listeners:,} agree",
        tuple(faults),
        ("arm", "listeners"),
        tuple((place, f"{count:,}") for place, count in sorted(report.by_arm.items())),
    )


def _check_arms(runtime: Runtime, progress: Progress) -> DoctorStep:
    progress.start("arms")
    samples, faults = sample_arms(runtime, sample_listeners(runtime, SAMPLED))
    return DoctorStep(
        "arms",
        "Does every arm answer by its own strategy, and differently from the other arms?",
        f"{len(samples)} arms, {SAMPLED} listeners",
        tuple(faults),
        ("arm", "strategy", "answers itself", "fewest candidates"),
        tuple(
            (
                f"{sample.experiment} {sample.arm}",
                sample.strategy,
                f"{sample.own / sample.listeners:.0%}",
                f"{sample.smallest:,}",
            )
            for sample in samples
        ),
    )


def _check_shares(runtime: Runtime, progress: Progress) -> DoctorStep:
    experiments = runtime.allocation.experiments
    progress.start("shares", len(experiments))
    rows: list[tuple[str, ...]] = []
    faults: list[str] = []
    for experiment in experiments:
        arms, counts, planned = arm_shares(runtime, experiment, IDS)
        for arm, count, share in zip(arms, counts, planned, strict=True):
            # An arm without traffic has a share of 0, or a rounding error above it.
            if count or share > 1e-9:
                rows.append((f"{experiment.name} {arm}", *_share_cells(count, share)))
        p = sample_ratio_p(counts, [max(0.0, round(share, 12)) for share in planned])
        if p < SHARES_ALARM:
            faults.append(
                f"{experiment.name}: counts this far from the planned shares have p = {p:.2g}"
            )
        progress.advance()
    return DoctorStep(
        "shares",
        f"Do {IDS:,} ids fall into the arms as the config says?",
        f"{len(experiments)} experiments",
        tuple(faults),
        ("arm", "planned", "got", "off by", "in standard errors"),
        tuple(rows),
    )


def _share_cells(count: int, share: float) -> tuple[str, ...]:
    standard_error = (share * (1 - share) / IDS) ** 0.5
    off = count / IDS - share
    errors = f"{off / standard_error:+.1f}" if standard_error else "0"
    return f"{share:.3%}", f"{count / IDS:.3%}", f"{off:+.3%}", errors


def _check_p_values(
    logs: list[Path], experiment: str, salts: int, progress: Progress
) -> DoctorStep:
    progress.start("A/A")
    with open_log(logs) as log:
        values = mean_session_times(log)
    result = run_aa_test(values, experiment, salts)
    fault = "the p-values are not uniform, so the false-positive rate is not 5 %"
    return DoctorStep(
        "a/a",
        "Are the p-values uniform if nothing differs?",
        f"{salts:,} salts over {result.listeners:,} listeners: {result.rejected:.1%} below 0.05, "
        f"uniform p = {result.uniform_p:.2g}",
        () if result.sound else (fault,),
    )


def _check_fault_detection(
    folder: Path, experiment: str, runtime: Runtime, progress: Progress
) -> DoctorStep:
    progress.start("planted faults", count_steps())
    detector = FaultDetector(folder, experiment, runtime)
    clean = detector.clean_log()
    before = failures_without_fault(detector, clean, progress)
    findings = list(inject_all(detector, clean, before, runtime, folder, progress))
    missed = [finding for finding in findings if finding.is_missed]
    faults = [f"nothing finds that {finding.what}" for finding in missed]
    unplanted = [finding.name for finding in findings if finding.not_planted]
    faults += [
        f"the fault '{name}' could not be planted: it changes nothing in the log of this config, "
        "so the checks for it were not tested"
        for name in unplanted
    ]
    if before[CleanLog.copy]:
        faults.insert(0, f"a sound log fails already: {', '.join(before[CleanLog.copy])}")
    return DoctorStep(
        "planted faults",
        "Is every known fault found, and by which check?",
        _found_figure(findings),
        tuple(faults),
        ("fault", "what goes wrong", "found by"),
        tuple((finding.name, finding.what, _found_by(finding)) for finding in findings),
    )


def _found_figure(findings: Sequence[FaultFinding]) -> str:
    """Count the faults found among those planted; count apart those that were not planted."""
    planted = [f for f in findings if not (f.not_applicable or f.not_planted)]
    figure = f"{sum(bool(f.found_by) for f in planted)} of {len(planted)} found"
    excluded = sum(bool(f.not_applicable) for f in findings)
    unplanted = sum(f.not_planted for f in findings)
    figure += f", {excluded} cannot happen here" if excluded else ""
    return figure + (f", {unplanted} could not be planted" if unplanted else "")


def _found_by(finding: FaultFinding) -> str:
    if finding.not_planted:
        return "not planted: the log would be the same"
    if finding.not_applicable:
        return f"cannot happen here: {finding.not_applicable}"
    return ", ".join(finding.found_by) or "nothing"
