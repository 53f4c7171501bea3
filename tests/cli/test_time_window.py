"""`--since` and `--until`: a log of two versions of an experiment is read one version at a time."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audit.synthetic_traffic import START_MS, SyntheticTraffic
from cli import main
from cli.time_window import window
from core.errors import InputError
from tests.service import CONFIG, loaded


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A log of an experiment and then of its version 2, and the start of version 2."""
    folder = tmp_path_factory.mktemp("versions")
    second = [{**CONFIG["experiments"][0], "version": 2}]
    with SyntheticTraffic(loaded(folder), folder / "log", seed=1) as played:
        played.play(range(60), 120)
        played.clock.at_ms += 3_600_000
        swapped = played.clock.at_ms
        played.swap(loaded(folder, experiments=second))
        played.play(range(60), 120)
    return folder / "log", datetime.fromtimestamp(swapped / 1000, UTC).isoformat()


def segue(*arguments: object) -> Result:
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(main.build(), [str(argument) for argument in arguments])


def failed(result: Result) -> set[str]:
    checks = [check for each in json.loads(result.output) for check in each["checks"]]
    return {check["name"] for check in checks if check["status"] == "failed"}


def test_two_versions_in_one_reading_are_refused(versions: tuple[Path, str]) -> None:
    log, _ = versions
    result = segue("verify", log, "--json")
    assert result.exit_code == 1
    assert {"config", "one-arm"} <= failed(result)


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_each_version_alone_is_valid(versions: tuple[Path, str], option: str) -> None:
    log, swapped = versions
    result = segue("verify", log, option, swapped, "--json")
    assert failed(result) == set()
    assert result.exit_code == 0


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_each_version_alone_is_reported(versions: tuple[Path, str], option: str) -> None:
    log, swapped = versions
    assert segue("report", log, "--json").exit_code == 1
    result = segue("report", log, option, swapped, "--json")
    assert result.exit_code == 0, result.output


def test_a_window_is_in_utc_by_default() -> None:
    assert window("2023-11-14T22:13:20", None) == (START_MS, None)
    assert window("2023-11-14T23:13:20+01:00", "2023-11-15") == (START_MS, 1_700_006_400_000)


@pytest.mark.parametrize(
    ("since", "until", "fault"),
    [
        ("yesterday", None, r"--since: must be a time as 2026-11-01 .* got 'yesterday'"),
        (None, "1", r"--until: must be a time"),
        ("2026-11-02", "2026-11-01", r"--until: must be after --since 2026-11-02, got 2026-11-01"),
    ],
    ids=["no-time", "a-number", "the-wrong-way-round"],
)
def test_a_faulty_window_is_refused(since: str | None, until: str | None, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        window(since, until)
