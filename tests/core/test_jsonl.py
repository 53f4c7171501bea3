"""JSON lines: objects by line number, and every line that is no object."""

import pytest

from core.errors import Faults, InputError
from core.jsonl import read_records
from tests.core.packed import PACK, packed


def read(folder, content):
    path = folder / "lines.jsonl"
    path.write_bytes(content)
    faults = Faults()
    found = list(read_records(path, faults))
    return found, [str(fault).removeprefix(str(path)) for fault in faults.found]


def test_objects_come_with_their_line_numbers(tmp_path):
    found, faults = read(tmp_path, b'{"a": 1}\n\n  \r\n{"b": "\xc3\xa9"}')
    assert (found, faults) == ([(1, {"a": 1}), (4, {"b": "é"})], [])


def test_a_byte_order_mark_is_skipped(tmp_path):
    assert read(tmp_path, b'\xef\xbb\xbf{"a": 1}\n') == ([(1, {"a": 1})], [])


def test_faulty_lines_are_named_and_skipped(tmp_path):
    found, faults = read(tmp_path, b'{"a": 1}\n{"a": \n[1]\nnull\n{"a": 2}\n')
    assert found == [(1, {"a": 1}), (5, {"a": 2})]
    assert [fault[:33] for fault in faults] == [
        ":2: must be one JSON object a lin",
        ":3: must be a JSON object, got li",
        ":4: must be a JSON object, got No",
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_characters_are_said(tmp_path, encoding):
    with pytest.raises(InputError, match=rf"is {encoding.upper()}, must be UTF-8"):
        read(tmp_path, '{"a": "é"}'.encode(encoding))


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_records_are_read_packed_and_with_any_line_end(tmp_path, packing, end):
    content = packed(end.join([b'{"a": 1}', b"x", b'{"a": 2}']), packing)
    found, faults = read(tmp_path, content)
    assert found == [(1, {"a": 1}), (3, {"a": 2})]
    assert faults[0].startswith(":2: must be one JSON object a line")


def test_a_wrong_encoding_is_a_fault_of_its_line(tmp_path):
    found, faults = read(tmp_path, '{"a": "é"}'.encode("latin-1"))
    assert found == []
    assert faults[0].startswith(":1: must be one JSON object a line: ")


def test_an_empty_file_has_no_records(tmp_path):
    assert read(tmp_path, b"") == ([], [])


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"none: cannot be read: No such file"):
        list(read_records(tmp_path / "none", Faults()))


@pytest.mark.parametrize("line", ['{"a": 1, "b": 2, "a": 1}', '{"a": 1, "\\u0061": ":"}'])
def test_a_key_that_stands_twice_is_named(tmp_path, line):
    found, faults = read(tmp_path, f'{{"a": 1}}\n{line}\n'.encode())
    assert found == [(1, {"a": 1})]
    assert faults == [":2: must have each key once, has 'a' twice"]


@pytest.mark.parametrize(
    "value", ['"a: b"', '{"a": 1}', '[{"a": 1}]', "[" * 900 + '":"' + "]" * 900]
)
def test_a_key_inside_a_value_is_no_second_one(tmp_path, value):
    found, faults = read(tmp_path, f'{{"a": {value}}}'.encode())
    assert (len(found), faults) == (1, [])
