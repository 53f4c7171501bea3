"""`segue evaluate` against the simulator, where what it estimates can be played."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import build
from core.errors import InputError
from events import reader
from simulator.recommenders.in_process import load_in_process
from tests import needs
from tests.logs import Plan, listening, write_botify
from tests.played import configured, play

TARGETS = ("contextual", "popular", "personal")


def first_rewards(folder: Path) -> np.ndarray:
    """Time heard of the first recommendation of each session."""
    with reader.open_log([folder], threads=1) as log:
        rows = log.query(
            'SELECT h."time" FROM events AS h JOIN (SELECT "user", session, min(turn) AS turn '
            'FROM events GROUP BY ALL) AS o ON h."user" = o."user" AND h.session = o.session '
            "WHERE h.turn = o.turn + 1"
        )
    return np.array(rows, dtype=np.float64)[:, 0]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logged")
    play(load_in_process(configured(folder, "mixed")), folder / "log", episodes=900, seed=1)
    return folder


def segue(*arguments: object) -> str:
    result = CliRunner().invoke(build(), ["evaluate", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_the_intervals_cover_the_rewards_of_played_strategies(logged: Path, tmp_path: Path) -> None:
    # The first recommendation of a session meets the same listeners whatever serves them, so what
    # a strategy earns there can be played. What was played has a standard error of its own, at most
    # 0.01 here; the interval may miss it by twice that. All is fixed by seeds.
    config = configured(tmp_path, "mixed")
    named = [part for name in TARGETS for part in ("--strategy", name)]
    found = json.loads(segue(logged / "log", "--config", config, *named, "--first", "--json"))
    for name in TARGETS:
        folder = tmp_path / name
        play(load_in_process(config, name), folder, episodes=1500, seed=2)
        played = first_rewards(folder)
        error = played.std(ddof=1) / len(played) ** 0.5
        assert error < 0.01
        for estimate in found["strategies"][name]["estimates"]:
            if estimate["name"] != "logged":
                low, high = estimate["low"] - 2 * error, estimate["high"] + 2 * error
                assert low < played.mean() < high, (name, estimate, played.mean())


def test_the_strategy_that_served_is_estimated_at_the_logged_mean(logged: Path) -> None:
    found = json.loads(
        segue(logged / "log", "--config", logged / "config.yaml", "--strategy", "mixed", "--json")
    )
    estimates = {each["name"]: each for each in found["strategies"]["mixed"]["estimates"]}
    assert estimates["IPS"]["mean"] == pytest.approx(estimates["logged"]["mean"])
    assert estimates["SNIPS"]["difference"] == pytest.approx(0, abs=1e-12)
    assert found["strategies"]["mixed"]["withheld"] is False
    assert found["left_out"] == {}
    assert found["replayed"]["mismatched"] == 0


@needs.package("pyspark")
@needs.program("java")
def test_spark_gives_the_estimates_of_one_machine(logged: Path) -> None:
    config = logged / "config.yaml"
    named = ("--strategy", "popular", "--strategy", "personal", "--draw", "score")
    asked = (logged / "log", "--config", config, *named, "--even-if-doubtful", "--json")
    settings = ("--conf", "spark.sql.shuffle.partitions=2")

    on_spark = json.loads(segue(*asked, "--engine", "spark", *settings))

    assert on_spark == json.loads(segue(*asked))
    assert on_spark["replayed"]["decisions"] > 1000


def test_a_strategy_without_overlap_is_doubtful(tmp_path: Path) -> None:
    config = configured(tmp_path, "popular")
    play(load_in_process(config), tmp_path / "log", episodes=300, seed=1)
    output = segue(tmp_path / "log", "--config", config, "--strategy", "random")
    assert "Doubtful: The log's strategies could never play about" in output
    assert "DR predicts it from other listeners" in output
    assert "Estimates are withheld: this log does not support them" in output
    assert "SNIPS  " not in output
    arguments = (tmp_path / "log", "--config", config, "--strategy", "random")
    told = json.loads(segue(*arguments, "--json"))["strategies"]["random"]
    assert [each["name"] for each in told["estimates"]] == ["logged"]
    assert told["withheld"] is True
    assert "IPS" in segue(*arguments, "--even-if-doubtful")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "mixd"], r"unknown strategy 'mixd'\. Did you mean 'mixed'"),
        (["--strategy", "mixed", "--arm", "x=C"], r"--arm: must be EXPERIMENT=ARM of the log"),
        (["--strategy", "mixed", "--config", "nowhere.yaml"], r"nowhere\.yaml"),
    ],
    ids=["unknown-strategy", "unknown-arm", "no-config"],
)
def test_faulty_options_are_refused(arguments: list[str], message: str, logged: Path) -> None:
    with pytest.raises(InputError, match=message):
        segue(logged / "log", "--config", logged / "config.yaml", *arguments)


def test_a_log_of_botify_has_no_propensities(tmp_path: Path) -> None:
    write_botify(tmp_path / "log", listening(Plan(listeners=5)))
    config = configured(tmp_path, "mixed")
    with pytest.raises(InputError, match=r"must have a decision of ours with a known reward"):
        segue(tmp_path / "log", "--config", config, "--strategy", "mixed")
