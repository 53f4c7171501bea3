"""Every decision in the logs of earlier versions can be replayed, in every later version."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import Status
from analysis.checks.suite import run_all_checks
from cli.main import build
from engine.config_snapshots import save_snapshot
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from events.config_snapshots import read_snapshot, snapshots_beside
from events.reader import open_log

LOGS = Path(__file__).parents[1] / "golden" / "logs" / "schema-1"
EVENTS = {"every-strategy": 452, "default-config": 116}
DIGESTS = {
    "every-strategy": {"ff2c00ddb465", "df597800d0bc", "38df8295de9b"},
    "default-config": {"9aad8acab04c"},
}
DIGESTS_IN_FORMAT_2 = {"every-strategy": "41d9d554c89e", "default-config": "56d7a342a363"}
"""Of the `config.yaml` beside each log: a release that adds keys and params leaves them alone."""


def replay(*arguments: Path | str) -> dict[str, Any]:
    result = CliRunner().invoke(build(), ["replay", "--json", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    result: dict[str, Any] = json.loads(result.stdout)
    return result


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_log_of_schema_1_replays(name: str) -> None:
    result = replay(LOGS / name / "events")

    assert result["sound"], result["mismatches"]
    assert result["events"] == EVENTS[name]
    assert set(result["configs"]) == DIGESTS[name]


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_log_that_was_moved_with_its_data_replays(name: str, tmp_path: Path) -> None:
    shutil.copytree(LOGS / name, tmp_path / "archive" / "2026")

    assert replay(tmp_path / "archive" / "2026" / "events")["sound"]


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_log_that_was_moved_alone_finds_its_data_by_a_config(name: str, tmp_path: Path) -> None:
    shutil.copytree(LOGS / name / "events", tmp_path / "events")

    result = replay(tmp_path / "events", "--config", LOGS / name / "config.yaml")

    assert result["sound"], result["mismatches"]
    assert set(result["configs"]) == DIGESTS[name]


def test_the_golden_log_has_every_kind_of_event() -> None:
    folder = LOGS / "every-strategy" / "events"
    (log,) = folder.glob("*.jsonl")
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    copies = [read_snapshot(path) for path in snapshots_beside([folder]).values()]
    types = {given["type"] for copy in copies for given in copy["strategies"].values()}
    decided = {
        copy["strategies"][event["strategy"]]["type"]
        for copy in copies
        for event in lines
        if event["message"] == "next"
    }

    assert {event["message"] for event in lines} == {"next", "heard", "last"}
    assert {"key", "n", "exclude", "attributes", "asked", "reset"} <= {k for e in lines for k in e}
    assert {name for event in lines for name in event["experiments"]} == {
        "strategies", "botify", "colours", "buttons",
    }  # fmt: skip
    assert types - decided == {"random"}, "nobody's arm; it answers when the others abstain"
    assert "random" in {event.get("answered_by") for event in lines}


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_the_checks_of_verify_read_a_log_of_schema_1(name: str) -> None:
    configs = ArchivedConfigs.read(snapshots_beside([LOGS / name / "events"]))
    with open_log([LOGS / name / "events"], threads=1) as log:
        found = run_all_checks(log, configs)

    assert {each.experiment for each in found} == {
        name for config in configs.by_digest.values() for name in config.experiments
    }
    for each in found:
        for check in ("lines", "duplicates", "turns", "assignment", "served"):
            assert each.check(check).status is Status.PASSED, (each.experiment, check)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_snapshots_of_format_1_and_of_today_describe_the_same_treatments(
    name: str, tmp_path: Path
) -> None:
    """A release in the middle of an experiment does not change what the experiment is."""
    runtime = load_runtime(load_settings(LOGS / name / "config.yaml"))
    now = save_snapshot(runtime, tmp_path).stem
    then = "38df8295de9b" if name == "every-strategy" else "9aad8acab04c"
    configs = ArchivedConfigs.read(snapshots_beside([LOGS / name / "events", tmp_path]))

    assert now == DIGESTS_IN_FORMAT_2[name]
    for experiment in configs.by_digest[then].experiments:
        before = configs.by_digest[then].treatment(experiment)
        assert configs.by_digest[now].treatment(experiment) == before
