"""Spark gives what DuckDB gives: every table, every check and every number of a report."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.constant_arm import check_constant_arms
from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Status
from analysis.off_policy.logged_rewards import logged_rewards
from analysis.rendering.json_report import to_json
from analysis.report import LogSelection, ReportRequest, report_of
from audit.canary import run_canaries, with_canaries
from audit.injected_faults import known_faults
from audit.log_faults import (
    REPLAY_FAULTS,
    CleanLog,
    FaultNotApplicable,
    LogFault,
    LogLines,
    as_botify,
    write,
)
from audit.replay_check import ReplayFiles, replay_check
from audit.server_faults import SERVER_FAULTS, ServerFault
from core.errors import InputError
from events.overview import overview
from events.reader import EventLog, open_log
from events.spark_session import SparkOptions
from segue.testing.small_world import small_catalog
from tests.analysis.trial_log import EXPERIMENT, trial_log
from tests.nearly_equal import differences
from tests.service import loaded
from tests.spark_local import MARKS, SPARK
from training.listen_sources import listens_of

pytestmark = MARKS

TABLES = (
    "files", "dropped", "dropped_lines", "events", "unplaced", "forgotten", "log_span",
    "odd_stamps", "written_ids", "file_ends", "assignments", "exposures", "sessions", "variety",
    "session_arms", "running", "entered_sessions", "exposed", "arm_sessions", "listeners",
    "excluded", "catalog",
)  # fmt: skip

NO_CONFIGS = ArchivedConfigs()
Trial = tuple[CleanLog, ArchivedConfigs]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trial")


@pytest.fixture(scope="module")
def trial(played: Path) -> Trial:
    return trial_log(played, 120, 60)


def _clean_on_several_servers(clean: CleanLog, folder: Path) -> None:
    """Two servers, one killed: a torn line, turns that the other decided again, a copied file."""
    lines: LogLines = []
    for event in clean.events:
        server, id_ = "ab"[int(event["user"]) % 2], event["decision"]
        file = f"events-{server}-1000-1-0001.jsonl"
        lines.append((file, {**event, "decision": f"{server}{id_}", "key": id_}))
    killed, other = (next(file for file, _ in lines if f"-{each}-" in file) for each in "ab")
    again = [event for file, event in lines if file == killed][-3:]
    write([*lines, *((other, event) for event in again)], folder)
    first, second = sorted(folder.iterdir())
    (folder / "z-copy.jsonl").write_bytes(first.read_bytes())
    with second.open("ab") as file:
        file.write(b'{"message":"next","timest')


def _botify_with_damage(clean: CleanLog, folder: Path) -> None:
    """Botify's lines on two servers, packed, with lines of each kind that is no event."""
    import gzip

    import zstandard

    write(as_botify(clean), folder)
    content = (folder / "b.json").read_bytes().splitlines(keepends=True)
    (folder / "b.json").unlink()
    broken = [
        b"\n", b"not JSON\n", b"[1]\n", b'{"message": 1}\n', b"\xff\xfe\x00\n", content[5], b"{}\n",
        content[7].replace(b'"experiments":{', b'"experiments":[], "was":{'),
    ]  # fmt: skip
    half = len(content) // 3
    (folder / "one.json.gz").write_bytes(gzip.compress(b"".join(content[:half] + broken)))
    frames = [b"".join(content[half:-half]), b"".join(content[half:])]
    packed = b"".join(zstandard.ZstdCompressor().compress(frame) for frame in frames)
    (folder / "other.json.zst").write_bytes(packed[:-20])


def _planted_faults(clean: CleanLog, folder: Path) -> None:
    """Every fault that the doctor plants, each on listeners, files and processes of its own."""
    planted = 0
    for place, fault in enumerate(known_faults()):
        try:
            lines = fault.inject(clean)
        except FaultNotApplicable:
            continue
        planted += 1
        for file, line in lines:
            text = line if isinstance(line, bytes) else json.dumps(_apart(line, place)).encode()
            with (folder / f"f{place}-{file}").open("ab") as opened:
                opened.write(text.rstrip(b"\n") + b"\n")
    assert planted > 20


def _apart(event: dict[str, Any], place: int) -> dict[str, Any]:
    own = {"user": f"f{place}-{event['user']}"}
    own |= {key: f"f{place}-{event[key]}" for key in ("decision", "session") if event.get(key)}
    return {**event, **own}


LOGS: dict[str, Callable[[CleanLog, Path], None]] = {
    "several servers, a torn file and a copy": _clean_on_several_servers,
    "botify, packed and damaged": _botify_with_damage,
    "every planted fault": _planted_faults,
}


@pytest.mark.parametrize("name", LOGS)
def test_tables_and_reports_are_equal(name: str, trial: Trial, tmp_path: Path) -> None:
    clean, archived_configs = trial
    LOGS[name](clean, tmp_path)
    catalog = small_catalog()
    with open_log([tmp_path], catalog=catalog) as log:
        expected = _everything(log, tmp_path, archived_configs)
    with open_log([tmp_path], catalog=catalog, spark=SPARK) as log:
        found = _everything(log, tmp_path, archived_configs)
    assert list(differences(expected, found, name)) == []


def _everything(log: EventLog, folder: Path, archived_configs: ArchivedConfigs) -> dict[str, Any]:
    tables = {table: _sorted(log.engine.arrow(f"SELECT * FROM {table}").to_pylist())
              for table in TABLES}  # fmt: skip
    request = ReportRequest(even_if_invalid=True, segments=("listener", "day", "country"))
    selection = LogSelection([folder])
    report = report_of(log, selection, request, archived_configs, "1", "segue report")
    return {
        "tables": tables,
        "overview": overview(log),
        "listens": _listens(log),
        "rewards": _rewards(log),
        "report": json.loads(to_json(report)),
    }


def _listens(log: EventLog) -> dict[str, Any]:
    """What `segue train` reads of the log."""
    found = listens_of(log, "LOG", small_catalog(), {EXPERIMENT: ["T1"]})
    names = ("session", "position", "user", "track", "time", "at_ms", "propensity")
    columns = {name: getattr(found, name).tolist() for name in names}
    return {**columns, "users": list(found.users), "sources": dict(found.sources)}


def _rewards(log: EventLog) -> dict[str, Any]:
    """What `segue evaluate` reads of the log."""
    try:
        found = logged_rewards(log)
    except InputError as error:  # botify's log has no propensities
        return {"refused": str(error)}
    return {
        "decisions": found.decisions, "tracks": found.tracks, "left_out": found.left_out,
        "listeners": found.listeners.tolist(), "rewards": found.rewards.tolist(),
        "propensities": found.propensities.tolist(),
    }  # fmt: skip


def _sorted(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort rows by what is exact: a float may differ in its last digit."""
    return sorted(
        rows,
        key=lambda row: [str(v) for v in row.values() if not isinstance(v, float)],
    )


@pytest.mark.parametrize("fault", REPLAY_FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_that_only_replay_finds_is_found_alike(
    fault: LogFault, trial: Trial, played: Path, tmp_path: Path
) -> None:
    (clean, archived_configs), configs = trial, played / "log" / "configs"
    write(fault.inject(clean), tmp_path)

    def judge(context: CheckContext, spark: SparkOptions | None) -> CheckResult:
        return replay_check(ReplayFiles([tmp_path], [configs], spark=spark), True)(context)

    with open_log([tmp_path]) as log, CheckContext(log, archived_configs) as context:
        expected = judge(context, None)
        assert expected.status is Status.FAILED
        assert judge(context, SPARK) == expected


@pytest.mark.parametrize("fault", SERVER_FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_of_the_server_is_found_alike(fault: ServerFault, tmp_path: Path) -> None:
    runtime, canaries = loaded(tmp_path / "server"), tmp_path / "canaries"
    run_canaries(runtime.settings, runtime.catalog, canaries, range(60), fault.inject)
    places, _ = with_canaries(runtime.settings, runtime.catalog, canaries)
    tracks = {arm: str(places[f"{EXPERIMENT} {arm}"]) for arm in ("C", "T1")}

    def judge(spark: SparkOptions | None) -> CheckResult:
        with open_log([canaries], spark=spark) as log, CheckContext(log, NO_CONFIGS) as context:
            return check_constant_arms(context, EXPERIMENT, tracks=tracks)

    expected = judge(None)
    assert expected.status is Status.FAILED
    assert judge(SPARK) == expected
