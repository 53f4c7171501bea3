"""Every fault of a config is reported, with its place, what must hold and what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import build
from core.errors import InputError
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from tests.service import loaded, write_config

Config = dict[str, Any]


def faults_of(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_runtime(load_settings(path))
    return [str(fault) for fault in caught.value.faults]


def change(*path: str | int, to: Any) -> Callable[[Config], None]:
    """Make a change of one key, by its path."""

    def apply(config: Config) -> None:
        here: Any = config
        for part in path[:-1]:
            here = here[part]
        here[path[-1]] = to

    return apply


FAULTS: dict[str, tuple[Callable[[Config], None], str]] = {
    "unknown-key": (
        change("experimens", to=[]),
        "experimens: unknown key 'experimens'. Did you mean 'experiments'?",
    ),
    "unknown-key-deeper": (
        change("experiments", 0, "arms", "C", "wieght", to=50),
        "experiments.0.arms.C.wieght: unknown key 'wieght'. Did you mean 'weight'?",
    ),
    "missing-section": (lambda config: config.pop("catalog"), "catalog: must be there"),
    "unknown-type": (
        change("strategies", "popular", "type", to="top_popp"),
        "strategies.popular.type: unknown strategy type 'top_popp'. Did you mean 'top_pop'?",
    ),
    "no-type": (change("strategies", "popular", to={}), "strategies.popular: must be a mapping"),
    "unknown-param": (
        change("strategies", "popular", "topp", to=3),
        "strategies.popular.topp: unknown key 'topp'. Did you mean 'top'?",
    ),
    "param-out-of-range": (
        change("strategies", "popular", "top", to=0),
        "strategies.popular.top: input should be greater than or equal to 1, got 0",
    ),
    "missing-param": (
        lambda config: config["strategies"]["contextual"].pop("list"),
        "strategies.contextual.list: must be there",
    ),
    "unknown-default": (
        change("default", to="contextuall"),
        "default: unknown strategy 'contextuall'. Did you mean 'contextual'?",
    ),
    "unknown-fallback": (
        change("strategies", "popular", "fallback", to="rndom"),
        "strategies.popular.fallback: unknown strategy 'rndom'. Did you mean 'random'?",
    ),
    "arm-naming-no-strategy": (
        change("experiments", 0, "arms", "T1", "strategy", to="nothing"),
        "experiments.0.arms.T1.strategy: unknown strategy 'nothing'",
    ),
    "arm-without-strategy": (
        lambda config: config["experiments"][0]["arms"]["T1"].pop("strategy"),
        "experiments.0.arms.T1: must name a strategy, since layer 'serving' answers requests",
    ),
    "strategy-in-a-layer-of-labels": (
        change("experiments", 0, "layer", to="colours"),
        "experiments.0.arms.C.strategy: may only stand in layer 'serving'",
    ),
    "weights-that-do-not-add-up": (
        change("experiments", 0, "arms", "C", "weight", to=49),
        "experiments.0.arms: weights must add up to 100 or to 1, got a sum of 99",
    ),
    "negative-weight": (
        change("experiments", 0, "arms", "C", "weight", to=-50),
        "experiments.0.arms.C.weight: input should be greater than or equal to 0",
    ),
    "weight-not-a-number": (
        change("experiments", 0, "arms", "C", "weight", to=float("nan")),
        "experiments.0.arms.C.weight: input should be",
    ),
    "traffic-above-1": (
        change("experiments", 0, "traffic", to=1.5),
        "experiments.0.traffic: input should be less than or equal to 1, got 1.5",
    ),
    "unequal-weights-of-botify": (
        lambda config: (
            change("experiments", 0, "hash", to="botify")(config),
            change("experiments", 0, "arms", "C", "weight", to=60)(config),
            change("experiments", 0, "arms", "T1", "weight", to=40)(config),
        ),
        "experiments.0.arms: must have equal weights, since hash: botify has no others",
    ),
    "name-twice": (
        lambda config: config["experiments"].append(config["experiments"][0]),
        "experiments.1.name: must be unique, got 'fallback' twice",
    ),
    "overlapping-slots": (
        lambda config: config["experiments"].append(
            {**config["experiments"][0], "name": "other", "slots": [9_999, 10_000]}
        ),
        "experiments.1.slots: [9999, 10000) overlaps 'fallback' [0, 10000)",
    ),
    "slots-backwards": (
        change("experiments", 0, "slots", to=[5, 5]),
        "experiments.0.slots: must be [from, to) in 0..10000, got [5, 5]",
    ),
    "forced-into-no-arm": (
        change("experiments", 0, "forced", to={7: "T2"}),
        "experiments.0.forced.7: unknown arm 'T2'. Known: C, T1",
    ),
    "fallback-circle": (
        change("strategies", "random", "fallback", to="popular"),
        "got the circle random -> popular -> random",
    ),
    "uses-circle": (
        lambda config: config["strategies"].update(
            a={"type": "mixture", "strategies": {"b": 1}},
            b={"type": "mixture", "strategies": {"a": 1}},
        ),
        "got the circle a -> b -> a",
    ),
    "chain-that-may-not-answer": (
        lambda config: config["strategies"]["contextual"].pop("fallback"),
        "strategies.contextual: must never abstain, since it ends the chain of 'contextual'",
    ),
    "unknown-lists": (
        change("strategies", "contextual", "list", to="contextal"),
        "strategies.contextual.list: unknown lists 'contextal'. Did you mean 'contextual'?",
    ),
    "lists-of-another-key": (
        change("strategies", "contextual", "list", to="personal"),
        "strategies.contextual.list: must name lists keyed by track; 'personal' is keyed by user",
    ),
    "top-list-missing": (lambda config: config["catalog"].pop("top"), "strategies.popular: "),
    "missing-file": (
        change("catalog", "tracks", to="nowhere.jsonl"),
        "nowhere.jsonl: cannot be read: No such file or directory",
    ),
    "missing-list-file": (
        change("catalog", "lists", "contextual", to="nowhere.npz"),
        "nowhere.npz: cannot be read: No such file or directory",
    ),
    "unknown-module": (change("modules", to=["no.such.module"]), "modules: "),
    "history-of-none": (change("state", to={"history": 0}), "state.history: input should be"),
    "state-elsewhere": (change("state", to={"backend": "disk"}), "state.backend: input should be"),
    "list-for-a-mapping": (change("strategies", to=["random"]), "strategies: input should be"),
}


@pytest.mark.parametrize(("wrong", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_with_its_place_and_what_to_do(
    tmp_path: Path, wrong: Callable[[Config], None], message: str
) -> None:
    found = faults_of(write_config(tmp_path, wrong))

    assert any(message in fault for fault in found), found
    assert all(str(tmp_path) in fault for fault in found)


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    def several(config: Config) -> None:
        for name in ("unknown-default", "arm-naming-no-strategy", "weights-that-do-not-add-up"):
            FAULTS[name][0](config)

    assert len(faults_of(write_config(tmp_path, several))) == 3


def test_faults_of_several_data_files_are_reported_together(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    (tmp_path / "top_tracks.json").write_text("[]")
    (tmp_path / "contextual.jsonl").write_text('{"track": 1000, "recommendations": [1, 1010]}\n')
    (tmp_path / "personal.jsonl").write_text("")

    found = faults_of(path)
    assert len(found) == 3
    assert any("top_tracks.json: must be a JSON array of at least one" in f for f in found)
    assert any("contextual.jsonl:1: 1 of 2 tracks are not in the catalog: 1" in f for f in found)
    assert any("personal.jsonl: must have at least one list" in f for f in found)


def test_a_track_that_stands_twice_is_a_fault_of_its_line(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    with (tmp_path / "tracks.jsonl").open("a") as file:
        file.write('{"track": "1000", "artist": "Again", "title": "Again"}\n')

    (found,) = faults_of(path)
    assert "tracks.jsonl:25: track '1000' is already in line 1" in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a mapping of sections, has nothing"),
        ("- a", "must be a mapping of sections, has list"),
        ("a: [", "must be YAML"),
        ("default: a\ndefault: b\n", "key 'default' stands twice"),
        ("\x00", "must be YAML"),
    ],
    ids=["empty", "a-list", "cut-off", "a-key-twice", "no-text"],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    (found,) = faults_of(path)
    assert message in found


def test_a_missing_config_names_the_option(tmp_path: Path) -> None:
    (found,) = faults_of(tmp_path / "none.yaml")

    assert "none.yaml: cannot be read: No such file or directory. Name a config with" in found


def test_only_settings_that_decide_change_the_digest(tmp_path: Path) -> None:
    digest = loaded(tmp_path).digest

    assert loaded(tmp_path, events={"dir": "elsewhere"}).digest == digest
    assert loaded(tmp_path, server={"port": 8001}).digest == digest
    assert loaded(tmp_path, change("strategies", "popular", "top", to=7)).digest != digest
    assert loaded(tmp_path, change("experiments", 0, "salt", to="b")).digest != digest
    assert loaded(tmp_path, change("default", to="random")).digest != digest
    assert loaded(tmp_path, holdout={"share": 0.1}).digest != digest
    (tmp_path / "top_tracks.json").write_text("[1000]")
    assert loaded(tmp_path).digest != digest


def test_check_ends_with_2_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cli.main import main

    path = write_config(tmp_path, FAULTS["unknown-default"][0])
    monkeypatch.setattr("sys.argv", ["segue", "check", "--config", str(path)])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert "1 fault found" in shown.err
    assert "Did you mean 'contextual'?" in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_check_of_a_sound_config_shows_the_served_config(tmp_path: Path) -> None:
    path = write_config(tmp_path)

    result = CliRunner().invoke(build(), ["check", "--config", str(path)])

    assert result.exit_code == 0
    assert "24 tracks, 2 lists, 4 strategies" in result.output
    assert "experiment fallback: C 50 contextual, T1 50 improved; traffic 1" in result.output
    assert not (tmp_path / "log").exists()


def test_check_lists_the_names_of_0_1_that_have_a_new_name() -> None:
    path = Path(__file__).parents[1] / "golden/logs/schema-1/default-config/config.yaml"

    result = CliRunner().invoke(build(), ["check", "--config", str(path)])

    message = " ".join(result.output.split())
    assert result.exit_code == 0
    assert "'fallback', the shipped config now has 'toppop_after_skip'" in message
    assert "'taste', the shipped config now has 'liked_track_vs_personal'" in message
    assert message.count("Keep the old name while the experiment runs") == 2


def test_check_leaves_an_experiment_of_the_same_name_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(build(), ["check", "--config", str(write_config(tmp_path))])

    assert "experiment fallback: " in result.output
    assert "renamed" not in result.output
