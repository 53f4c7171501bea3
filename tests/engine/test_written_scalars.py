"""YAML reads `no` as false and `0123` as 83: where a string is meant, that is a fault."""

from pathlib import Path

import pytest

from core.errors import InputError
from engine.settings.loading import load_settings
from tests.service import write_config

EXPERIMENT = """
experiments:
  - name: {name}
    salt: {salt}
    layer: serving
    targeting: {{country: {country}, premium: {premium}}}
    forced: {{{forced}: T1}}
    arms: {{{control}: {{strategy: random, weight: 50}}, T1: {{strategy: popular, weight: 50}}}}
"""
SOUND = {
    "name": "nordic",
    "salt": "a-1",
    "country": '[se, "no", dk]',
    "premium": "true",
    "forced": "7",
    "control": "C",
}


def written(folder: Path, **changes: str) -> Path:
    """Write a config whose experiment has these scalars, as a person writes them."""
    path = write_config(folder, lambda config: config.pop("experiments"))
    path.write_text(path.read_text() + EXPERIMENT.format(**{**SOUND, **changes}))
    return path


def faults_of(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_settings(path)
    return [str(fault).partition(": ")[2] for fault in caught.value.faults]


STRING = (
    'experiments.0.{}: must be a string, but YAML reads {} as {}. Write "{}" in quotation marks'
)
DATE = "the date 2024-01-05"
CASES = {
    "norway": ("country", "[se, no]", "targeting.country.1", "no", "the boolean false"),
    "a-boolean": ("country", "[se, true]", "targeting.country.1", "true", "the boolean true"),
    "ontario": ("country", "[QC, On]", "targeting.country.1", "On", "the boolean true"),
    "a-date": ("country", "2024-01-05", "targeting.country", "2024-01-05", DATE),
    "a-version": ("country", "[1.10]", "targeting.country.0", "1.10", "the number 1.1"),
    "nothing": ("country", "[~]", "targeting.country.0", "~", "nothing"),
    "octal-salt": ("salt", "0123", "salt", "0123", "the number 83"),
    "number-as-salt": ("salt", "2024", "salt", "2024", "the number 2024"),
    "date-as-name": ("name", "2024-01-05", "name", "2024-01-05", DATE),
    "arm-called-off": ("control", "off", "arms.off", "off", "the boolean false"),
    "arm-called-1": ("control", "1", "arms.1", "1", "the number 1"),
    "forced-date": ("forced", "2024-01-05", "forced.2024-01-05", "2024-01-05", DATE),
    "forced-yes": ("forced", "yes", "forced.yes", "yes", "the boolean true"),
}  # fmt: skip


@pytest.mark.parametrize(("key", "value", "place", "text", "read"), CASES.values(), ids=CASES)
def test_a_scalar_that_yaml_reads_as_no_string_is_a_fault(
    tmp_path: Path, key: str, value: str, place: str, text: str, read: str
) -> None:
    assert faults_of(written(tmp_path, **{key: value})) == [STRING.format(place, text, read, text)]


@pytest.mark.parametrize(
    ("key", "value", "place", "read", "plain"),
    [
        ("premium", "yes", "targeting.premium", "the boolean true", "true"),
        ("premium", "[no]", "targeting.premium.0", "the boolean false", "false"),
        ("premium", "0123", "targeting.premium", "the number 83", "83"),
        ("premium", "12:30:45", "targeting.premium", "the number 45045", "45045"),
        ("premium", "1_000", "targeting.premium", "the number 1000", "1000"),
        ("forced", "0123", "forced.0123", "the number 83", "83"),
        ("forced", "12:30:45", "forced.12:30:45", "the number 45045", "45045"),
    ],
)
def test_a_value_that_may_be_meant_must_be_as_yaml_reads_it(
    tmp_path: Path, key: str, value: str, place: str, read: str, plain: str
) -> None:
    text = value.strip("[]")
    assert faults_of(written(tmp_path, **{key: value})) == [
        f"experiments.0.{place}: must be as YAML reads it, but YAML reads {text} as {read}. "
        f'Write "{text}" in quotation marks if you mean the text, or {plain} if you mean that'
    ]


@pytest.mark.parametrize(
    ("key", "place", "value", "read"),
    [
        ("traffic", "traffic", "yes", "true"),
        ("version", "version", "off", "false"),
        ("slots", "slots.0", "[no, 5000]", "false"),
    ],
)
def test_a_boolean_is_no_number(
    tmp_path: Path, key: str, place: str, value: str, read: str
) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace("    layer:", f"    {key}: {value}\n    layer:"))
    text = value.strip("[").partition(",")[0]
    assert faults_of(path) == [
        f"experiments.0.{place}: must be a number, but YAML reads {text} as the boolean {read}. "
        "Write the number"
    ]


@pytest.mark.parametrize(
    "sound",
    [
        {"country": '["no", "0123", "12:30:45"]'},
        {"premium": "[true, false]"},
        {"premium": "[1, 2, -3]"},
        {"forced": '"0123"'},
        {"control": '"off"'},
        {"salt": '"2024-01-05"'},
    ],
    ids=str,
)
def test_scalars_in_quotation_marks_and_true_and_plain_numbers_are_sound(
    tmp_path: Path, sound: dict[str, str]
) -> None:
    load_settings(written(tmp_path, **sound))


def test_what_is_misread_in_several_places_is_shown_at_once_with_other_faults(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, country="[no]", control="off", salt="12:30")
    path.write_text(
        path.read_text().replace("events:", "holdout:").replace("dir: log", "share: 0")
        + "server: {port: 010, hots: 0.0.0.0}\nevents: {dir: no}\n"
    )
    places = [fault.partition(": ")[0] for fault in faults_of(path)]

    assert places == [
        "experiments.0.salt",
        "experiments.0.targeting.country.0",
        "experiments.0.arms.off",
        "server.port",
        "events.dir",
        "server.hots",
    ]


def test_params_of_strategies_mean_strings_too(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("fallback: random", "fallback: off", 1))

    assert "must be a string, but YAML reads off as the boolean false" in faults_of(path)[0]


def test_a_date_that_does_not_exist_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    assert "reads 2024-13-45 as" in faults_of(written(tmp_path, salt="2024-13-45"))[0]


@pytest.mark.parametrize("change", [{"forced": str(2**63)}, {"premium": f"[{2**63}]"}], ids=str)
def test_a_number_that_the_api_refuses_is_a_fault(tmp_path: Path, change: dict[str, str]) -> None:
    (fault,) = faults_of(written(tmp_path, **change))

    assert "must be an int of at most 64 bits, as the API takes" in fault
    assert f'Write "{2**63}" in quotation marks' in fault


def test_the_text_that_is_written_counts_in_the_same_run(tmp_path: Path) -> None:
    """A second fault about the same scalar would be about what nobody wrote."""
    path = written(tmp_path, forced="0123")
    path.write_text(path.read_text().replace("0123: T1", "0123: T2"))

    assert [fault.partition(": ")[0] for fault in faults_of(path)] == [
        "experiments.0.forced.0123",
        "experiments.0.forced.0123",
    ]
