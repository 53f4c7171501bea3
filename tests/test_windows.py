"""What Windows lacks is hidden here: our code must start without it, and say what it cannot do.

Python itself needs these modules on Linux, so they are hidden from our own packages alone.
"""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cli.own_packages import PACKAGES
from tests import service
from tests.served import serving

ROOT = Path(__file__).parents[1]

PATHS = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
HIDDEN = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "posix", "syslog", "uvloop")
WITHOUT = f"""
import asyncio, builtins, os, signal, sys
real = builtins.__import__
def hiding(name, globals=None, *rest, **named):
    asks = ((globals or {{}}).get("__name__") or "").partition(".")[0]
    if name.partition(".")[0] in {HIDDEN} and asks in {PACKAGES}:
        raise ModuleNotFoundError(f"No module named {{name!r}} (hidden from {{asks}})", name=name)
    return real(name, globals, *rest, **named)
def unsupported(*_, **__):
    raise NotImplementedError
builtins.__import__ = hiding
asyncio.SelectorEventLoop.add_signal_handler = unsupported
for name in ("SIGHUP", "SIGCHLD", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGKILL", "pthread_sigmask"):
    delattr(signal, name)
for name in ("fork", "memfd_create", "getuid", "geteuid", "statvfs", "sendfile", "pread"):
    delattr(os, name)
sys.modules["uvloop"] = None
from cli.main import main
main()
"""  # noqa: E501


def segue(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("check",), ("strategies",), ("serve", "--help"),
     ("report", "--help"), ("train", "--help"), ("verify", "--help"), ("doctor", "--help")],
    ids=" ".join,
)  # fmt: skip
def test_a_command_starts_without_posix(arguments: tuple[str, ...]) -> None:
    ended = segue(*arguments)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout


def test_check_says_how_to_reload_where_there_is_no_signal() -> None:
    assert "reload: never on a signal (Windows has none)" in segue("check").stdout


def test_a_server_answers_logs_and_records_its_experiments_without_posix(tmp_path: Path) -> None:
    config = service.write_config(tmp_path)
    with serving(config, (sys.executable, "-c", PATHS + WITHOUT)) as address:
        answer = httpx.post(f"{address}/recommend", json={"user": 7}, timeout=60).json()
    assert "track" in answer
    (log,) = (tmp_path / "log").glob("*.jsonl")
    assert log.read_bytes().count(b"\n") == 1
    assert list((tmp_path / "log" / "started").glob("fallback@1.json"))


def test_simulate_logs_report_reads_and_train_learns_without_posix(tmp_path: Path) -> None:
    log = tmp_path / "log"
    played = segue("simulate", "--recommender", "local", "--episodes", 200, "--log", log, "--json")
    assert played.returncode == 0, played.stderr
    reported = segue("report", log, "--even-if-invalid", "--json")
    assert reported.returncode == 0, reported.stderr
    assert json.loads(reported.stdout)["experiments"]
    learnt = segue(
        "train", "popular", log, "--catalog", ROOT / "data" / "tracks.jsonl", "--to", tmp_path
    )
    assert learnt.returncode == 0, learnt.stderr
    assert (tmp_path / "popular.json").exists()


def test_the_demo_says_what_it_needs() -> None:
    ended = segue("demo", "--to", "/no/such/folder")

    assert ended.returncode == 2
    assert "SIGHUP, which Windows does not have" in ended.stderr
