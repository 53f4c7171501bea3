"""The checks find every known fault that is injected into a clean log."""

from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import EXAMPLES, Status
from analysis.checks.suite import EXPERIMENT_CHECKS, LOG_CHECKS
from audit.injected_faults import known_faults
from audit.log_faults import CleanLog, LogFault, as_botify, new_failures
from tests.analysis.trial_log import check_log, failed, trial_log

Base = tuple[CleanLog, ArchivedConfigs]
WITH_EXAMPLES = {
    "lines",
    "duplicates",
    "turns",
    "state",
    "clock",
    "assignment",
    "served",
    "failures",
    "one-arm",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"))


def test_a_clean_log_passes_every_check(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base

    validity = check_log(clean.copy(), tmp_path, archived_configs)

    assert validity.valid
    assert [check.name for check in validity.checks] == [*LOG_CHECKS, *EXPERIMENT_CHECKS]
    statuses = {check.name: check.status for check in validity.checks if check.name != "latency"}
    assert statuses.pop("first-tracks", Status.NOT_MADE) is Status.NOT_MADE
    assert set(statuses.values()) == {Status.PASSED}


@pytest.mark.parametrize("fault", known_faults(), ids=lambda fault: fault.name.replace(" ", "-"))
def test_the_checks_find_the_fault(fault: LogFault, base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base
    before: list[str] = []
    if fault.before is not CleanLog.copy:
        before = failed(check_log(fault.before(clean), tmp_path / "before", archived_configs))

    validity = check_log(fault.inject(clean), tmp_path / "fault", archived_configs)

    found = new_failures(failed(validity), before)
    assert set(fault.found_by) <= set(found)
    for check in validity.failed:
        assert check.explanation
        assert len(check.examples) <= EXAMPLES
        if check.name in WITH_EXAMPLES:
            assert check.examples


@pytest.fixture(scope="module")
def base_of_botify_hash(tmp_path_factory: pytest.TempPathFactory) -> Base:
    def hashed(config: dict[str, Any]) -> None:
        config["experiments"][0]["hash"] = "botify"

    return trial_log(tmp_path_factory.mktemp("hashed"), 600, 300, hashed)


@pytest.mark.parametrize("fault", known_faults(), ids=lambda fault: fault.name.replace(" ", "-"))
def test_the_fault_is_found_under_the_hash_of_botify(
    fault: LogFault, base_of_botify_hash: Base, tmp_path: Path
) -> None:
    clean, archived_configs = base_of_botify_hash
    lines, without = fault.inject(clean), fault.before(clean)
    before = failed(check_log(without, tmp_path / "before", archived_configs))

    assert lines != without
    assert new_failures(failed(check_log(lines, tmp_path / "fault", archived_configs)), before)


def test_a_clean_log_in_the_form_of_botify_fails_no_check(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base

    validity = check_log(as_botify(clean), tmp_path, archived_configs)

    assert failed(validity) == []
    untold = {g.name for g in validity.checks if g.status is Status.UNKNOWN}
    assert untold == {
        "turns", "state", "config", "served", "fallback", "failures", "ids", "propensity"
    }  # fmt: skip


def test_examples_name_the_line(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base
    written = clean.copy()
    where = next(
        n for n, (_, e) in enumerate(written) if isinstance(e, dict) and e["message"] == "next"
    )
    event = written[where][1]
    assert isinstance(event, dict)
    logged = event["experiments"]["fallback"]
    other = {"C": "T1", "T1": "C"}[logged]
    event["experiments"] = {"fallback": other}

    check = check_log(written, tmp_path, archived_configs).check("assignment")

    assert check.figure == f"{len(written) - 1:,} of {len(written):,} lines agree"
    (example,) = check.examples
    assert example.where == f"{tmp_path}/events-1.jsonl:{where + 1}"
    assert example.what == (
        f"listener {event['user']} is logged in {other}, the hash gives {logged}"
    )
