"""`segue evaluate` against the simulator, where what it estimates can be played."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from app.serving import Serving
from cli.local import Local, load_local, open_log
from cli.main import build
from core.errors import InputError
from events import reader
from simulator.playing import InProcess
from simulator.world import World
from tests.logs import Plan, listening, write_botify
from tests.service import write_config
from tests.simulator.tiny import classic
from tests.worlds import small_catalog

LISTENERS = 400
TARGETS = ("contextual", "popular", "personal")


def configured(folder: Path, default: str) -> Path:
    """The small world's config without experiments: everybody gets one strategy."""

    def change(config: dict[str, Any]) -> None:
        config["strategies"] |= {
            "personal": {"type": "personal", "list": "personal", "fallback": "random"},
            "mixed": {
                "type": "mixture",
                # `random` among them: what has no list falls back to it.
                "strategies": {"contextual": 1, "popular": 1, "personal": 1, "random": 0.5},
            },
        }
        config["default"] = default
        config["experiments"] = []

    return write_config(folder, change)


def lively_world() -> World:
    """Listeners with tastes of their own, over the catalog of the small world."""
    random = np.random.default_rng(8)
    catalog = small_catalog()
    return World(
        catalog,
        random.normal(size=(len(catalog), 4)).astype(np.float32),
        [str(1 + user) for user in range(LISTENERS)],
        random.integers(0, len(catalog), (LISTENERS, 3)),
        random.uniform(0, 2, LISTENERS),
        random.uniform(0.5, 2, LISTENERS),
    )


def play(serving: Serving, folder: Path, episodes: int, seed: int) -> None:
    """Play sessions against the config in this process, and keep their log."""
    world = lively_world()
    listeners = classic(world, seed)
    log = open_log(serving, folder)
    InProcess(listeners, Local(serving, world, seed, 64, log), 64).play(
        listeners.visits(0, episodes)
    )
    log.close()


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
    play(load_local(configured(folder, "mixed")), folder / "log", episodes=900, seed=1)
    return folder


def segue(*arguments: object) -> str:
    result = CliRunner().invoke(build(), ["evaluate", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_the_intervals_cover_what_the_strategies_earn_when_they_are_played(
    logged: Path, tmp_path: Path
) -> None:
    # The first recommendation of a session meets the same listeners whoever serves them, so what
    # a strategy earns there can be played. What was played has a standard error of its own, at most
    # 0.01 here; the interval may miss it by twice that. All is fixed by seeds.
    config = configured(tmp_path, "mixed")
    named = [part for name in TARGETS for part in ("--strategy", name)]
    found = json.loads(segue(logged / "log", "--config", config, *named, "--first", "--json"))
    for name in TARGETS:
        folder = tmp_path / name
        play(load_local(config, name), folder, episodes=1500, seed=2)
        played = first_rewards(folder)
        error = played.std(ddof=1) / len(played) ** 0.5
        assert error < 0.01
        for estimate in found["strategies"][name]["estimates"]:
            if estimate["name"] != "logged":
                low, high = estimate["low"] - 2 * error, estimate["high"] + 2 * error
                assert low < played.mean() < high, (name, estimate, played.mean())


def test_who_served_is_estimated_at_what_the_log_says(logged: Path) -> None:
    found = json.loads(
        segue(logged / "log", "--config", logged / "config.yaml", "--strategy", "mixed", "--json")
    )
    estimates = {each["name"]: each for each in found["strategies"]["mixed"]["estimates"]}
    assert estimates["IPS"]["mean"] == pytest.approx(estimates["logged"]["mean"])
    assert estimates["SNIPS"]["difference"] == pytest.approx(0, abs=1e-12)
    assert found["left_out"] == {}
    assert found["replayed"]["mismatched"] == 0


def test_a_strategy_that_the_log_could_not_have_played_is_doubtful(tmp_path: Path) -> None:
    config = configured(tmp_path, "popular")
    play(load_local(config), tmp_path / "log", episodes=300, seed=1)
    output = segue(tmp_path / "log", "--config", config, "--strategy", "random")
    assert "Doubtful: About" in output
    assert "DR guesses it from other listeners" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "mixd"], r"unknown strategy 'mixd'\. Did you mean 'mixed'"),
        (["--strategy", "mixed", "--arm", "x=C"], r"--arm: must be EXPERIMENT=ARM of the log"),
        (["--strategy", "mixed", "--config", "nowhere.yaml"], r"nowhere\.yaml"),
    ],
    ids=["unknown-strategy", "unknown-arm", "no-config"],
)
def test_a_question_that_cannot_be_asked_is_refused(
    arguments: list[str], message: str, logged: Path
) -> None:
    with pytest.raises(InputError, match=message):
        segue(logged / "log", "--config", logged / "config.yaml", *arguments)


def test_the_predecessors_log_has_no_chances(tmp_path: Path) -> None:
    write_botify(tmp_path / "log", listening(Plan(listeners=5)))
    config = configured(tmp_path, "mixed")
    with pytest.raises(InputError, match=r"has no decision of ours with a known reward"):
        segue(tmp_path / "log", "--config", config, "--strategy", "mixed")
