"""`segue check` reaches the Redis of a config, and refuses a config that names it wrongly."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import build
from engine.settings.loading import load_settings
from engine.shared_state.inspection import RedisReport
from tests import needs
from tests.redis_server import RedisServer, running_redis
from tests.service import write_config


def check(folder: Path, state: dict[str, Any]) -> Result:
    path = write_config(folder, state=state)
    return CliRunner().invoke(build(), ["check", "--config", str(path)])


@needs.program("redis-server")
def test_check_says_version_memory_and_eviction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_redis(tmp_path / "redis", "--requirepass", "geheim") as server:
        monkeypatch.setenv("MY_REDIS", f"redis://:geheim@127.0.0.1:{server.port}/0")
        found = check(tmp_path / "world", {"backend": "redis", "url_env": "MY_REDIS"})
        assert found.exit_code == 0, found.output
        assert f"state: redis 127.0.0.1:{server.port}, version " in found.output
        assert "MB of no limit, eviction noeviction" in found.output
        assert "geheim" not in found.output
        wrong = check(tmp_path / "world", {"backend": "redis", "url": server.url})
        assert wrong.exit_code != 0
        assert "Authentication required" in f"{wrong.output}{wrong.exception}"


def test_check_says_that_the_redis_is_away(tmp_path: Path) -> None:
    absent = RedisServer(tmp_path / "redis")
    found = check(tmp_path / "world", {"backend": "redis", "url": absent.url})
    assert found.exit_code != 0
    assert "the Redis cannot be used" in f"{found.output}{found.exception}"


@pytest.mark.parametrize(
    ("report", "warns"),
    [
        (RedisReport("r", "7", 90, 100, 1000, "noeviction"), True),
        (RedisReport("r", "7", 70, 100, 1000, "noeviction"), False),
        (RedisReport("r", "7", 90, 100, 1000, "allkeys-lru"), False),
        (RedisReport("r", "7", 900, 0, 1000, "noeviction"), True),
        (RedisReport("r", "7", 90, 0, 1000, "noeviction"), False),
        (RedisReport("r", "7", 90, 0, 0, "noeviction"), False),
    ],
    ids=["full", "room", "evicts", "machine-full", "machine-has-room", "unknown"],
)
def test_a_redis_that_evicts_nothing_and_has_no_room_is_warned_of(
    report: RedisReport, warns: bool
) -> None:
    assert (report.warning is not None) is warns


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"backend": "redis"}, "must name the Redis once, got nothing"),
        (
            {"backend": "redis", "url": "redis://:secret@127.0.0.1:6379/0"},
            "must have no password",
        ),
        ({"backend": "redis", "url": "redis://a/0?password=secret"}, "must have no password"),
        (
            {"backend": "redis", "url": "redis://127.0.0.1", "url_env": "X"},
            "got both url and url_env",
        ),
        ({"url": "redis://127.0.0.1"}, "needs `backend: redis`"),
        (
            {"backend": "redis", "url": "redis://a", "sentinel": "m", "cluster": True},
            "must not stand beside `cluster: true`",
        ),
        ({"backend": "redis", "url": "http://127.0.0.1"}, "must begin with redis://"),
        ({"backend": "redis", "url_env": "NOT_SET_HERE"}, "NOT_SET_HERE, which is not set"),
        ({"backend": "redis", "url": "redis://a", "prefix": "a{b"}, "prefix"),
        ({"backend": "redis", "url": "redis://a", "timeout_ms": 0}, "timeout_ms"),
    ],
)
def test_a_faulty_state_is_a_fault_of_the_config(
    tmp_path: Path, state: dict[str, Any], said: str
) -> None:
    found = check(tmp_path, state)
    shown = f"{found.output}{found.exception}"
    assert found.exit_code != 0
    assert said in shown
    assert "secret" not in shown


def test_the_state_section_enters_no_digest_but_by_what_decides(tmp_path: Path) -> None:
    from engine.runtime import load_runtime

    memory = load_runtime(load_settings(write_config(tmp_path)))
    state = {"backend": "redis", "url": "redis://a", "prefix": "x:", "timeout_ms": 9}
    shared = load_runtime(load_settings(write_config(tmp_path, state=state)))
    assert memory.digest == shared.digest
