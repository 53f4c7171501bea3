"""Results of checks, and the validity report that they make."""

import pytest

from analysis.checks.result import CheckResult, Example, Status, ValidityReport


def check(status: Status, name: str = "lines") -> CheckResult:
    return CheckResult(
        name, "Can every line be read?", status, "3 torn", examples=(Example("a:1", "x"),)
    )


@pytest.mark.parametrize(
    ("status", "valid"),
    [
        (Status.PASSED, True),
        (Status.WARNING, True),
        (Status.UNKNOWN, True),
        (Status.NOT_MADE, True),
        (Status.FAILED, False),
    ],
)
def test_only_a_failed_check_makes_an_experiment_invalid(status: Status, valid: bool) -> None:
    validity = ValidityReport("demo", (check(Status.PASSED), check(status, "turns")))

    assert validity.valid is valid
    assert [each.name for each in validity.failed] == ([] if valid else ["turns"])
    assert validity.to_dict()["valid"] is valid


def test_a_validity_report_is_plain_json() -> None:
    described = ValidityReport("demo", (check(Status.FAILED),)).to_dict()

    assert described["checks"][0]["status"] == "failed"
    assert described["checks"][0]["examples"] == [{"where": "a:1", "what": "x"}]
