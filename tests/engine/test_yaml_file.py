"""A config file that no config can be is refused with its line, and never ends in a traceback."""

from pathlib import Path

import pytest

from core.errors import InputError
from engine.settings.loading import load_settings
from engine.settings.yaml_file import parse_yaml

HOSTILE = {
    "a-thousand-levels": ("[" * 1_000 + "]" * 1_000, "nested over 50 levels"),
    "a-hundred-thousand-levels": ("[" * 100_000, "nested over 50 levels"),
    "51-levels": ("[" * 51 + "]" * 51, "nested over 50 levels"),
    "51-mappings": ("{a: " * 51 + "1" + "}" * 51, "nested over 50 levels"),
    "5000-digits": ("9" * 5_000, "an integer of over 64 bits"),
    "5000-hexadecimal-digits": (
        "0x" + "f" * 5_000,
        "an integer of over 64 bits",
    ),
    "65-bits": (str(2**64), "an integer of over 64 bits"),
    "no-such-month": ("2026-13-45", "month must be in 1..12"),
    "aliases-of-aliases": (
        "[&a [1, 1, 1, 1, 1, 1, 1, 1, 1], "
        + ", ".join(
            f"&{name} [{', '.join([f'*{before}'] * 9)}]"
            for before, name in zip("abcdefgh", "bcdefghi", strict=True)
        )
        + "]",
        "over 100,000 values",
    ),
    "itself": ("&a [*a]", "an alias inside of what it stands for"),
    "nul": ('"\\0"', "text with a character that is none"),
    "half-of-a-pair": ('"\\ud800"', "text with a character that is none"),
}


@pytest.mark.parametrize(("value", "problem"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_no_config_can_hold_is_a_fault_with_its_line(
    tmp_path: Path, value: str, problem: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"default: random\nstate: {value}\n")
    with pytest.raises(InputError) as raised:
        load_settings(path)
    (fault,) = raised.value.faults
    assert fault.where.startswith(str(path))
    assert problem in fault.what


def test_fifty_levels_and_aliases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"a: &a {'[' * 48}{'1'}{']' * 48}\nb: *a\n1: 18446744073709551615\n")
    content, _ = parse_yaml(path)
    assert content["b"] is content["a"]
    assert content[1] == 2**64 - 1


def test_modules_that_are_no_list_are_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("modules: 3\nstrategies: {a: {type: random}}\n")
    with pytest.raises(InputError, match=r"modules: input should be a valid list, got 3"):
        load_settings(path)
