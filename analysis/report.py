"""The report of a log: read it, check it, and analyse every experiment in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import ValidityReport
from analysis.checks.suite import MoreChecks, find_experiments, run_all_checks
from analysis.effects.experiments import analyse_experiment
from analysis.effects.guardrails import parse_margins
from analysis.effects.metrics import LATENCY_P99, Metric, choose_metrics
from analysis.effects.plans import ExperimentPlan, choose_plan
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import ExperimentResult, Report, ReportProvenance
from core.allocation import Experiment
from core.catalog import load_catalog
from core.errors import Faults, InputError, unknown_name
from core.progress import SILENT, Progress
from events.reader import GAP_S, EventLog, open_log
from events.sealed_plans import SealedPlan, sealed_plans_beside
from events.spark_session import SparkOptions


@dataclass(frozen=True, slots=True)
class LogSelection:
    """The part of the logs that is read, and how it is checked.

    Attributes:
        logs: Event files or folders.
        gap_s: Silence that ends a session, in seconds.
        since_ms: Only sessions that began then or later, Unix time in ms.
        until_ms: Only sessions that began before.
        catalog: Catalog file; None for that of the log's config, if it is there.
        experiments: Names of the experiments; empty for all.
        tolerated: Names of checks whose failure is accepted.
        spark: Options of the Spark session that reads the logs; None for DuckDB.
    """

    logs: Sequence[Path]
    gap_s: float = GAP_S
    since_ms: int | None = None
    until_ms: int | None = None
    catalog: Path | None = None
    experiments: Sequence[str] = ()
    tolerated: Sequence[str] = ()
    spark: SparkOptions | None = None


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """The reader's questions about every experiment of a log.

    Attributes:
        metrics: Further metrics, name -> SQL expression or mapping, as in config.
        primary: Name of the primary metric; None for that of the plan, or mean session time.
        control: Arm to compare with; None for the first of config, or C.
        all_pairs: Compare every arm with every other arm.
        segments: Attributes to divide the listeners by.
        even_if_invalid: Show effects although a check failed.
        planned: Planned listeners of all arms; takes precedence over every plan.
        plans: Experiment -> its plan in config.
        guardrails: Metric -> how much worse it may get, as in config; a metric that stands here is
            a guardrail.
    """

    metrics: Mapping[str, Any] = field(default_factory=dict)
    primary: str | None = None
    control: str | None = None
    all_pairs: bool = False
    segments: Sequence[str] = ()
    even_if_invalid: bool = False
    planned: int | None = None
    plans: Mapping[str, ExperimentPlan] = field(default_factory=dict)
    guardrails: Mapping[str, str | float] = field(default_factory=dict)

    def options_for(
        self, experiment: str, sealed: Mapping[str, Any] | None = None
    ) -> ReportOptions:
        """Resolve metrics and plan for one experiment.

        Args:
            experiment: Name of the experiment.
            sealed: The plan that it started with; {} if it had none, None if unknown.

        Raises:
            InputError: A metric is faulty or unknown.
        """
        chosen = choose_plan(self.planned, sealed, self.plans.get(experiment))
        faults = Faults()
        primary, others = choose_metrics(
            self.metrics, self.primary or chosen.plan.metric, faults, "metric"
        )
        margins = parse_margins(
            self.guardrails, (primary, *others, LATENCY_P99), faults, "report.guardrails"
        )
        faults.raise_if_any()
        return ReportOptions(
            primary,
            self._with_role(others),
            self.control,
            self.all_pairs,
            self.segments,
            self.even_if_invalid,
            margins=margins,
            plan=chosen,
        )

    def _with_role(self, metrics: Iterable[Metric]) -> list[Metric]:
        """Make a guardrail of each metric that config gives a margin."""
        return [
            replace(metric, role="guardrail") if metric.name in self.guardrails else metric
            for metric in metrics
        ]


def make_report(
    selection: LogSelection,
    request: ReportRequest,
    archived_configs: ArchivedConfigs,
    version: str,
    command: str,
    progress: Progress = SILENT,
    more: MoreChecks | None = None,
) -> Report:
    """Check a log, and analyse its experiments.

    Args:
        selection: What is read.
        request: What the reader wants to know.
        archived_configs: The configs that decided.
        version: Of Segue, for the report's provenance.
        command: The command line, for the report's provenance.
        progress: Gets the progress.
        more: Checks of the caller's own.

    Raises:
        InputError: The log or the request is faulty: a file, an experiment, an arm or a metric.
    """
    for name in selection.experiments or [""]:
        request.options_for(name)  # a faulty metric is found before the log is read
    path = selection.catalog or archived_configs.find_catalog()
    with open_log(
        selection.logs,
        gap_s=selection.gap_s,
        since_ms=selection.since_ms,
        until_ms=selection.until_ms,
        catalog=load_catalog(path) if path is not None else None,
        progress=progress,
        spark=selection.spark,
    ) as log:
        return report_of(
            log, selection, request, archived_configs, version, command, progress, more
        )


def report_of(
    log: EventLog,
    selection: LogSelection,
    request: ReportRequest,
    archived_configs: ArchivedConfigs,
    version: str,
    command: str,
    progress: Progress = SILENT,
    more: MoreChecks | None = None,
) -> Report:
    """Check a log that was read, and analyse its experiments; see `make_report`."""
    names = select_experiments(selection, find_experiments(log))
    validity_reports = run_all_checks(
        log,
        archived_configs,
        names,
        tolerated=selection.tolerated,
        progress=progress,
        more=more,
    )
    progress.start("analysing")
    results = analyse_experiments(
        log, dict(zip(names, validity_reports, strict=True)), selection.logs, request,
        archived_configs,
    )  # fmt: skip
    return Report(provenance_of(log, version, command), results)


def analyse_experiments(
    log: EventLog,
    validity_reports: Mapping[str, ValidityReport],
    logs: Sequence[Path],
    request: ReportRequest,
    archived_configs: ArchivedConfigs,
) -> tuple[ExperimentResult, ...]:
    """Analyse experiments that were checked.

    Args:
        log: The log that was read.
        validity_reports: Experiment -> the results of its checks.
        logs: Where the plans that servers sealed are found.
        request: What the reader wants to know.
        archived_configs: The configs that decided.
    """
    results, sealed_plans = [], sealed_plans_beside(logs)
    for name, validity in validity_reports.items():
        digest = find_main_config(log, name)
        definition = archived_configs.experiment(name, digest)
        sealed = _find_sealed_plan(log, name, definition, archived_configs, sealed_plans)
        options = request.options_for(name, sealed)
        types = archived_configs.strategy_types(digest)
        results.append(analyse_experiment(log, name, validity, definition, options, types))
    return tuple(results)


def provenance_of(log: EventLog, version: str, command: str) -> ReportProvenance:
    """Files, configs and dropped lines that a report is made of."""
    return ReportProvenance(
        version=version,
        command=command,
        files=log.query("SELECT path, format, lines, checksum FROM files ORDER BY file_id"),
        configs=dict(
            log.query(
                "SELECT config, CAST(sum(events) AS BIGINT) FROM config_counts "
                "GROUP BY config ORDER BY config"
            )
        ),
        dropped=log.query("SELECT reason, lines, examples FROM dropped ORDER BY reason"),
    )


def find_main_config(log: EventLog, experiment: str) -> str | None:
    """Digest of the config that decided most events of an experiment; None without a digest."""
    found = log.query(
        "SELECT c.config FROM config_counts AS c INNER JOIN assignments AS a "
        "ON c.experiments = a.experiments WHERE a.experiment = ? "
        "GROUP BY c.config ORDER BY sum(c.events) DESC, c.config LIMIT 1",
        [experiment],
    )
    return str(found[0][0]) if found else None


def _find_sealed_plan(
    log: EventLog,
    experiment: str,
    definition: Experiment | None,
    archived_configs: ArchivedConfigs,
    sealed_plans: Sequence[SealedPlan],
) -> Mapping[str, Any] | None:
    """Find the plan that an experiment started with; None if nothing kept it.

    The ledger's record comes first. A server that wrote none kept the plan in the snapshot of the
    first config that decided.
    """
    for plan in sealed_plans:
        if plan.experiment == experiment and (
            definition is None or plan.version == definition.version
        ):
            return plan.planned
    for (digest,) in log.query(
        "SELECT c.config FROM config_counts AS c INNER JOIN assignments AS a "
        "ON c.experiments = a.experiments WHERE a.experiment = ? "
        "GROUP BY c.config ORDER BY min(c.first_ms), c.config LIMIT 1",
        [experiment],
    ):
        archived = archived_configs.by_digest.get(digest)
        if archived is not None and "beside" in archived.described:
            kept: Mapping[str, Any] = archived.described["beside"]["planned"].get(experiment, {})
            return kept
    return None


def select_experiments(selection: LogSelection, known: Sequence[str]) -> list[str]:
    """Choose the experiments that were asked for, of those that have an event.

    Raises:
        InputError: An experiment is unknown, or there is none.
    """
    if not known:
        raise InputError.one(
            str(selection.logs[0]),
            "must have an event in an experiment, has none. Look at the time window and at the "
            "config of the server",
        )
    for name in selection.experiments:
        if name not in known:
            raise InputError.one("--experiment", unknown_name("experiment", name, known))
    return list(selection.experiments) or list(known)
