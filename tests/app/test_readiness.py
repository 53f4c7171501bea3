"""`/readyz`: 503 only if no turn can be acknowledged, 200 with warnings for everything else."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.application import create_app
from engine.health import Health, Problem
from tests.service import loaded, running, write_config


def reload(client: TestClient) -> int:
    """Reload the config; give the status."""
    return client.post("/admin/reload", headers={"Authorization": "Bearer token"}).status_code


def test_a_server_without_problems_is_ready_and_warns_of_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["warnings"] == []


def test_a_server_that_has_not_loaded_yet_is_not_ready(tmp_path: Path) -> None:
    client = TestClient(create_app(loaded(tmp_path)))  # its lifespan has not begun
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "loading"
    assert client.get("/healthz").status_code == 200


def test_a_failed_reload_is_a_warning_until_a_reload_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    with running(tmp_path) as client:
        write_config(tmp_path, default="nobody")
        assert reload(client) == 422
        answer = client.get("/readyz")
        write_config(tmp_path)
        assert reload(client) == 200
        after = client.get("/readyz").json()

    assert answer.status_code == 200
    [warning] = answer.json()["warnings"]
    assert warning["code"] == "reload_failed"
    assert "nobody" in warning["message"]
    assert answer.json()["config"] in warning["message"]
    assert after["warnings"] == []


def test_a_problem_lasts_exactly_as_long_as_its_probe_says() -> None:
    health = Health()
    said: list[str | None] = ["the disk is full"]
    health.block("log_unwritable", lambda: said[0])
    health.warn("fsync_failing", lambda: None)
    assert health.blocking() == [Problem("log_unwritable", "the disk is full")]
    assert health.warnings() == []
    said[0] = None
    assert health.blocking() == []


def test_the_page_has_every_problem_with_its_status() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "serving.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (503|200) \|", page, re.MULTILINE))
    known = {"loading": "503", "draining": "503"}
    for path in (root / "app").glob("*.py"):
        for kind, code in re.findall(r'health\.(block|warn)\(\s*"(\w+)"', path.read_text()):
            known[code] = "503" if kind == "block" else "200"
    assert rows == known
