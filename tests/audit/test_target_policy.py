"""A target policy: a strategy asked at a turn of the log, as the server would ask it."""

from pathlib import Path
from typing import Any

import pytest

from audit.replay import Replayer
from audit.synthetic_traffic import SyntheticTraffic
from audit.target_policy import TargetPolicy
from core.errors import InputError
from core.listener import History
from engine.config_snapshots import load_snapshot
from engine.runtime import Runtime
from events.config_snapshots import snapshots_beside
from events.event_files import find_event_files
from events.merge import merge_events
from tests.audit.test_replay import every_strategy
from tests.service import loaded


def propensities_in(log: Path, runtime: Runtime) -> list[tuple[float, float, int, int]]:
    """Give (logged propensity, propensity, logged candidates, candidates) of each decision."""
    found = []
    targets = {name: TargetPolicy(runtime, name) for name in runtime.chains}
    kept = snapshots_beside([log])

    def watch(event: Any, history: History) -> None:
        target = targets[event["strategy"]]
        before = (history.listens[:], history.session_start, history.turn)
        candidates = target.candidates(history, event)
        assert before == (history.listens, history.session_start, history.turn)
        assert candidates is not None
        propensity = target.propensity_of(candidates, event["recommendation"])
        found.append((event["propensity"], propensity, event["candidates"], len(candidates)))

    replayer = Replayer(lambda digest: load_snapshot(kept[digest]), watch=watch)
    for event, where in merge_events(find_event_files([log]), replayer.result.skip):
        replayer.take(event, where)
    assert replayer.finish().sound
    assert len(found) == replayer.result.decisions > 500
    return found


def test_the_serving_strategy_gives_the_logged_propensity(tmp_path: Path) -> None:
    runtime = loaded(tmp_path, every_strategy(1))
    with SyntheticTraffic(runtime, tmp_path / "log", seed=5) as trial:
        trial.play(range(150), 300)
    for logged, propensity, candidates, proposed in propensities_in(tmp_path / "log", runtime):
        assert propensity == pytest.approx(logged)
        assert proposed == candidates


def test_a_catalog_in_a_new_order_changes_nothing(tmp_path: Path) -> None:
    runtime = loaded(tmp_path / "one", every_strategy(1))
    with SyntheticTraffic(runtime, tmp_path / "log", seed=6) as trial:
        trial.play(range(150), 300)
    loaded(tmp_path / "two", every_strategy(1))
    tracks = tmp_path / "two" / "tracks.jsonl"
    tracks.write_text("\n".join(reversed(tracks.read_text().splitlines())) + "\n")
    other = loaded(tmp_path / "two", every_strategy(1))
    assert other.catalog.ids != runtime.catalog.ids
    for logged, propensity, *_ in propensities_in(tmp_path / "log", other):
        assert propensity == pytest.approx(logged)


def test_an_unknown_strategy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown strategy 'improoved'. Did you mean 'improved'"):
        TargetPolicy(loaded(tmp_path), "improoved")
