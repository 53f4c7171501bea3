"""A short soak: every fault strikes once, and nothing that was acknowledged is lost."""

from pathlib import Path

from tests.soak.soak import SoakOptions, run_soak
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
