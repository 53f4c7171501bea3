"""Started experiments: the definition served under a name and version stays the same."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import build
from core.errors import InputError
from engine.experiment_ledger import ExperimentLedger
from engine.runtime import Runtime
from tests.service import START_MS, loaded, running

Change = Callable[[dict[str, Any]], object]


def experiment_of(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["experiments"][0]
    return found


def weights(c: float, t1: float) -> Change:
    def change(config: dict[str, Any]) -> None:
        arms = experiment_of(config)["arms"]
        arms["C"]["weight"], arms["T1"]["weight"] = c, t1

    return change


def keys(**changes: Any) -> Change:
    return lambda config: experiment_of(config).update(changes)


def holdout(share: float, salt: str = "") -> Change:
    return lambda config: config.update(holdout={"share": share, "salt": salt})


def param(strategy: str, **changes: Any) -> Change:
    return lambda config: config["strategies"][strategy].update(changes)


def serve(folder: Path, change: Change | None = None) -> None:
    runtime = loaded(folder, change)
    ExperimentLedger(runtime.settings.started_folder).record(runtime, START_MS)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (weights(40, 60), r"experiments\.0\.arms: had weights C 50, T1 50, have C 40, T1 60"),
        (keys(salt="x"), r"experiments\.0\.salt: was '2026-11', is 'x'"),
        (keys(traffic=0.4), r"experiments\.0\.traffic: reached 0\.5, is 0\.4"),
        (keys(slots=[0, 5000]), r"experiments\.0\.slots: were \[0, 10000\], are \[0, 5000\]"),
        (keys(targeting={"country": "nl"}), r"experiments\.0\.targeting: was {}"),
        (holdout(0.1), r"experiments\.0\.holdout: was .*may only shrink"),
        (holdout(0.05, "x"), r"experiments\.0\.holdout: was .*'salt': 'x'"),
        (
            param("improved", popular="random"),
            r"experiments\.0\.arms\.T1: strategy 'improved' was .*'popular': 'popular'",
        ),
        (param("popular", top=4), r"arms\.T1: strategy 'popular' was .*'top': 8.*'top': 4"),
    ],
    ids=[
        "weights", "salt", "traffic", "slots", "targeting", "more-held-out", "others-held-out",
        "an-arms-strategy", "a-strategy-used-by-an-arm",
    ],
)  # fmt: skip
def test_a_started_experiment_cannot_change(tmp_path: Path, change: Change, fault: str) -> None:
    def before(config: dict[str, Any]) -> None:
        keys(traffic=0.5)(config)
        holdout(0.05)(config)

    def after(config: dict[str, Any]) -> None:
        before(config)
        change(config)

    serve(tmp_path, before)
    with pytest.raises(InputError, match=fault) as raised:
        serve(tmp_path, after)
    assert "'fallback' version 1 has started (2023-11-14 22:13 UTC)" in str(raised.value)
    assert "give it a new version" in str(raised.value)
    serve(tmp_path, before)


def test_a_new_version_may_be_anything(tmp_path: Path) -> None:
    serve(tmp_path)

    def second(config: dict[str, Any]) -> None:
        weights(10, 90)(config)
        keys(version=2, salt="x", traffic=0.2)(config)

    serve(tmp_path, second)
    with pytest.raises(InputError, match="version 2 has started"):
        serve(tmp_path, keys(version=2))


def test_traffic_ramps_up_but_not_down(tmp_path: Path) -> None:
    for traffic in (0.1, 0.5, 0.5, 1.0):
        serve(tmp_path, keys(traffic=traffic))
    with pytest.raises(InputError, match=r"traffic: reached 1, is 0\.5"):
        serve(tmp_path, keys(traffic=0.5))


@pytest.mark.parametrize(
    "stop",
    [keys(traffic=0), lambda config: config.update(experiments=[])],
    ids=["no-traffic", "removed"],
)
def test_a_stopped_experiment_may_come_back_only_as_it_was(tmp_path: Path, stop: Change) -> None:
    serve(tmp_path, keys(traffic=0.5))
    serve(tmp_path, stop)
    with pytest.raises(InputError, match="had weights"):
        serve(tmp_path, weights(1, 99))
    with pytest.raises(InputError, match=r"reached 0\.5, is 0\.3"):
        serve(tmp_path, keys(traffic=0.3))
    serve(tmp_path, keys(traffic=0.6))


def test_an_experiment_without_traffic_has_not_started(tmp_path: Path) -> None:
    serve(tmp_path, keys(traffic=0))
    serve(tmp_path, weights(1, 99))


def test_testers_plans_and_new_data_may_change(tmp_path: Path) -> None:
    serve(tmp_path)
    row = json.loads((tmp_path / "contextual.jsonl").read_text().splitlines()[0])
    (tmp_path / "contextual.jsonl").write_text(json.dumps(row))
    serve(tmp_path, keys(forced={"7": "T1"}, planned={"listeners": 1000}))


def test_a_default_written_out_is_no_change(tmp_path: Path) -> None:
    serve(tmp_path)
    serve(tmp_path, param("contextual", draw="uniform"))


def test_an_experiment_with_botifys_hash_needs_a_new_name(tmp_path: Path) -> None:
    serve(tmp_path, keys(hash="botify", traffic=0.5))
    with pytest.raises(InputError, match=r"give it a new name \(hash: botify has no version"):
        serve(tmp_path, keys(hash="botify", traffic=0.4))


def test_botifys_hash_takes_no_version(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"experiments\.0\.version: hash: botify hashes the name"):
        loaded(tmp_path, keys(hash="botify", version=2))


def test_a_server_records_the_experiments_that_it_serves(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    record = json.loads((tmp_path / "log/started/fallback@1.json").read_bytes())
    assert record["started_ms"] == START_MS
    with pytest.raises(InputError, match="had weights"), running(tmp_path, weights(1, 99)):
        pass


def test_the_folder_can_be_named(tmp_path: Path) -> None:
    serve(tmp_path, lambda config: config.update(started="kept/here"))
    assert (tmp_path / "kept/here/fallback@1.json").exists()


def test_the_first_start_stays_known_as_traffic_grows(tmp_path: Path) -> None:
    for at_ms, traffic in ((1, 0.1), (2, 0.2)):
        runtime = loaded(tmp_path, keys(traffic=traffic))
        ExperimentLedger(tmp_path / "s").record(runtime, at_ms)
    record = json.loads((tmp_path / "s/fallback@1.json").read_bytes())
    assert record["started_ms"] == 1
    assert record["definition"]["traffic"] == 0.2


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"definition": {"name": "fallback"}}'],
    ids=["empty", "no-object", "no-definition", "half-a-definition"],
)
def test_a_damaged_record_stops_the_start(tmp_path: Path, content: str) -> None:
    serve(tmp_path)
    (tmp_path / "log/started/fallback@1.json").write_text(content)
    with pytest.raises(InputError, match=r"fallback@1\.json: must be the record"):
        serve(tmp_path)


def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.*name a writable folder with `started:`"):
        serve(tmp_path, lambda config: config.update(started="file/started"))


def test_two_processes_cannot_start_an_experiment_in_two_ways(tmp_path: Path) -> None:
    """All processes read and write under one lock, so that the second one is always refused."""
    ways = [loaded(tmp_path / str(way), weights(50 + way, 50 - way)) for way in range(8)]
    together = Barrier(len(ways))

    def start(runtime: Runtime) -> bool:
        together.wait()
        try:
            ExperimentLedger(tmp_path / "shared").record(runtime, START_MS)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(len(ways)) as pool:
        assert sorted(pool.map(start, ways)) == [*[False] * 7, True]


def test_a_refused_config_records_nothing(tmp_path: Path) -> None:
    serve(tmp_path)

    def second(config: dict[str, Any]) -> None:
        weights(1, 99)(config)
        arms = {"A": {"weight": 1}}
        config["experiments"].append({"name": "label", "layer": "client", "arms": arms})

    with pytest.raises(InputError, match="had weights"):
        serve(tmp_path, second)
    assert not (tmp_path / "log/started/label@1.json").exists()


def test_check_reports_the_faults_of_a_start_and_changes_nothing(tmp_path: Path) -> None:
    loaded(tmp_path)
    command = ["check", "--config", str(tmp_path / "config.yaml")]
    result = CliRunner().invoke(build(), command)
    assert result.exit_code == 0
    assert "experiment fallback: C 50 contextual, T1 50 improved; traffic 1; new" in (result.output)
    assert not (tmp_path / "log").exists()

    serve(tmp_path)
    assert "traffic 1; since 2023-11-14 22:13 UTC" in CliRunner().invoke(build(), command).output
    loaded(tmp_path, weights(1, 99))
    result = CliRunner().invoke(build(), command)
    assert isinstance(result.exception, InputError)
    assert "had weights" in str(result.exception)


def plan(**planned: Any) -> Change:
    return keys(planned=planned)


def record_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "log/started/fallback@1.json").read_bytes())
    return found


def test_the_plan_of_the_start_stays_whatever_config_says_later(tmp_path: Path) -> None:
    def half(config: dict[str, Any]) -> None:
        plan(listeners=3000, metric="session_time", mde=0.05)(config)
        keys(traffic=0.5)(config)

    serve(tmp_path, half)
    serve(tmp_path, plan(listeners=500))
    record = record_of(tmp_path)
    assert record["planned"] == {"listeners": 3000, "metric": "session_time", "mde": 0.05}
    assert record["definition"]["traffic"] == 1.0


def test_a_plan_that_comes_after_the_start_is_not_sealed(tmp_path: Path) -> None:
    serve(tmp_path, keys(traffic=0.5))
    serve(tmp_path, plan(listeners=500))
    assert record_of(tmp_path)["planned"] == {}


def test_a_record_from_before_plans_were_sealed_gets_none_later(tmp_path: Path) -> None:
    serve(tmp_path, keys(traffic=0.5))
    record = record_of(tmp_path)
    del record["planned"]
    (tmp_path / "log/started/fallback@1.json").write_text(json.dumps(record))
    serve(tmp_path, plan(listeners=500))
    assert "planned" not in record_of(tmp_path)
    runtime = loaded(tmp_path, plan(listeners=500))
    assert ExperimentLedger(runtime.settings.started_folder).changed_plans(runtime) == []


def test_a_changed_plan_serves_with_a_warning_at_check_start_and_reload(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "sesame")
    serve(tmp_path, plan(listeners=3000))
    warning = (
        "experiments.0.planned: was {'listeners': 3000} when 'fallback' version 1 started "
        "(2023-11-14 22:13 UTC), is {'listeners': 500}. Reports hold the experiment to the plan"
    )
    loaded(tmp_path, plan(listeners=500))
    command = ["check", "--config", str(tmp_path / "config.yaml")]
    result = CliRunner().invoke(build(), command)
    assert result.exit_code == 0
    assert warning in result.output
    with running(tmp_path, plan(listeners=500)) as client:
        assert warning in caplog.text
        caplog.clear()
        loaded(tmp_path, plan(listeners=700))
        answer = client.post("/admin/reload", headers={"Authorization": "Bearer sesame"})
        assert answer.status_code == 200
        assert "is {'listeners': 700}" in caplog.text
        shown = client.get("/experiments").json()["experiments"][0]
        assert shown["planned"] == {"listeners": 3000}
