"""A short soak: every fault strikes once, and nothing that was acknowledged is lost."""

import json
from pathlib import Path
from typing import Any

from tests.soak.soak import SoakOptions, failed_checks, run_soak
from tests.soak.summary import figures_of

SECONDS = 20


def test_a_server_under_faults_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    outcome = run_soak(SoakOptions(tmp_path / "soak", SECONDS))

    assert outcome.problems == []
    assert outcome.starts >= 3
    assert min(outcome.struck.values()) >= 1
    assert len(outcome.ledger.acknowledged) > 1_000
    assert outcome.ledger.refusals > 0
    assert outcome.ledger.unanswered > 0
    assert outcome.ledger.repeated > 0
    assert outcome.replayed["decisions"] > 1_000
    assert ("segue verify", "valid") in figures_of(outcome)


def test_a_failed_check_counts_unless_chance_explains_it() -> None:
    def check(name: str, status: str, **numbers: Any) -> dict[str, Any]:
        return {"name": name, "status": status, "figure": "", "explanation": "", "numbers": numbers}

    checks = [
        check("passed", "passed", p=0.5),
        check("rare", "failed", p=0.2, alarms={"a day": 2e-4}),
        check("part", "failed", p=0.2, alarms={"a day": 2e-9}),
        check("watched", "failed", p=0.2, watched_p=1e-12),
        check("lines", "failed", lost={"torn": 2}),
    ]
    found = failed_checks(json.dumps([{"experiment": "one", "checks": checks}]))

    assert [each.split(": ")[1] for each in found] == ["part", "watched", "lines"]
    assert failed_checks("", "no such folder") == ["no such folder"]
