"""Params of every registered type, as config has them: faults are found before the port opens."""

import json

import pytest
import yaml
from pydantic import ValidationError

from core.errors import InputError
from engine.settings.loading import load_settings
from segue.testing.small_world import CONFIGURED, example_params
from strategies import registry
from strategies.base import marks_of
from tests.service import loaded
from tests.worlds import every_type

NUMBERS = ("integer", "number")


def faults(folder, entry):
    """List the faults that `segue check` finds where the strategy `tried` is this entry."""
    path = folder / "config.yaml"
    sections = {
        "catalog": {
            "tracks": "tracks.jsonl",
            "lists": {"contextual": "c", "personal": "p"},
            "vectors": {"taste": "t"},
            "tables": {"interests": "i"},
        },
        "strategies": {**CONFIGURED, "tried": entry},
        "default": "random",
    }
    path.write_text(yaml.safe_dump(sections))
    try:
        load_settings(path)
    except InputError as error:
        return [str(fault).removeprefix(f"{path}: ") for fault in error.faults]
    return []


def fields(choose):
    """List type, name and JSON schema of every param that `choose` accepts."""
    found = []
    for name, registered in registry.known().items():
        schema = registered.params.model_json_schema().get("properties", {})
        found += [
            pytest.param(name, key, said, id=f"{name}.{key}")
            for key, said in schema.items()
            if choose(registered, key, said)
        ]
    return found


over_every_type = pytest.mark.parametrize("name", registry.known())


@over_every_type
def test_the_example_is_sound(name, tmp_path):
    assert faults(tmp_path, every_type()[name]) == []


@over_every_type
def test_an_unknown_param_is_named_with_the_nearest_known(name, tmp_path):
    known = [*registry.find(name).params.model_fields, "fallback"][0]
    (fault,) = faults(tmp_path, {**every_type()[name], f"{known}x": 1})
    assert fault.startswith(f"strategies.tried.{known}x: unknown key '{known}x'. ")
    assert f"Did you mean '{known}'? Known: " in fault


@pytest.mark.parametrize(
    ("name", "key", "said"), fields(lambda r, key, _: r.params.model_fields[key].is_required())
)
def test_a_missing_param_is_named(name, key, said, tmp_path):
    entry = every_type()[name]
    del entry[key]
    assert faults(tmp_path, entry) == [
        f"strategies.tried.{key}: must be there, since it has no default. Add it"
    ]


@pytest.mark.parametrize(
    ("name", "key", "said"), fields(lambda r, key, said: said.get("type") in NUMBERS)
)
def test_a_number_out_of_range_is_named(name, key, said, tmp_path):
    lowest, highest = said.get("minimum", said.get("exclusiveMinimum")), said.get("maximum")
    assert lowest is not None, f"{name}.{key} has no lowest value; give its Field a ge= or gt="
    beyond = [lowest - 1, *([] if highest is None else [highest + 1]), float("inf"), float("nan")]
    for value in beyond:
        found = faults(tmp_path, {**every_type()[name], key: value})
        assert [fault for fault in found if fault.startswith(f"strategies.tried.{key}: ")], value


@pytest.mark.parametrize(("name", "key", "said"), fields(lambda r, key, said: "enum" in said))
def test_an_unknown_choice_is_named_with_the_known_ones(name, key, said, tmp_path):
    (fault,) = faults(tmp_path, {**every_type()[name], key: "no-such-choice"})
    assert fault.startswith(f"strategies.tried.{key}: ")
    assert fault.endswith("got 'no-such-choice'")
    assert all(repr(choice) in fault for choice in said["enum"])


@pytest.mark.parametrize(("name", "key", "said"), fields(lambda *_: True))
def test_a_param_of_a_wrong_type_is_named(name, key, said, tmp_path):
    found = faults(tmp_path, {**every_type()[name], key: [["wrong"]]})
    assert found
    assert all(fault.startswith(f"strategies.tried.{key}") for fault in found)


@pytest.mark.parametrize(
    ("name", "key", "said"),
    fields(
        lambda r, key, said: (
            {mark.kind for mark in marks_of(r.params.model_fields[key])}
            & {"strategy", "track lists", "user lists"}
        )
    ),
)
def test_a_param_with_an_unknown_name_is_reported_with_the_nearest_known_name(
    name, key, said, tmp_path
):
    entry = json.loads(json.dumps(every_type()[name]).replace("contextual", "contextuall"))
    entry["type"] = name
    if "contextuall" not in json.dumps(entry.get(key)):
        entry = {**every_type()[name], key: "contextuall"}
    found = [fault for fault in faults(tmp_path, entry) if f"strategies.tried.{key}" in fault]
    assert found
    assert all("'contextuall'. Did you mean 'contextual'? Known: " in fault for fault in found)


@pytest.mark.parametrize(
    ("name", "key", "said"),
    fields(
        lambda r, key, said: (
            {mark.kind for mark in marks_of(r.params.model_fields[key])}
            & {"track lists", "user lists"}
        )
    ),
)
def test_lists_of_the_wrong_key_are_a_fault_that_names_both_keys(name, key, said, tmp_path):
    entry = every_type()[name]
    kind, wrong, is_by = ("user", "contextual", "track")
    if "contextual" in str(entry.get(key)):
        kind, wrong, is_by = ("track", "personal", "user")
    is_mapping = isinstance(entry.get(key), dict)
    at = f"{key}.{wrong}" if is_mapping else key
    with pytest.raises(InputError) as raised:
        loaded(
            tmp_path,
            strategies={**CONFIGURED, "tried": {**entry, key: {wrong: 1} if is_mapping else wrong}},
            default="random",
            experiments=[],
        )
    assert [str(fault).partition(": ")[2] for fault in raised.value.faults] == [
        f"strategies.tried.{at}: must name lists keyed by {kind}; '{wrong}' is keyed by {is_by}"
    ]


@over_every_type
def test_params_hold_what_the_config_says(name):
    """No value is clipped, and none is cast to a different one."""
    given = example_params(registry.find(name).params)
    params = registry.find(name).params.model_validate(given)
    for key, value in given.items():
        has = getattr(params, key)
        assert has == value or not isinstance(value, str | int | float)


def test_a_fault_inside_a_list_names_its_place():
    with pytest.raises(ValidationError, match=r"cases\.1\.below"):
        registry.find("gate").params.model_validate(
            {"cases": [{"below": 0.1, "use": "random"}, {"below": 2, "use": "random"}]}
        )


@pytest.mark.parametrize("fallback", [["random"], {"type": "random"}], ids=repr)
@over_every_type
def test_a_fallback_that_is_no_name_is_a_fault(name, fallback, tmp_path):
    found = faults(tmp_path, {**every_type()[name], "fallback": fallback})
    assert found == [f"strategies.tried.fallback: must be the name of a strategy, got {fallback!r}"]


@pytest.mark.parametrize(("fallback", "written"), [(3, "3"), (True, "true")], ids=repr)
@over_every_type
def test_a_fallback_that_yaml_reads_as_no_string_is_a_fault(name, fallback, written, tmp_path):
    found = faults(tmp_path, {**every_type()[name], "fallback": fallback})
    assert f"strategies.tried.fallback: must be a string, but YAML reads {written}" in found[0]
