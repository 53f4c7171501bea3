"""What gates say, and what a certificate makes of it."""

import pytest

from analysis.checks.result import Certificate, Example, Gate, Verdict


def gate(verdict: Verdict, name: str = "lines") -> Gate:
    return Gate(name, "Can every line be read?", verdict, "3 torn", examples=(Example("a:1", "x"),))


@pytest.mark.parametrize(
    ("verdict", "valid"),
    [
        (Verdict.PASSED, True),
        (Verdict.WARNING, True),
        (Verdict.UNKNOWN, True),
        (Verdict.FAILED, False),
    ],
)
def test_only_a_failed_gate_makes_an_experiment_invalid(verdict: Verdict, valid: bool) -> None:
    certificate = Certificate("demo", (gate(Verdict.PASSED), gate(verdict, "turns")))

    assert certificate.valid is valid
    assert [each.name for each in certificate.failed] == ([] if valid else ["turns"])
    assert certificate.to_dict()["valid"] is valid


def test_a_certificate_is_plain_json() -> None:
    described = Certificate("demo", (gate(Verdict.FAILED),)).to_dict()

    assert described["gates"][0]["verdict"] == "failed"
    assert described["gates"][0]["examples"] == [{"where": "a:1", "what": "x"}]
