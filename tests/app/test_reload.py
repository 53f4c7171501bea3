"""Reloading in process: swapped configs, refused configs, and the histories that listeners keep."""

import asyncio
import gc
import json
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.reload import Reloader
from core.request import Request
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.state import MemoryState
from events.writer import EventWriter
from segue.testing import small_world
from tests.service import START_MS, Clock, events_in, loaded, running, write_config

TOKEN = {"Authorization": "Bearer token"}
LABEL = {"name": "label", "layer": "client", "arms": {"A": {"weight": 1}}}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    with running(tmp_path) as made:
        yield made


def reload(client: TestClient) -> Any:
    return client.post("/admin/reload", headers=TOKEN)


def with_label(config: dict[str, Any]) -> None:
    config["experiments"].append(LABEL)


def test_a_reload_serves_the_present_file(client: TestClient, tmp_path: Path) -> None:
    before = client.get("/readyz").json()["config"]
    client.post("/recommend", json={"user": 7})
    write_config(tmp_path, with_label)

    assert client.get("/readyz").json()["config"] == before
    response = reload(client)

    now = client.get("/readyz").json()["config"]
    assert response.json() == {"config": now, "before": before}
    assert now != before
    assert client.post("/recommend", json={"user": 7}).json()["experiments"]["label"] == "A"
    assert [event["config"] for event in events_in(tmp_path)] == [before, now]
    assert [event["turn"] for event in events_in(tmp_path)] == [1, 2]


def test_each_served_config_is_kept_beside_the_log(client: TestClient, tmp_path: Path) -> None:
    write_config(tmp_path, with_label)
    digests = set(reload(client).json().values())
    assert {path.stem for path in (tmp_path / "log/configs").glob("*.json")} == digests


def test_the_same_config_again_changes_nothing(client: TestClient) -> None:
    answer = reload(client).json()
    assert answer["config"] == answer["before"]


def test_a_faulty_config_leaves_the_old_one_in_place_and_lists_every_fault(
    client: TestClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = client.get("/readyz").json()["config"]

    def break_it(config: dict[str, Any]) -> None:
        config["default"] = "contextal"
        config["experiments"][0]["arms"]["C"]["weight"] = 51

    write_config(tmp_path, break_it)
    response = reload(client)

    assert response.status_code == 422
    error = response.json()["error"]
    assert set(error) == {"code", "message", "field"}
    assert error["code"] == "faulty_config"
    assert "default: unknown strategy 'contextal'. Did you mean 'contextual'?" in error["message"]
    assert "weights must add up to 100 or to 1, got a sum of 101" in error["message"]
    assert error["message"] in caplog.text
    assert f"config {before} still serves" in caplog.text
    assert client.get("/readyz").json()["config"] == before
    client.post("/recommend", json={"user": 7})
    assert events_in(tmp_path)[0]["config"] == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.yaml").unlink(), "config.yaml: cannot be read"),
        (lambda folder: (folder / "config.yaml").write_text("a: ["), "must be YAML"),
        (lambda folder: (folder / "config.yaml").write_text("a: " + "[" * 9_999), "50 levels"),
        (lambda folder: (folder / "config.yaml").write_text("a: " + "9" * 5_000), "over 64 bits"),
        (lambda folder: (folder / "tracks.jsonl").write_text("{}\n"), "tracks.jsonl:1: track must"),
        (lambda folder: (folder / "contextual.jsonl").unlink(), "contextual.jsonl: cannot be read"),
    ],
    ids=[
        "no-file",
        "no-yaml",
        "deep-yaml",
        "a-number-of-5000-digits",
        "no-tracks",
        "a-list-is-gone",
    ],
)
def test_missing_and_damaged_files_leave_the_old_config_in_place(
    client: TestClient, tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(tmp_path)
    response = reload(client)
    assert response.status_code == 422
    assert message in response.json()["error"]["message"]
    assert client.post("/recommend", json={"user": 7}).status_code == 200


def test_a_started_experiment_cannot_be_changed_by_a_reload(
    client: TestClient, tmp_path: Path
) -> None:
    def weigh(config: dict[str, Any]) -> None:
        config["experiments"][0]["arms"] = {
            "C": {"strategy": "contextual", "weight": 20},
            "T1": {"strategy": "improved", "weight": 80},
        }

    write_config(tmp_path, weigh)
    message = reload(client).json()["error"]["message"]
    assert "had weights C 50, T1 50, have C 20, T1 80" in message
    assert "give it a new version" in message


def test_settings_that_are_read_at_the_start_cannot_be_reloaded(
    client: TestClient, tmp_path: Path
) -> None:
    write_config(
        tmp_path,
        events={"dir": "elsewhere"},
        admin={"token_env": "OTHER"},
        state={"max_listeners": 5, "history": 7},
        watch=True,
        default="no such strategy",
    )
    assert "unknown strategy" in reload(client).json()["error"]["message"]
    write_config(
        tmp_path,
        events={"dir": "elsewhere"},
        admin={"token_env": "OTHER"},
        state={"max_listeners": 5, "history": 7},
        watch=True,
    )
    message = reload(client).json()["error"]["message"]
    for key in ("events", "admin", "state.max_listeners", "watch", "started"):
        assert f"config.yaml: {key}: was " in message
    assert "history" not in message
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Authorization": "Bearer other"}, 401), (TOKEN, 200)],
    ids=["no-token", "wrong-token", "the-token"],
)
def test_a_reload_needs_the_token(
    client: TestClient, tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    before = client.get("/readyz").json()["config"]
    write_config(tmp_path, with_label)
    assert client.post("/admin/reload", headers=headers).status_code == status
    assert (client.get("/readyz").json()["config"] == before) is (status != 200)


def test_without_a_token_in_the_environment_nobody_reloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGUE_ADMIN_TOKEN", raising=False)
    with running(tmp_path) as client:
        assert client.post("/admin/reload", headers=TOKEN).status_code == 403


def test_listens_are_known_in_a_new_catalog(client: TestClient, tmp_path: Path) -> None:
    """The new catalog has the tracks in a new order, and half of them have new names."""
    for track in (1000, 1010, 1020):
        client.post("/feedback", json={"user": 7, "track": track, "time": 0.5})
    lines = (tmp_path / "tracks.jsonl").read_text().splitlines()
    (tmp_path / "tracks.jsonl").write_text("\n".join(reversed(lines)) + "\n")

    def unheard(config: dict[str, Any]) -> None:
        config["experiments"] = []
        config["catalog"].pop("vectors", None)  # they are of the old catalog
        config["default"] = "new"
        config["strategies"]["new"] = {
            "type": "top_pop", "top": 10, "unheard": "history", "fallback": "random",
        }  # fmt: skip

    write_config(tmp_path, unheard)
    assert reload(client).status_code == 200

    ids = small_world.small_catalog().ids
    heard = {1000, 1010, 1020}
    answer = client.post("/recommend", json={"user": 7, "n": 10}).json()
    assert set(answer["tracks"]) == {ids[index] for index in small_world.TOP} - heard


def test_a_config_that_cannot_be_kept_beside_the_log_is_not_served(
    client: TestClient, tmp_path: Path
) -> None:
    """Nobody could replay its events. Its new experiment does not count as started."""
    before = client.get("/readyz").json()["config"]
    (tmp_path / "log/configs").rename(tmp_path / "log/away")
    (tmp_path / "log/configs").write_text("in the way")
    write_config(tmp_path, with_label)
    response = reload(client)
    assert response.status_code == 422
    assert "configs: cannot be written" in response.json()["error"]["message"]
    assert client.get("/readyz").json()["config"] == before
    assert not (tmp_path / "log/started/label@1.json").exists()


def test_changed_lists_are_served_after_a_reload(client: TestClient, tmp_path: Path) -> None:
    rows = [
        {"track": track, "recommendations": [1000]}
        for track in small_world.small_catalog().ids
        if track != 1000
    ]
    (tmp_path / "contextual.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert reload(client).status_code == 200
    answer = client.post("/recommend", json={"user": 7, "track": 1010, "time": 1.0}).json()
    assert answer["track"] == 1000


@pytest.fixture
def dispatcher(tmp_path: Path) -> Iterator[Dispatcher]:
    clock = Clock()
    log = EventWriter(tmp_path / "log", 10**9, clock)
    state = MemoryState(100, 1000, lambda: 0.0)
    yield Dispatcher(loaded(tmp_path), state, log, ServerMetrics(), clock)
    log.close()


def test_a_reload_frees_the_old_runtime(dispatcher: Dispatcher, tmp_path: Path) -> None:
    dispatcher.recommend(Request(user=7, track=1000, time=1.0), 0.0)
    gone = weakref.ref(dispatcher.runtime.chains["contextual"].members[0][1].__self__)  # type: ignore[attr-defined]
    catalog = dispatcher.runtime.catalog
    write_config(tmp_path, with_label)
    gc.disable()
    try:
        asyncio.run(Reloader(dispatcher, Clock()).reload("a test"))
        assert gone() is None
    finally:
        gc.enable()
    assert dispatcher.runtime.catalog is catalog


def test_a_reload_keeps_in_memory_what_did_not_change(
    dispatcher: Dispatcher, tmp_path: Path
) -> None:
    before = dict(dispatcher.runtime.artifacts.lists)
    lines = (tmp_path / "personal.jsonl").read_text().splitlines()
    (tmp_path / "personal.jsonl").write_text("\n".join(lines[1:]))
    asyncio.run(Reloader(dispatcher, Clock()).reload("a test"))
    now = dispatcher.runtime.artifacts.lists
    assert now["contextual"] is before["contextual"]
    assert len(now["personal"]) == len(before["personal"]) - 1


def test_reloads_follow_one_another(dispatcher: Dispatcher, tmp_path: Path) -> None:
    """Each reload reads the file again, and names the config that served before it."""
    reloader = Reloader(dispatcher, Clock())

    async def both() -> None:
        first = dispatcher.runtime.digest
        write_config(tmp_path, with_label)
        one, two = await asyncio.gather(reloader.reload("one"), reloader.reload("two"))
        assert one.before == first
        assert one.served == two.before == two.served == dispatcher.runtime.digest
        assert one.served != first

    asyncio.run(both())


def test_an_exception_in_a_reload_leaves_the_old_config_in_place(
    dispatcher: Dispatcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = dispatcher.runtime

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr("app.reload.load_runtime", broken)
    asyncio.run(Reloader(dispatcher, Clock()).attempt("SIGHUP"))
    assert dispatcher.runtime is before
    assert "a mistake of ours" in caplog.text


def test_a_watched_file_is_reloaded_when_its_content_changes(
    dispatcher: Dispatcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "segue")
    path = tmp_path / "config.yaml"
    served = []

    async def edits() -> AsyncIterator[None]:
        def after() -> None:
            served.append(len(dispatcher.runtime.allocation.experiments))

        yield  # some other file of the folder
        after()
        path.unlink()
        yield  # an editor has moved it away and not yet put the new one in its place
        after()
        write_config(tmp_path, with_label)
        yield
        after()
        yield  # touched
        after()
        write_config(tmp_path, default="nobody")
        yield
        after()
        write_config(tmp_path, lambda config: config.update(experiments=[]))
        yield
        after()

    asyncio.run(Reloader(dispatcher, Clock()).follow(path, edits()))
    assert served == [1, 1, 2, 2, 2, 0]
    reloads = [record for record in caplog.records if "has changed" in record.getMessage()]
    assert [record.levelname for record in reloads] == ["INFO", "ERROR", "INFO"]


def test_an_experiment_starts_when_a_reload_gives_it_traffic(
    client: TestClient, tmp_path: Path
) -> None:
    def dormant(config: dict[str, Any]) -> None:
        config["experiments"].append({**LABEL, "traffic": 0})

    write_config(tmp_path, dormant)
    reload(client)
    assert not (tmp_path / "log/started/label@1.json").exists()
    write_config(tmp_path, with_label)
    reload(client)
    record = json.loads((tmp_path / "log/started/label@1.json").read_bytes())
    assert record["started_ms"] == START_MS
    assert record["definition"]["name"] == LABEL["name"]
