"""`segue design`, as somebody types it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import build
from core.errors import InputError
from engine.settings.model import ExperimentSettings
from tests.logs import Plan, listening, write_ours
from tests.service import write_config


def segue(*arguments: object) -> str:
    result = CliRunner().invoke(build(), ["design", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def planned(output: str) -> dict[str, Any]:
    """The experiment as the command prints it for config.yaml."""
    (found,) = yaml.safe_load(output.partition("For config.yaml:")[2])
    return found


def test_a_plan_from_mean_and_standard_deviation(tmp_path: Path) -> None:
    output = segue("--mean", 10, "--sd", 10, "--mde", 0.5, "--per-day", 12.8)
    assert planned(output)["planned"] == {
        "listeners": 128, "metric": "session_time", "mde": 0.5, "power": 0.8, "alpha": 0.05,
    }  # fmt: skip
    assert "within 10.0 days" in output


def test_a_plan_from_a_past_log_goes_into_config(tmp_path: Path) -> None:
    write_ours(tmp_path, listening(Plan(listeners=120, days=2)))
    arms = ("--arm", "C=80", "--arm", "T1=20")
    found = planned(segue(tmp_path, "--mde", 0.1, "--salts", 8, *arms))
    settings = ExperimentSettings.model_validate(
        {**found, "arms": {"C": {"weight": 80}, "T1": {"weight": 20}}}
    )
    assert settings.planned["listeners"] > 120
    assert settings.salt is not None
    shown = json.loads(segue(tmp_path, "--mde", 0.1, "--salts", 8, "--json", *arms))
    assert shown["planned"]["listeners"] == settings.planned["listeners"]
    assert shown["salts"][0]["salt"] == settings.salt
    assert [split["unevenness"] for split in shown["salts"]] == sorted(
        split["unevenness"] for split in shown["salts"]
    )


def test_a_config_gives_arms_traffic_and_hash(tmp_path: Path) -> None:
    def predecessors(config: dict[str, Any]) -> None:
        config["experiments"][0] |= {"traffic": 0.5, "hash": "botify"}

    def ours(config: dict[str, Any]) -> None:
        config["experiments"][0]["arms"] |= {"T2": {"strategy": "popular", "weight": 0}}

    write_ours(tmp_path / "log", listening(Plan(listeners=120)))
    given = (tmp_path / "log", "--mde", 0.5, "--salts", 3, "--config")
    half, whole = (
        json.loads(segue(*given, write_config(tmp_path, change), "--per-day", 10, "--json"))
        for change in (predecessors, ours)
    )
    assert half["experiment"] == whole["experiment"] == "fallback"
    assert set(half["by_arm"]) == set(whole["by_arm"]) == {"C", "T1"}
    assert half["days"] == pytest.approx(half["listeners"] / 0.5 / 10)
    assert whole["days"] == pytest.approx(whole["listeners"] / 10)
    assert (len(half["salts"]), len(whole["salts"])) == (0, 3)


def test_a_number_of_listeners_shows_an_effect() -> None:
    found = planned(segue("--mean", 2, "--sd", 1, "--listeners", 128))["planned"]
    # Cohen 1992: 64 in each of two groups show half a standard deviation.
    assert found["mde"] == pytest.approx(0.25, abs=0.001)
    assert found["listeners"] == 128


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mde", 0.1], r"LOG: name a past log, or give both --mean and --sd"),
        (["--mean", 1, "--sd", 1], r"give either --mde, the effect, or --listeners"),
        (["--mean", 0, "--sd", 1, "--mde", 0.1], r"--mean: must not be 0"),
        (["--mean", 1, "--sd", 1, "--mde", 0.1, "--arm", "C"], r"--arm: must be NAME=WEIGHT"),
        (
            ["--mean", 1, "--sd", 1, "--mde", 0.1, "--arm", "C=1", "--arm", "C=1"],
            r"--arm: names an arm twice",
        ),
        (["nowhere", "--mde", 0.1], r"nowhere: is not there"),
    ],
    ids=["no-data", "no-effect", "mean-0", "no-weight", "arm-twice", "no-log"],
)
def test_a_plan_without_its_numbers_is_refused(arguments: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        segue(*arguments)


def test_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    write_ours(tmp_path, listening(Plan(listeners=5)))
    with pytest.raises(InputError, match=r"unknown metric 'sesion_time'"):
        segue(tmp_path, "--mde", 0.1, "--metric", "sesion_time")
