"""Our own errors: gathered, named, and all listed in the module's docstring."""

import inspect
import re

import pytest

from core import errors
from core.errors import Fault, Faults, InputError, SegueError, unknown_name


def test_the_docstring_of_the_module_lists_every_error():
    ours = {
        name
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, SegueError)
    }
    assert set(re.findall(r"^(?:[├└]── )?(\w+) {4,}", errors.__doc__, re.MULTILINE)) == ours


def test_a_fault_says_where_and_what():
    error = InputError([Fault("config.yaml: default", "is missing"), Fault("tracks:3", "is null")])
    assert str(error) == "config.yaml: default: is missing\ntracks:3: is null"
    assert len(error.faults) == 2


def test_faults_are_gathered_and_raised_together():
    faults = Faults()
    faults.raise_if_any()
    faults.add("a", "one")
    faults.extend(InputError.one("b", "two"))
    with pytest.raises(InputError, match=r"^a: one\nb: two$"):
        faults.raise_if_any()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("top_popp", "unknown type 'top_popp'. Did you mean 'top_pop'? Known: random, top_pop"),
        ("zzzz", "unknown type 'zzzz'. Known: random, top_pop"),
        (7, "unknown type '7'. Known: random, top_pop"),
    ],
)
def test_a_message_names_the_nearest_known_name(name, message):
    assert unknown_name("type", name, ["top_pop", "random"]) == message


def test_an_unknown_name_where_none_is_known():
    assert unknown_name("lists", "x", []) == "unknown lists 'x'. Known: none"
