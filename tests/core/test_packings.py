"""Packings: each is told by its bytes, read to its end, and refused when it is damaged."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.packings import PIECE, DamagedArchive, packing_of, read_file, unpack
from tests.core.packed import PACK, packed

TEXT = "".join(f"{number},Grüße,{number * 7919}\n" for number in range(3000)).encode()


def read(path):
    return b"".join(read_file(path))


@pytest.mark.parametrize("packing", ["plain", *PACK])
@pytest.mark.parametrize("streams", [1, 3])
def test_the_content_is_read_whatever_the_name_says(tmp_path, packing, streams):
    path = tmp_path / "listens.csv.gz"
    path.write_bytes(packed(TEXT, packing, streams))
    assert read(path) == TEXT


@pytest.mark.parametrize("packing", list(PACK))
def test_content_larger_than_a_piece_is_whole(tmp_path, packing):
    noise = os.urandom(PIECE + 12345)
    (tmp_path / "x").write_bytes(packed(noise, packing, 2))
    assert read(tmp_path / "x") == noise


@pytest.mark.parametrize("packing", list(PACK))
@given(data=st.data())
def test_a_packed_file_that_is_cut_off_is_said_to_be_torn_after_its_content(packing, data):
    whole = packed(TEXT, packing, 2)
    first = len(packed(TEXT[: len(TEXT) // 2], packing))
    cut = data.draw(st.integers(first + 1, len(whole) - 1))
    got = []
    with pytest.raises(DamagedArchive, match="torn archive"):
        got.extend(unpack([whole[:cut]], packing_of(whole)))
    assert TEXT.startswith(b"".join(got))
    assert len(b"".join(got)) >= len(TEXT) // 2


@pytest.mark.parametrize("packing", list(PACK))
def test_damage_is_the_same_sentence_in_each_packing(tmp_path, packing):
    whole = bytearray(packed(TEXT, packing))
    whole[len(whole) // 2] ^= 0xFF
    path = tmp_path / "x"
    path.write_bytes(whole)
    with pytest.raises(
        InputError, match=r"x: is damaged or cut off \(broken archive\), so nothing"
    ):
        read(path)
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError, match=r"x: is damaged or cut off \(torn archive\), so nothing"):
        read(path)
    path.write_bytes(packed(TEXT, packing) + b"garbage after the end")
    with pytest.raises(InputError, match=r"x: is damaged or cut off"):
        read(path)


@pytest.mark.parametrize("packing", ["gz", "xz"])
def test_zeros_after_the_end_are_padding(tmp_path, packing):
    (tmp_path / "x").write_bytes(packed(TEXT, packing) + bytes(512))
    assert read(tmp_path / "x") == TEXT


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (b"PK\x03\x04....", "is a ZIP archive .*Unpack it"),
        (b"PAR1....", "is Parquet. Give text"),
        (b"%PDF-1.7", "is a PDF"),
        (b"SQLite format 3\0", "is a SQLite database"),
    ],
    ids=["zip", "parquet", "pdf", "sqlite"],
)
def test_a_file_that_is_no_text_is_said_to_be_what_it_is(tmp_path, head, sentence):
    (tmp_path / "x.csv").write_bytes(head)
    with pytest.raises(InputError, match=rf"x\.csv: {sentence}"):
        read(tmp_path / "x.csv")


def test_a_folder_and_a_missing_file_are_faults_and_an_empty_file_is_empty(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read: Is a directory"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"none: cannot be read: No such file"):
        read(tmp_path / "none")
    (tmp_path / "empty").touch()
    assert read(tmp_path / "empty") == b""


def test_a_pipe_is_read_once(tmp_path):
    reads, writes = os.pipe()
    os.write(writes, packed(TEXT, "gz"))
    os.close(writes)
    try:
        assert read(type(tmp_path)(f"/dev/fd/{reads}")) == TEXT
    finally:
        os.close(reads)
