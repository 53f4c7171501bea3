"""Lines: their ends and marks, and the text that is not UTF-8."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.lines import line_blocks, text_in
from tests.core.packed import packed

contents = st.lists(st.text("aé, \t", max_size=6).map(str.encode), min_size=1, max_size=8)


def lines(*pieces):
    found = []
    for number, block in line_blocks("x", pieces):
        assert number == len(found) + 1
        found += block
    return found


def in_pieces(data, content):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    return [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]


@given(data=st.data(), given_lines=contents, end=st.sampled_from([b"\n", b"\r\n"]))
def test_lines_come_back_however_the_pieces_are_cut(data, given_lines, end):
    content = b"first" + end + end.join(given_lines) + end
    assert lines(*in_pieces(data, content)) == [b"first", *given_lines]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_a_last_line_needs_no_end(end):
    content = end.join([b"a", b"", b"b"])
    assert lines(content) == lines(content + end) == [b"a", b"", b"b"]


def test_a_cr_inside_a_line_of_lf_stays():
    assert lines(b"a\rb\nc\n") == [b"a\rb", b"c"]


@pytest.mark.parametrize("split", [1, 3, 4, 9])
def test_the_mark_of_utf_8_is_skipped(split):
    content = "\ufeffä\nb".encode()
    assert lines(content[:split], content[split:]) == ["ä".encode(), b"b"]


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_text_in_wide_characters_is_said(encoding):
    content = "user,track,time\n1,2,0.5\n".encode(encoding)
    name = "UTF-32" if encoding == "utf-32" else "UTF-"
    with pytest.raises(InputError, match=rf"x: is {name}.*must be UTF-8\. Convert it: iconv"):
        lines(content)


def test_a_block_of_zeros_is_no_encoding():
    assert lines(bytes(400) + b"\na\n") == [bytes(400), b"a"]


def test_a_line_without_end_is_no_text():
    with pytest.raises(InputError, match=r"x:2: is a line longer than 64 MB"):
        lines(b"a\n", *[b"b" * (1 << 20)] * 65)


def test_a_whole_text_is_unpacked_and_without_its_mark():
    assert text_in("x", packed("\ufeff[1]".encode(), "gz")) == b"[1]"
