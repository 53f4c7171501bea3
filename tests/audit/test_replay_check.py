"""The check `replay`: decisions made again are one check of a log's certificate."""

from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from analysis.checks.suite import MoreChecks, run_all_checks
from audit import replay_check as module
from audit.log_faults import CleanLog, LogLines, as_botify, hide_fallback, write
from audit.replay_check import ReplayFiles, replay_check
from core.errors import InputError
from events.reader import open_log
from tests.analysis.trial_log import EXPERIMENT, trial_log

Base = tuple[CleanLog, Path]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("played")
    return trial_log(folder, sessions=200, listeners=80)[0], folder


def checked(
    lines: LogLines, base: Base, folder: Path, asked: bool | None = None, configs: bool = True
) -> CheckResult:
    write(lines, folder)
    found = [base[1] / "log" / "configs"] if configs else []
    more = MoreChecks((replay_check(ReplayFiles([folder], found), asked),))
    with open_log([folder], threads=1) as log:
        (validity,) = run_all_checks(log, ArchivedConfigs(), [EXPERIMENT], more=more)
    return validity.check("replay")


def test_a_small_log_with_its_configs_is_replayed_without_asking(
    base: Base, tmp_path: Path
) -> None:
    clean, _ = base
    check = checked(clean.copy(), base, tmp_path)
    decisions = sum(event["message"] == "next" for event in clean.events)
    assert (check.status, check.figure) == (
        Status.PASSED, f"{decisions:,} decisions again, all the same",
    )  # fmt: skip


def test_a_hidden_fallback_is_found_and_its_arm_is_named(base: Base, tmp_path: Path) -> None:
    clean, _ = base
    check = checked(hide_fallback(clean), base, tmp_path)
    arm = clean.experiment.arms[-1].name
    assert check.status is Status.FAILED
    assert list(check.numbers["by_arm"]) == [f"{EXPERIMENT} {arm}"]
    assert f"By arm: {EXPERIMENT} {arm} " in check.explanation
    assert check.examples[0].where.startswith(f"{tmp_path}/events-1.jsonl:")
    assert check.examples[0].what.startswith("tracks is [")


def test_a_line_that_no_client_could_have_sent_is_named(base: Base, tmp_path: Path) -> None:
    lines = base[0].copy()
    place = next(n for n, (_, e) in enumerate(lines) if isinstance(e, dict) and e["time"] == 1)
    event = lines[place][1]
    assert isinstance(event, dict)
    event["time"] = 2.5
    check = checked(lines, base, tmp_path)
    assert check.status is Status.WARNING
    (example,) = [each for each in check.examples if "unusable" in each.what]
    assert example.where == f"{tmp_path}/events-1.jsonl:{place + 1}, got 2.5"
    assert example.what == "unusable line: `time` must be a share in [0, 1], or null"


def test_a_large_log_is_replayed_only_on_demand(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_EVENTS", 10)
    lines = base[0].copy()
    check = checked(lines, base, tmp_path)
    assert check.status is Status.NOT_MADE
    assert check.figure == f"{len(lines):,} lines"
    assert check.explanation.endswith("Ask for it with --replay.")
    assert checked(lines, base, tmp_path, asked=True).status is Status.PASSED
    assert checked(lines, base, tmp_path, asked=False).figure == "switched off"


def test_a_log_without_its_configs_is_not_replayed_and_says_so(base: Base, tmp_path: Path) -> None:
    lines = base[0].copy()
    check = checked(lines, base, tmp_path, configs=False)
    assert (check.status, check.figure) == (Status.NOT_MADE, "no config")
    with pytest.raises(InputError, match="has no snapshot here"):
        checked(lines, base, tmp_path, asked=True, configs=False)


def test_a_log_of_botify_has_no_decision_to_make_again(base: Base, tmp_path: Path) -> None:
    clean, folder = base
    write(as_botify(clean), tmp_path)
    more = MoreChecks((replay_check(ReplayFiles([tmp_path], [folder / "log" / "configs"]), None),))
    with open_log([tmp_path], threads=1) as log:
        (validity,) = run_all_checks(log, ArchivedConfigs(), more=more)
    assert validity.check("replay").figure == "no decision of ours"


def test_data_that_has_changed_since_is_named_and_fails_no_report(
    base: Base, tmp_path: Path
) -> None:
    clean, folder = trial_log(tmp_path / "own", sessions=20, listeners=20)[0], tmp_path / "own"
    catalog = Path(clean.archived.described["paths"]["tracks"])
    catalog.write_text("\n".join(catalog.read_text().splitlines()[:-1]))
    check = checked(clean.copy(), (clean, folder), tmp_path / "log")
    assert (check.status, check.figure) == (Status.NOT_MADE, "config or data not at hand")
    assert check.explanation.startswith(f"No decision was made again: {folder}/contextual.jsonl")
    assert "tracks are not in the catalog" in check.explanation


UNUSABLE: list[tuple[str, Any]] = [
    ("time", -0.5), ("time", "x"), ("time", None), ("user", {"a": 1}), ("user", 1.5),
    ("decision", 7), ("session", None), ("turn", "a"), ("turn", 0), ("timestamp", -5),
    ("config", None), ("message", "prev"), ("recommendation", None), ("track", {}),
    ("attributes", 3), ("exclude", 3), ("n", "x"), ("n", 2), ("experiments", None),
    ("forced", 1), ("propensity", "x"), ("candidates", None),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), UNUSABLE, ids=lambda value: str(value))
def test_every_field_of_a_wrong_kind_is_named_and_stops_no_replay(
    field: str, value: Any, base: Base, tmp_path: Path
) -> None:
    lines = base[0].copy()
    place = max(
        n
        for n, (_, e) in enumerate(lines)
        if isinstance(e, dict) and e["message"] == "next" and e["track"] is not None
    )
    event = lines[place][1]
    assert isinstance(event, dict)
    event[field] = value
    write(lines, tmp_path)
    result = module._replay(ReplayFiles([tmp_path], [base[1] / "log" / "configs"]), module.SILENT)
    named = [where for reason, where in result.examples.items() if "unusable line" in reason]
    assert len(named) == 1
    assert named[0].startswith(f"{tmp_path}/events-1.jsonl:{place + 1}, got ")
    assert result.decisions > 100
