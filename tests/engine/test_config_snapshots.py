"""Kept configs: what decided can be built again from its copy, or says what has changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from engine.config_snapshots import load_snapshot, save_snapshot
from tests.service import loaded

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


def test_a_kept_config_builds_what_decided(tmp_path: Path) -> None:
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


def test_a_copy_that_somebody_edited_is_refused(tmp_path: Path) -> None:
    path = save_snapshot(loaded(tmp_path), tmp_path / "log")
    kept = json.loads(path.read_text())
    kept["experiments"][0]["salt"] = "another"
    path.write_text(json.dumps(kept))

    with pytest.raises(InputError, match=f"must be as it was kept, with digest {kept['digest']}"):
        load_snapshot(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read"), ("{", "must be JSON"), ("[]", "must be the copy"),
     ("{}", "must be the copy")],
    ids=["missing", "torn", "a-list", "something-else"],
)  # fmt: skip
def test_what_is_no_copy_is_refused(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "abc.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(InputError, match=complaint):
        load_snapshot(path)


def test_defaults_are_the_same_written_out(tmp_path: Path) -> None:
    """A default of 1800 for a float was another digest than the 1800.0 that its copy gave."""
    served = loaded(tmp_path)
    assert load_snapshot(save_snapshot(served, tmp_path / "log")).digest == served.digest
    spelled = loaded(tmp_path, state={"session_gap_s": 1800.0, "history": 100})
    assert spelled.digest == served.digest
