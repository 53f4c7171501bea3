"""`segue strategies`, as it prints to a terminal."""

import json

import pytest
from typer.testing import CliRunner

from cli import main
from core.errors import SegueError
from strategies import registry


def segue(*words):
    result = CliRunner(env={"COLUMNS": "160"}).invoke(main.build(), ["strategies", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_all_types_are_listed_with_what_they_are_about():
    said = segue()
    for name, found in registry.known().items():
        assert name in said
        assert found.about[:40] in said
    assert "list (required)" in said
    assert "liked: 0.65" in said


@pytest.mark.parametrize("name", registry.known())
def test_one_type_is_shown_in_full(name):
    said = segue(name)
    assert all(f"{section}: " in said for section in ("Reads", "Abstains", "Chance", "Cost"))
    for key in registry.find(name).params.model_fields:
        assert key in said
    assert f"type: {name}" in said


def test_every_param_has_a_value_and_a_meaning():
    for described in json.loads(segue("--json")):
        assert registry.find(described["type"]).about == described["about"]
        for param in described["params"]:
            assert param["meaning"], f"{described['type']}.{param['name']}"
            assert param["value"] != ""


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("contextual", "list", "name of lists by track"),
        ("personal", "list", "name of lists by user"),
        ("contextual", "draw", "uniform | first | rank"),
        ("contextual_and_popular", "popular", "name of a strategy"),
        ("contextual_with_memory", "unheard", "history"),
        ("contextual_liked", "liked", "number >= 0 <= 1"),
        ("top_pop", "top", "integer >= 1"),
        ("mixture", "strategies", "name of a strategy: weight"),
        ("constant", "track", "id of a track"),
        ("gate", "cases", "list"),
    ],
)
def test_the_values_of_a_param_are_described_in_words(name, key, value):
    params = {param["name"]: param for param in json.loads(segue(name, "--json"))["params"]}
    assert params[key]["value"] == value


def test_a_type_may_describe_a_shared_param_in_its_own_words():
    def of(name):
        params = json.loads(segue(name, "--json"))["params"]
        return next(p["meaning"] for p in params if p["name"] == "unheard")

    assert of("contextual").startswith(
        "Tracks to leave out: `none`, those heard in this `session`, or"
    )
    assert of("best_heard").startswith("As for every list, but `session` by default")


def test_an_unknown_type_is_an_error_with_the_nearest_name():
    with pytest.raises(SegueError, match=r"unknown strategy type 'contextul'. Did you mean 'conte"):
        segue("contextul")
