"""What stands in the way of a server is found by `segue check`, and before the server listens."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from app.admin import read_token
from app.start import load_to_serve
from core.errors import InputError
from engine.experiment_ledger import ExperimentLedger
from strategies import registry
from tests.service import loaded, write_config

ROOT = Path(__file__).parents[2]
MODULE = """
from segue import Params, strategy

@strategy("frail")
class Frail:
    def __init__(self, params, artifacts):
        {statement}

    def propose(self, listener):
        return None
"""


def log_at(folder: str) -> Callable[[Path], Path]:
    return lambda world: write_config(world, events={"dir": folder})


def file_in_the_way(world: Path) -> Path:
    (world / "log").write_text("no folder")
    return write_config(world)


def made_by(statement: str) -> Callable[[Path], Path]:
    def written(world: Path) -> Path:
        module = f"frail_{crc32(statement.encode())}"  # a module is imported once a process
        (world / f"{module}.py").write_text(MODULE.format(statement=statement))
        return write_config(
            world,
            lambda config: config["strategies"].update(
                frail={"type": "frail", "fallback": "random"}
            ),
            modules=[module],
        )

    return written


def module_that(statement: str) -> Callable[[Path], Path]:
    def written(world: Path) -> Path:
        (world / "leaving.py").write_text(statement)
        return write_config(world, modules=["leaving"])

    return written


@contextmanager
def held_lock(world: Path) -> Iterator[None]:
    folder = world / "log" / "started"
    folder.mkdir(parents=True)
    with (folder / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


FAULTS: dict[str, tuple[Callable[[Path], Path], dict[str, str], str]] = {
    "log-folder-in-a-place-without-files": (
        log_at("/proc/segue"),
        {},
        "config.yaml: events.dir: must be a folder that the server can write, got /proc/segue: ",
    ),
    "file-in-place-of-the-log-folder": (
        file_in_the_way,
        {},
        "log: Not a directory. Make it writable, or name a different folder",
    ),
    "token-of-two-lines": (
        write_config,
        {"SEGUE_ADMIN_TOKEN": "two\nlines"},
        "environment variable SEGUE_ADMIN_TOKEN: must be one line of printable characters, has a "
        "different one at place 4 of 9",
    ),
    "token-of-white-space": (
        write_config,
        {"SEGUE_ADMIN_TOKEN": " \n"},
        "environment variable SEGUE_ADMIN_TOKEN: must be a token, has only white space",
    ),
    "strategy-that-raises-when-made": (
        made_by("{}['no such key']"),
        {},
        "strategies.frail: must be made from its params, but 'frail' raised KeyError: 'no such",
    ),
    "strategy-that-ends-the-process-when-made": (
        made_by("raise SystemExit(3)"),
        {},
        "strategies.frail: must be made from its params, but 'frail' raised SystemExit: 3",
    ),
    "strategy-that-cannot-propose": (
        made_by("self.propose = None"),
        {},
        "strategies.frail: 'frail' must have a method `propose`, has none. Add it",
    ),
    "module-that-ends-the-process": (
        module_that("import sys; sys.exit('bye')"),
        {},
        "cannot be imported: SystemExit: bye",
    ),
}


@pytest.mark.parametrize(("spoil", "environment", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_found_before_the_start_and_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], Path],
    environment: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setattr(registry, "TYPES", registry.TYPES.copy())
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = spoil(tmp_path)
    with pytest.raises(InputError) as raised:
        load_to_serve(config)
    (fault,) = raised.value.faults
    assert message in str(fault)
    assert "\n" not in str(fault)


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_fault_ends_the_command_with_exit_code_2(tmp_path: Path, command: str) -> None:
    result = run(command, file_in_the_way(tmp_path), {"SEGUE_ADMIN_TOKEN": "two\nlines"})
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 3
    assert result.stderr.startswith("2 faults found:")
    assert "Listening" not in result.stdout + result.stderr


def test_a_lock_that_another_process_holds_is_waited_for_and_named(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with held_lock(tmp_path):
        result = run("serve", config, {})
    assert result.returncode == 2
    assert ".lock: must be free for a moment, but another process has held it for 5 s" in (
        result.stderr
    )
    assert "Listening" not in result.stderr


def run(command: str, config: Path, environment: dict[str, str]) -> Any:
    port = ["--port", "0"] if command == "serve" else []
    return subprocess.run(
        [sys.executable, "-m", "cli", command, "--config", str(config), *port],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_lock_is_taken_as_soon_as_it_is_free(tmp_path: Path) -> None:
    runtime = loaded(tmp_path)
    ledger = ExperimentLedger(runtime.settings.started_folder, patience_s=0.1)
    with held_lock(tmp_path), pytest.raises(InputError, match=r"has held it for 0\.1 s"):
        ledger.record(runtime, 0)
    ledger.record(runtime, 0)
    assert "fallback" in ledger.started(runtime.settings.experiments)


def test_a_check_leaves_no_trace(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    load_to_serve(config)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("given", "token"),
    [(None, ""), ("", ""), ("secret", "secret"), (" secret\n", "secret")],
    ids=["unset", "empty", "plain", "with-the-end-of-a-line"],
)
def test_white_space_around_a_token_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, given: str | None, token: str
) -> None:
    if given is None:
        monkeypatch.delenv("TOKEN", raising=False)
    else:
        monkeypatch.setenv("TOKEN", given)
    assert read_token("TOKEN") == token


@pytest.mark.parametrize("given", ["a\tb", "a\x7fb"])
def test_a_token_that_no_header_can_carry_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("TOKEN", given)
    with pytest.raises(InputError, match=r"must be one line of printable characters") as raised:
        read_token("TOKEN")
    assert given not in str(raised.value), "a message never shows the token"


def test_every_fault_of_the_surroundings_is_reported_in_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "two\nlines")
    with pytest.raises(InputError) as raised:
        load_to_serve(write_config(tmp_path, events={"dir": "/proc/segue"}, started="started"))
    assert len(raised.value.faults) == 2
