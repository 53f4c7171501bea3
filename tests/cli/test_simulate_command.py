"""`segue simulate` from the command line."""

import json
import os
import signal
import threading
from pathlib import Path
from time import time_ns
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import main
from core.errors import InputError
from simulator.world.world import World
from tests.service import events_in, write_config
from tests.simulator.play.test_http_runner import small_world
from tests.simulator.servers import SILENCE, made, serving


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, its world, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_config(tmp_path)
    save(small_world(), tmp_path)
    return tmp_path


def save(world: World, folder: Path) -> None:
    np.save(folder / "embeddings.npy", world.embeddings)
    lines = [
        {
            "user": user,
            "interests": [world.catalog.ids[track] for track in world.interests[index]],
            "consume_bias": world.consume_bias[index],
            "consume_sharpness": world.consume_sharpness[index],
        }
        for index, user in enumerate(world.users)
    ]
    (folder / "users.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def simulate(folder: Path, *arguments: str, typed: str | None = None) -> Result:
    common = ["--world", str(folder), "--config", str(folder / "config.yaml")]
    return CliRunner().invoke(main.build(), ["simulate", *common, *arguments], input=typed)


def values(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    found.pop("run", None)
    # A busy machine may let a connection time out; what is sent again changes nothing else.
    found.pop("retried", None)
    found.pop("errors", None)
    return found


def test_local_shows_each_arm(folder: Path) -> None:
    result = simulate(folder, "--recommender", "local", "--episodes", "50")
    assert result.exit_code == 0, result.output
    shown = result.stdout
    assert "fallback=C" in shown
    assert "fallback=T1" in shown
    assert "0 errors" in shown


def test_the_same_seed_gives_the_same_table_over_http_and_in_any_number_of_processes(
    folder: Path,
) -> None:
    found = []
    for processes, connections in (("1", "3"), ("2", "8")):
        with serving(folder) as url:  # freshly started each time
            how = ["--processes", processes, "--connections", connections]
            result = simulate(folder, "--recommender", url, "--episodes", "80", "--json", *how)
            found.append(values(result) | {"recommender": ""})
    local = simulate(folder, "--recommender", "local", "--episodes", "80", "--json")
    assert found[0] == found[1] == values(local) | {"recommender": ""}
    assert found[0]["all"]["sessions"] == 80
    other = simulate(folder, "--recommender", "local", "--episodes", "80", "--json", "--seed", "2")
    assert values(other)["all"] != found[0]["all"]


def test_local_plays_one_strategy_alone(folder: Path) -> None:
    found = values(simulate(folder, "--recommender", "local:random", "--json"))
    assert [arm["strategy"] for arm in found["arms"]] == ["random"]


@pytest.mark.parametrize("recommender", ["random", "popular", "oracle"])
def test_baselines_and_the_oracle_need_no_server(folder: Path, recommender: str) -> None:
    found = values(simulate(folder, "--recommender", recommender, "--episodes", "40", "--json"))
    assert found["all"]["sessions"] == 40


def test_best_still_names_the_oracle(folder: Path) -> None:
    best, oracle = (
        values(simulate(folder, "--recommender", name, "--episodes", "40", "--json"))
        for name in ("best", "oracle")
    )
    assert best == oracle
    paired = values(
        simulate(folder, "--paired", "best", "contextual", "--episodes", "40", "--json")
    )
    assert (paired["first"], paired["second"]) == ("oracle", "contextual")


def test_paired_shows_the_difference_and_the_sessions_saved(folder: Path) -> None:
    result = simulate(folder, "--paired", "contextual", "improved", "--episodes", "60")
    assert result.exit_code == 0, result.output
    assert "60 sessions, each played against both with the same random numbers" in result.stdout
    assert "times fewer" in result.stdout
    found = values(
        simulate(folder, "--paired", "contextual", "contextual", "--episodes", "60", "--json")
    )
    assert found["time"]["difference"] == {"mean": 0.0, "error": 0.0}


def test_days_are_played_one_after_another(folder: Path) -> None:
    found = values(
        simulate(
            folder, "--recommender", "random", "--days", "3", "--yes", "--episodes", "20", "--json"
        )
    )
    assert [(day["day"], day["sessions"]) for day in found["by_day"]] == [(0, 20), (1, 20), (2, 20)]
    whole = values(simulate(folder, "--recommender", "random", "--episodes", "60", "--json"))
    assert found["all"] == whole["all"]


def test_days_without_a_terminal_need_yes(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"--days: needs confirmation between days, but stdin is no terminal"
    ):
        raise_of(simulate(folder, "--recommender", "random", "--days", "2"))


def raise_of(result: Result) -> None:
    assert result.exception is not None, result.output
    raise result.exception


def test_out_writes_the_truth_session_by_session(folder: Path) -> None:
    out = folder / "truth.jsonl"
    found = values(
        simulate(folder, "--recommender", "local", "--episodes", "30", "--json", "--out", str(out))
    )
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["session"] for line in lines] == list(range(30))
    heard = [sum(line["times"][1:]) for line in lines]
    assert np.mean(heard) == pytest.approx(found["all"]["time"]["mean"])
    assert np.mean([len(line["tracks"]) - 1 for line in lines]) == pytest.approx(
        found["all"]["tracks"]["mean"]
    )


def test_local_writes_an_event_log_to_the_given_folder(folder: Path) -> None:
    log = ["--log", str(folder / "log"), "--days", "2", "--yes"]
    began_ms = time_ns() // 1_000_000
    result = simulate(folder, "--recommender", "local", "--episodes", "10", *log, "--json")
    ended_ms = time_ns() // 1_000_000
    found = values(result)
    events = events_in(folder)
    assert sum(event["message"] == "last" for event in events) == 20
    recommended = sum(event["message"] == "next" for event in events)
    assert recommended == pytest.approx(20 * found["all"]["tracks"]["mean"])
    # Each day takes as long as it takes, and the second is a day later in the log.
    by_day = [
        sum(began_ms + later_ms <= event["timestamp"] <= ended_ms + later_ms for event in events)
        for later_ms in (0, 86_400_000)
    ]
    assert min(by_day) > 0
    assert sum(by_day) == len(events)


def test_a_console_reads_lines_from_the_terminal(folder: Path) -> None:
    result = simulate(
        folder, "--recommender", "console", "--episodes", "1", typed="Title 3\n1030\n" * 3
    )
    assert "Artist a - Title 3 (1030)" in result.stdout
    assert "Ended early: 1 sessions were not played to their end" in result.stdout.replace(
        "\n", " "
    )


def test_ctrl_c_shows_the_sessions_played(folder: Path) -> None:
    asked = threading.Event()

    def reply(request: Any, number: int) -> Any:
        asked.set()
        return SILENCE

    def interrupt() -> None:
        asked.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with made(reply) as server:
        thread.start()
        result = simulate(folder, "--recommender", server.url, "--episodes", "20")
        thread.join()
    assert result.exit_code == 0, result.output
    assert "Stopped: 20 sessions were not played to their end" in result.stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recommender", "lokal"], r"--recommender: must be an address .* is 'lokal'"),
        (["--recommender", "local:popula"], r"unknown strategy 'popula'. Did you mean 'popular'\?"),
        (["--paired", "contextual", "rand"], r"unknown strategy 'rand'. Did you mean 'random'\?"),
        (["--recommender", "local", "--config", "no.yaml"], r"no.yaml: cannot be read"),
        (["--recommender", "random", "--log", "x"], r"--log: needs --recommender local"),
        (
            ["--recommender", "console", "--processes", "2"],
            r"--processes: must be 1 with the console recommender, is 2",
        ),
        (["--recommender", "random", "--users", "u"], r"give all three, or --world"),
        (["--api", "grpc"], r"--api: must be segue or botify, is 'grpc'"),
        (["--recommender", "random", "--world", "nowhere"], r"nowhere: must have tracks.jsonl"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_names_the_faulty_option_and_the_remedy(
    folder: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        raise_of(simulate(folder, *arguments))


def test_a_fault_in_a_worker_process_reaches_the_user(folder: Path) -> None:
    arguments = ["--recommender", "local:popula", "--processes", "2"]
    with pytest.raises(InputError, match="unknown strategy 'popula'"):
        raise_of(simulate(folder, *arguments))
