"""Spark writes and reads the parts that DuckDB writes and reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import ValidityReport
from analysis.checks.suite import LOG_CHECKS, run_all_checks
from analysis.effects.results import Report
from analysis.moments.moments import TABLES, Part
from analysis.moments.part_tables import check_rows, read_table, write_table
from analysis.moments.report import report_of_moments
from analysis.moments.writing import describe_part, write_part
from analysis.report import LogSelection, ReportRequest
from core.errors import InputError
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import database
from events.reader import EventLog, open_log, open_tables
from events.spark_session import SparkOptions
from segue.testing.small_world import small_catalog
from tests.analysis.moments.kept_days import alike, days_of
from tests.analysis.trial_log import trial_log
from tests.spark_local import MARKS, SPARK

pytestmark = MARKS


def keep(log: EventLog, reports: Sequence[ValidityReport], day: Path, to: Path) -> Part:
    return write_part(log, describe_part(log, reports, len(LOG_CHECKS)), (), [day], to)


def rows_of(part: Part, table: str, folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Types and rows of a table, as DuckDB reads them."""
    engine = DuckDbEngine(database(folder / f"{part.folder.parent.name}-{table}.duckdb", 200, 1))
    read_table(engine, table, [part])
    found = engine.arrow(f"SELECT * FROM kept_{table} ORDER BY ALL")
    engine.close()
    return [str(each) for each in found.schema], found.to_pylist()


def report(parts: Sequence[Part], configs: ArchivedConfigs, spark: SparkOptions | None) -> Report:
    request = ReportRequest(even_if_invalid=True, segments=("listener", "day"))
    return report_of_moments(
        LogSelection([], spark=spark), request, [part.folder for part in parts],
        lambda _: (configs, {}), "1", "x",
    )  # fmt: skip


def test_parts_of_both_engines_are_alike_and_add_up_on_both(tmp_path: Path) -> None:
    clean, configs = trial_log(tmp_path / "trial", 60, 30)
    days, catalog, parts = days_of(clean.events, tmp_path), small_catalog(), []
    for day in days:
        with open_log([day], catalog=catalog) as log:
            reports = run_all_checks(log, configs)
            parts.append(keep(log, reports, day, tmp_path / "duckdb"))
            if day == days[1]:
                of_middle = reports
    with open_log([days[1]], catalog=catalog, spark=SPARK) as log:
        on_spark = keep(log, of_middle, days[1], tmp_path / "spark")

    assert on_spark == parts[1]
    for table in TABLES:
        assert rows_of(on_spark, table, tmp_path) == rows_of(parts[1], table, tmp_path), table
    mixed = [parts[0], on_spark, parts[2]]
    expected = report(parts, configs, None)
    assert len(expected.experiments[0].validity.checks) > 25
    assert alike(report(mixed, configs, None).experiments, expected.experiments)
    assert alike(report(mixed, configs, SPARK).experiments, expected.experiments)


def test_a_folder_that_executors_do_not_share_is_named(tmp_path: Path) -> None:
    """Executors that write to disks of their own leave nothing where the driver looks."""
    engine, to = open_tables(tmp_path, 200, 1, SPARK), tmp_path / "part" / "n.parquet"
    write_table(engine, "SELECT explode(array(1, 2, 3)) AS n", to)
    engine.close()
    for written in to.glob("*.parquet"):
        written.unlink()

    with pytest.raises(InputError, match=r"all machines .* has 0 of 3 rows"):
        check_rows(to, 3)
