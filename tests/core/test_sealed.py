"""A sealed copy stays as it was, whatever happens to its file and whoever tries to change it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core import sealed
from core.errors import InputError
from core.sealed import checksum_of, read_whole, sealed_copy

CONTENT = bytes(range(256)) * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


def test_a_copy_stays_when_its_file_is_rewritten_in_place_cut_or_removed(path: Path) -> None:
    copy = sealed_copy(path)
    with path.open("r+b") as file:
        file.write(b"x" * len(CONTENT))
    assert copy.content.tobytes() == CONTENT
    path.write_bytes(b"")
    assert copy.content.tobytes() == CONTENT
    path.unlink()
    with copy.file:
        assert copy.file.read() == CONTENT
    assert copy.content.tobytes() == CONTENT


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux, where copies are sealed")
def test_the_kernel_refuses_to_change_a_copy(path: Path) -> None:
    with sealed_copy(path).file as copy:
        with pytest.raises(PermissionError):
            os.pwrite(copy.fileno(), b"x", 0)
        for size in (0, len(CONTENT) + 1):
            with pytest.raises(PermissionError):
                os.ftruncate(copy.fileno(), size)


def test_a_machine_without_sealed_memory_copies_into_a_file_without_a_name(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    copy = sealed_copy(path)
    copy.file.close()
    path.write_bytes(b"")
    assert copy.content.tobytes() == CONTENT
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_an_empty_file_has_an_empty_copy(path: Path) -> None:
    path.write_bytes(b"")
    copy = sealed_copy(path)
    with copy.file:
        assert copy.content.tobytes() == copy.file.read() == b""


@pytest.mark.parametrize("take", [sealed_copy, read_whole, checksum_of])
def test_a_missing_file_is_named(take: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: cannot be read: No such file or directory"):
        take(tmp_path / "nowhere")


def test_a_file_that_changes_while_it_is_copied_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_all = shutil.copyfileobj

    def copy_while_it_grows(*arguments: Any) -> None:
        copy_all(*arguments)
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(sealed.shutil, "copyfileobj", copy_while_it_grows)
    with pytest.raises(InputError, match=r"file: must stay as it is while it is read, and changed"):
        sealed_copy(path)


SHARED_BY_A_FORK = """
import os, sys
from pathlib import Path
from core.sealed import sealed_copy

copy = sealed_copy(Path(sys.argv[1]))
assert copy.content.sum() > 0  # read by both, so that both map every page
if (child := os.fork()) == 0:
    assert copy.content.sum() > 0
    kilobytes = {}
    for line in Path("/proc/self/smaps").read_text().split("memfd:segue")[1].splitlines()[1:]:
        name, _, value = line.partition(":")
        if name == "VmFlags":
            break
        kilobytes[name] = int(value.split()[0])
    print(kilobytes["Rss"], kilobytes["Private_Clean"] + kilobytes["Private_Dirty"])
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, which says whose memory is whose")
def test_forked_processes_share_a_copy(path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", SHARED_BY_A_FORK, str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    mapped, private = map(int, found.stdout.split())
    assert mapped == len(CONTENT) // 1024
    assert private == 0
