"""Config snapshots: a config is built again from its snapshot, or the error names the change."""

import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from core.listener_tables import save_table
from core.vector_archive import save_vectors
from engine.config_snapshots import load_snapshot, save_snapshot
from events.config_snapshots import FORMAT
from segue.testing.small_world import small_catalog, small_table
from tests.service import WITH_VECTORS, loaded

EVERY_KIND: dict[str, Any] = {
    "random": {"type": "random"},
    "canary": {"type": "constant", "track": 1000},
    "popular": {"type": "top_pop", "top": 8, "fallback": "random"},
    "sticky": {"type": "sticky_artist", "fallback": "popular"},
    "ranked": {"type": "contextual", "list": "contextual", "draw": "rank", "fallback": "random"},
    "personal": {"type": "personal", "list": "personal", "fallback": "random"},
    "gate": {
        "type": "gate",
        "cases": [{"below": 0.3, "use": "popular"}, {"use": "contextual"}],
        "fallback": "random",
    },
    "mixture": {"type": "mixture", "strategies": {"popular": 9, "random": 1}, "fallback": "random"},
}


def test_a_snapshot_rebuilds_the_runtime_that_decided(tmp_path: Path) -> None:
    def all_kinds(config: dict[str, Any]) -> None:
        config["strategies"] |= EVERY_KIND
        config["state"] = {"history": 7, "session_gap_s": 60}
        config["holdout"] = {"share": 0.1, "salt": "h"}
        config["experiments"][0]["targeting"] = {"country": ["NL", "BE"]}
        config["experiments"][0]["forced"] = {7: "T1"}

    served = loaded(tmp_path, all_kinds)

    again = load_snapshot(save_snapshot(served, tmp_path / "log"))

    assert again.digest == served.digest
    assert again.described == served.described
    assert again.settings.state.history == 7
    assert list(again.chains) == list(served.chains)


def test_data_that_changed_is_named(tmp_path: Path) -> None:
    path = save_snapshot(loaded(tmp_path), tmp_path / "log")
    (tmp_path / "top_tracks.json").write_text("[1000, 1010]")

    with pytest.raises(InputError, match=r"paths\.top: must be the data that decided") as caught:
        load_snapshot(path)

    assert len(caught.value.faults) == 1


def test_data_that_is_gone_is_named(tmp_path: Path) -> None:
    path = save_snapshot(loaded(tmp_path), tmp_path / "log")
    (tmp_path / "contextual.jsonl").unlink()

    with pytest.raises(InputError, match=r"contextual\.jsonl: cannot be read"):
        load_snapshot(path)


def test_an_edited_snapshot_is_refused(tmp_path: Path) -> None:
    path = save_snapshot(loaded(tmp_path), tmp_path / "log")
    kept = json.loads(path.read_text())
    kept["experiments"][0]["salt"] = "another"
    path.write_text(json.dumps(kept))

    with pytest.raises(InputError, match=f"must have the content of digest {kept['digest']}"):
        load_snapshot(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read"), ("{", "must be JSON"), ("[]", "must be a config snapshot"),
     ("{}", "must be a config snapshot")],
    ids=["missing", "torn", "a-list", "something-else"],
)  # fmt: skip
def test_a_file_that_is_no_snapshot_is_refused(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    path = tmp_path / "abc.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(InputError, match=complaint):
        load_snapshot(path)


def test_a_changed_byte_of_a_snapshot_is_refused(tmp_path: Path) -> None:
    """Somebody may edit the paths of data and modules, and nothing else."""

    def planned(config: dict[str, Any]) -> None:
        config["experiments"][0]["planned"] = {"listeners": 100, "until": date(2026, 12, 1)}
        config["report"] = {"primary": "session_time"}

    path = save_snapshot(loaded(tmp_path, planned), tmp_path / "log")
    written = path.read_bytes()
    free = range(written.index(b'"modules"'), written.index(b'"beside": {\n    "defaults"'))
    load_snapshot(path)
    letters = [n for n, byte in enumerate(written) if chr(byte).isalnum() and n not in free]

    for place in letters:
        other = b"1" if written[place : place + 1] != b"1" else b"2"
        path.write_bytes(written[:place] + other + written[place + 1 :])
        with pytest.raises(InputError, match=re.escape(str(path))):
            load_snapshot(path)


def test_plans_and_report_settings_are_not_part_of_the_digest(tmp_path: Path) -> None:
    def planned(config: dict[str, Any]) -> None:
        config["experiments"][0]["planned"] = {"listeners": 100}
        config["report"] = {"primary": "session_time"}

    served = loaded(tmp_path, planned)
    kept = json.loads(save_snapshot(served, tmp_path / "log").read_text())

    assert served.digest == loaded(tmp_path / "plain").digest
    assert kept["beside"]["planned"] == {"fallback": {"listeners": 100}}
    assert kept["beside"]["report"]["primary"] == "session_time"
    assert kept["beside"]["server"]["port"] == 8000
    assert kept["beside"]["defaults"]["state"]["history"] == 100


def test_a_snapshot_under_the_name_of_a_different_config_is_refused(tmp_path: Path) -> None:
    path = save_snapshot(loaded(tmp_path), tmp_path / "log")
    renamed = path.rename(path.with_name("0123456789ab.json"))

    with pytest.raises(InputError, match=f"digest: must be the file's name, {renamed.stem}"):
        load_snapshot(renamed)


def test_a_snapshot_of_a_later_format_is_refused(tmp_path: Path) -> None:
    path = save_snapshot(loaded(tmp_path), tmp_path / "log")
    path.write_text(path.read_text().replace(f'"format": {FORMAT}', '"format": 99'))

    with pytest.raises(InputError, match=r"format: must be at most \d+, got 99. A later version"):
        load_snapshot(path)


def test_a_damaged_snapshot_is_written_again(tmp_path: Path) -> None:
    served = loaded(tmp_path)
    path = save_snapshot(served, tmp_path / "log")
    path.write_bytes(path.read_bytes()[:100])

    assert load_snapshot(save_snapshot(served, tmp_path / "log")).digest == served.digest


def test_data_that_was_moved_with_a_snapshot_wins_over_data_at_the_old_place(
    tmp_path: Path,
) -> None:
    served = loaded(tmp_path / "server")
    save_snapshot(served, tmp_path / "server" / "log")
    shutil.copytree(tmp_path / "server", tmp_path / "archive" / "2026-11")
    (tmp_path / "server" / "top_tracks.json").write_text("[1000, 1010]")

    moved = tmp_path / "archive" / "2026-11" / "log" / "configs" / f"{served.digest}.json"
    assert load_snapshot(moved).digest == served.digest

    (tmp_path / "archive" / "2026-11" / "top_tracks.json").unlink()
    with pytest.raises(InputError, match=r"paths\.top: must be the data that decided"):
        load_snapshot(moved)


def test_a_default_that_is_written_out_changes_nothing(tmp_path: Path) -> None:
    """The digest once differed: a float's default was 1800, and its copy gave 1800.0."""
    served = loaded(tmp_path)
    assert load_snapshot(save_snapshot(served, tmp_path / "log")).digest == served.digest
    spelled = loaded(tmp_path, state={"session_gap_s": 1800.0, "history": 100})
    assert spelled.digest == served.digest


@pytest.mark.parametrize("kind", ["vectors.taste", "tables.interests"])
def test_vectors_and_tables_that_changed_are_named(tmp_path: Path, kind: str) -> None:
    path = save_snapshot(loaded(tmp_path, catalog=WITH_VECTORS), tmp_path / "log")
    catalog = small_catalog()
    if kind == "vectors.taste":
        save_vectors(tmp_path / "taste.npz", "track", [0], np.eye(1), catalog, {})
    else:
        table = small_table()
        save_table(tmp_path / "interests.npz", table.keys, table.rows, catalog, {"made": "again"})

    with pytest.raises(InputError, match=rf"paths\.{kind}: must be the data that decided"):
        load_snapshot(path)
