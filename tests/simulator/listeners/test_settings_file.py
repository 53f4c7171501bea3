"""Listener models by name, and from a file with every fault named."""

from pathlib import Path

import pytest

from core.errors import InputError
from simulator.listeners.settings import EFFECTS, ListenerSettings, Skips
from simulator.listeners.settings_file import read_listener


@pytest.mark.parametrize("name", ["botify", "lifelong"])
def test_a_models_name_is_enough(name: str) -> None:
    assert read_listener(name) == ListenerSettings(listener=name)  # type: ignore[arg-type]


def test_classic_still_names_botifys_listener(tmp_path: Path) -> None:
    file = written(tmp_path, "listener: classic\nsession_budget: 7")
    assert read_listener("classic") == ListenerSettings(listener="botify")
    assert read_listener(file) == ListenerSettings(listener="botify", session_budget=7)


def written(folder: Path, text: str) -> str:
    path = folder / "listener.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_effects_are_switched_off_by_false_and_on_by_true(tmp_path: Path) -> None:
    settings = read_listener(
        written(
            tmp_path,
            "listener: lifelong\nsession_budget: 7\nhype: off\ndrift: null\nskips: true\n"
            "weariness: {track_days: 3}\n",
        )
    )
    assert settings.hype is None
    assert settings.drift is None
    assert settings.skips == Skips()
    assert settings.weariness is not None
    assert settings.weariness.track_days == 3
    assert settings.leaving is not None
    assert settings.session_budget == 7


def test_a_botify_listener_has_three_numbers(tmp_path: Path) -> None:
    settings = read_listener(written(tmp_path, "artist_discount: 0.9\nlistener: botify"))
    assert settings.artist_discount == 0.9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listener: lifelong\nskip: {}", r"yaml: skip: unknown key 'skip'. Did you mean 'skips'"),
        (
            "listener: lifelong\nhype: {track: 3}",
            r"yaml: hype.track: unknown key 'track'. Did you mean 'tracks'",
        ),
        (
            "listener: lifelong\nleaving: {floor: 1.5}",
            r"leaving.floor: input should be less than or equal to 1, got 1.5",
        ),
        (
            "listener: lifelong\nleaving: {floor: .nan}",
            r"leaving.floor: input should be a finite number, got nan",
        ),
        (
            "listener: lifelong\nskips: {by_5_s: 0.4}",
            r"skips: by_5_s, by_10_s, by_30_s and before_end must rise, got \[0.4, 0.29",
        ),
        ("hype: {}", r"the botify listener has no hype; say listener: lifelong"),
        ("listener: eternal", r"listener: input should be 'botify' or 'lifelong', got 'eternal'"),
        ("lifelong", r"must be a mapping"),
        ("a: [", r"must be YAML"),
    ],
    ids=[
        "unknown-effect",
        "unknown-key-of-an-effect",
        "out-of-range",
        "not-a-number",
        "falling-shares",
        "effect-of-botify",
        "unknown-model",
        "no-mapping",
        "no-yaml",
    ],
)
def test_a_fault_names_its_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_listener(written(tmp_path, text))


def test_an_error_for_a_missing_file_names_the_models() -> None:
    with pytest.raises(InputError, match=r"must be botify, lifelong, or a YAML file that exists"):
        read_listener("lifelng")


@pytest.mark.parametrize("effect", sorted(EFFECTS))
def test_every_setting_is_documented(effect: str) -> None:
    block = ListenerSettings.model_fields[effect].default
    documented = type(block).__doc__.partition("Attributes:")[2]
    assert [key for key in type(block).model_fields if f"{key}:" not in documented] == []
