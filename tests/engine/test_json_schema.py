"""The schema of config.yaml takes what Segue takes, and refuses most of what Segue refuses."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import ValidationError
from typer.testing import CliRunner

import strategies  # noqa: F401  (importing it registers the built-in types)
from cli.main import build
from engine.settings.json_schema import config_schema
from strategies import registry
from tests.engine.test_settings import FAULTS
from tests.service import CONFIG

ROOT = Path(__file__).parents[2]
SCHEMA = config_schema(registry.known())


def faults_of(config: dict[str, Any]) -> list[str]:
    """List the places that the schema refuses."""
    plain = json.loads(json.dumps(config))
    return [error.json_path for error in Draft7Validator(SCHEMA).iter_errors(plain)]


def with_strategy(entry: dict[str, Any]) -> dict[str, Any]:
    return {**copy.deepcopy(CONFIG), "strategies": {"s": entry}}


def test_the_schema_is_of_the_draft_that_it_names() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(SCHEMA)


def test_the_default_config_and_the_config_of_the_tests_fit() -> None:
    assert faults_of(yaml.safe_load((ROOT / "config.yaml").read_text())) == []
    assert faults_of(CONFIG) == []


OF_FORM = {
    "unknown-key",
    "unknown-key-deeper",
    "missing-section",
    "unknown-type",
    "no-type",
    "unknown-param",
    "param-out-of-range",
    "missing-param",
    "negative-weight",
    "traffic-above-1",
    "history-of-none",
    "state-elsewhere",
    "list-for-a-mapping",
}
"""Faults of a config's form; a schema cannot know names, sums and files."""


@pytest.mark.parametrize("name", sorted(OF_FORM))
def test_a_fault_of_form_is_one_for_the_schema_too(name: str) -> None:
    config = copy.deepcopy(CONFIG)
    FAULTS[name][0](config)

    assert faults_of(config)


def examples(name: str) -> list[dict[str, Any]]:
    """Give params of a type: its own examples, or a name for each that is required."""
    params = registry.find(name).params
    extra = params.model_config.get("json_schema_extra")
    own: Any = extra.get("examples") if isinstance(extra, dict) else None
    required = {key: f"a_{key}" for key, info in params.model_fields.items() if info.is_required()}
    return list(own or [required])


def sound(name: str, params: dict[str, Any]) -> bool:
    try:
        registry.find(name).params.model_validate(params)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", registry.known())
def test_params_that_a_type_takes_fit_the_schema(name: str) -> None:
    for params in examples(name):
        assert sound(name, params)
        assert faults_of(with_strategy({"type": name, "fallback": "s", **params})) == []
        model = registry.find(name).params.model_validate(params)
        every = model.model_dump(mode="json")
        assert faults_of(with_strategy({"type": name, **every})) == []


@pytest.mark.parametrize("name", registry.known())
def test_params_that_a_type_refuses_do_not_fit(name: str) -> None:
    tried = 0
    for params in examples(name):
        changes: list[dict[str, Any]] = [{"no_such_param": 1}]
        for key in registry.find(name).params.model_fields:
            changes += [{key: value} for value in (-1, 1.5, "no such", {}, [], True)]
        for change in changes:
            # Pydantic reads "1" as 1, and a schema does not: only what is refused is compared.
            if not sound(name, {**params, **change}):
                tried += 1
                assert faults_of(with_strategy({"type": name, **params, **change})), change
    assert tried


def test_every_key_of_a_section_and_every_param_says_what_it_means() -> None:
    silent = [
        f"{name}.{key}"
        for name, model in SCHEMA["definitions"].items()
        for key, value in model.get("properties", {}).items()
        if not value.get("description") and name != "strategy"
    ]
    assert silent == []


def test_the_command_prints_the_schema_with_the_types_of_the_configs_modules(
    tmp_path: Path,
) -> None:
    printed = CliRunner().invoke(build(), ["check", "--schema", "--config", str(tmp_path / "no")])

    assert printed.exit_code == 0
    assert json.loads(printed.output) == json.loads(json.dumps(SCHEMA))
