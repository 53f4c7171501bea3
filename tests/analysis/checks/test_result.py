"""What gates say, and what a certificate makes of it."""

import pytest

from analysis.checks.result import CheckResult, Example, Status, ValidityReport


def gate(verdict: Status, name: str = "lines") -> CheckResult:
    return CheckResult(
        name, "Can every line be read?", verdict, "3 torn", examples=(Example("a:1", "x"),)
    )


@pytest.mark.parametrize(
    ("verdict", "valid"),
    [
        (Status.PASSED, True),
        (Status.WARNING, True),
        (Status.UNKNOWN, True),
        (Status.NOT_MADE, True),
        (Status.FAILED, False),
    ],
)
def test_only_a_failed_gate_makes_an_experiment_invalid(verdict: Status, valid: bool) -> None:
    certificate = ValidityReport("demo", (gate(Status.PASSED), gate(verdict, "turns")))

    assert certificate.valid is valid
    assert [each.name for each in certificate.failed] == ([] if valid else ["turns"])
    assert certificate.to_dict()["valid"] is valid


def test_a_certificate_is_plain_json() -> None:
    described = ValidityReport("demo", (gate(Status.FAILED),)).to_dict()

    assert described["gates"][0]["verdict"] == "failed"
    assert described["gates"][0]["examples"] == [{"where": "a:1", "what": "x"}]
