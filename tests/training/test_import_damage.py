"""Damaged files: one clear fault, or every line is used, bad, left out or in a copy."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.packings import packing_of
from tests.core.damage import damages
from tests.core.packed import PACK, packed
from tests.training.import_samples import ROWS, SAMPLES, TEXTS
from training.importers import import_data
from training.importers.import_options import ImportOptions
from training.importers.import_summary import ImportSummary

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def imported(folder: Path, kind: str, name: str, content: bytes) -> ImportSummary | InputError:
    """The summary (whose sum is asserted as it is made), or the error; then nothing is written."""
    (folder / name).write_bytes(content)
    to = folder / "out"
    try:
        return import_data(kind, folder / name, to, ImportOptions())
    except InputError as error:
        assert not to.exists()
        return error


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sound_file_is_read_whole(tmp_path: Path, sample: str) -> None:
    found = imported(tmp_path, *SAMPLES[sample])
    assert isinstance(found, ImportSummary), found
    times = 2 if sample == "listenbrainz-tar" else 1
    assert found.used == len(ROWS) * times
    assert not found.bad
    assert set(found.left_out) <= {"header line"}


@pytest.mark.parametrize("sample", SAMPLES)
@SETTINGS
@given(data=st.data())
def test_damage_is_never_a_traceback_and_never_a_silent_loss(
    tmp_path_factory: pytest.TempPathFactory, sample: str, data: st.DataObject
) -> None:
    kind, name, content = SAMPLES[sample]
    folder = tmp_path_factory.mktemp("damaged")
    damaged = data.draw(damages(content))
    found = imported(folder, kind, name, damaged)
    if isinstance(found, InputError):
        assert len(found.faults) == 1
        assert len(str(found)) < 700
    elif sample in TEXTS and not name.endswith(".json") and packing_of(damaged) == "plain":
        lines = damaged.count(b"\n") + (not damaged.endswith(b"\n"))
        assert found.lines == lines or b"\n" not in damaged
    shutil.rmtree(folder)


@pytest.mark.parametrize("packing", PACK)
@SETTINGS
@given(data=st.data())
def test_a_damaged_packing_is_refused_or_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, packing: str, data: st.DataObject
) -> None:
    kind, name, content = SAMPLES["csv"]
    folder = tmp_path_factory.mktemp("damaged")
    whole = packed(content, packing, 2)
    damaged = data.draw(damages(whole))
    found = imported(folder, kind, f"{name}.{packing}", damaged)
    if isinstance(found, ImportSummary) and packing_of(damaged) != "plain":
        # A cut between two streams, or a doubled stream, is as whole as the file was.
        assert found.lines in (7, 13, 18, 19, 24, 25, 26)
    shutil.rmtree(folder)


@pytest.mark.parametrize("sample", TEXTS)
@pytest.mark.parametrize("packing", PACK)
def test_a_cut_packing_is_the_same_sentence_for_each_kind(
    tmp_path: Path, sample: str, packing: str
) -> None:
    kind, name, content = SAMPLES[sample]
    whole = packed(content, packing)
    found = imported(tmp_path, kind, f"{name}.{packing}", whole[: len(whole) * 2 // 3])
    where = tmp_path / f"{name}.{packing}"
    assert str(found) == (
        f"{where}: is damaged or cut off (torn archive), so nothing of it is used. "
        "Get the file again"
    )


@pytest.mark.parametrize("sample", TEXTS)
@pytest.mark.parametrize("packing", ["plain", *PACK])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_packings_line_ends_and_marks_change_nothing(
    tmp_path: Path, sample: str, packing: str, end: bytes
) -> None:
    kind, name, content = SAMPLES[sample]
    changed = b"\xef\xbb\xbf" + content.replace(b"\n", end)
    found = imported(tmp_path, kind, f"{name}.{packing}", packed(changed, packing, 3))
    assert isinstance(found, ImportSummary), found
    assert found.used == len(ROWS)


@pytest.mark.parametrize("sample", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_wide_characters_are_said(tmp_path: Path, sample: str, encoding: str) -> None:
    kind, name, content = SAMPLES[sample]
    found = imported(tmp_path, kind, name, content.decode().encode(encoding))
    assert f"is {encoding.upper()[:6]}" in str(found)
    assert "must be UTF-8. Convert it" in str(found)


@pytest.mark.parametrize("sample", SAMPLES)
def test_an_empty_file_is_said(tmp_path: Path, sample: str) -> None:
    kind, name, _ = SAMPLES[sample]
    found = imported(tmp_path, kind, name, b"")
    assert isinstance(found, InputError)
    assert name in str(found)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_folder_with_the_name_of_a_file_is_said(tmp_path: Path, sample: str) -> None:
    kind, name, _ = SAMPLES[sample]
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=r"must hold files that .*; has none"):
        import_data(kind, tmp_path / name, tmp_path / "out", ImportOptions())
