"""Every known fault, planted into a sound log, is found by the gates that are there for it."""

from pathlib import Path

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import EXAMPLES, Status
from analysis.checks.suite import EXPERIMENT_CHECKS, LOG_CHECKS
from audit.log_faults import LOG_FAULTS, CleanLog, LogFault, as_predecessor, found_by
from tests.analysis.trial_log import failed, judged, trial_log

Base = tuple[CleanLog, ArchivedConfigs]
WITH_EXAMPLES = {
    "lines",
    "duplicates",
    "turns",
    "state",
    "clock",
    "assignment",
    "served",
    "one-arm",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"))


def test_a_sound_log_passes_every_gate(base: Base, tmp_path: Path) -> None:
    sound, definitions = base

    certificate = judged(sound.copy(), tmp_path, definitions)

    assert certificate.valid
    assert [gate.name for gate in certificate.gates] == [*LOG_CHECKS, *EXPERIMENT_CHECKS]
    verdicts = {gate.name: gate.verdict for gate in certificate.gates if gate.name != "latency"}
    assert verdicts.pop("played") is Status.NOT_MADE
    assert set(verdicts.values()) == {Status.PASSED}


@pytest.mark.parametrize("mutant", LOG_FAULTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_the_fault_is_found(mutant: LogFault, base: Base, tmp_path: Path) -> None:
    sound, definitions = base
    before: list[str] = []
    if mutant.before is not CleanLog.copy:
        before = failed(judged(mutant.before(sound), tmp_path / "before", definitions))

    certificate = judged(mutant.plant(sound), tmp_path / "mutant", definitions)

    found = found_by(failed(certificate), before)
    assert set(mutant.found_by) <= set(found)
    for gate in certificate.failed:
        assert gate.says
        assert len(gate.examples) <= EXAMPLES
        if gate.name in WITH_EXAMPLES:
            assert gate.examples


def test_the_predecessors_form_of_a_sound_log_fails_no_gate(base: Base, tmp_path: Path) -> None:
    sound, definitions = base

    certificate = judged(as_predecessor(sound), tmp_path, definitions)

    assert failed(certificate) == []
    untold = {g.name for g in certificate.gates if g.verdict is Status.UNKNOWN}
    assert untold == {"turns", "state", "config", "served", "fallback"}


def test_examples_name_the_line(base: Base, tmp_path: Path) -> None:
    sound, definitions = base
    written = sound.copy()
    where = next(
        n for n, (_, e) in enumerate(written) if isinstance(e, dict) and e["message"] == "next"
    )
    event = written[where][1]
    assert isinstance(event, dict)
    logged = event["experiments"]["fallback"]
    other = {"C": "T1", "T1": "C"}[logged]
    event["experiments"] = {"fallback": other}

    gate = judged(written, tmp_path, definitions).gate("assignment")

    assert gate.figure == f"{len(written) - 1:,} of {len(written):,} lines agree"
    (example,) = gate.examples
    assert example.where == f"{tmp_path}/events-1.jsonl:{where + 1}"
    assert example.what == (
        f"listener {event['user']} is logged in {other}, the hash gives {logged}"
    )
