"""A folder that is made whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import InputError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write to; its content is in `folder` after the block, or nowhere.

    Args:
        folder: The folder to make; it may be there if it is empty.

    Raises:
        InputError: The folder holds files, or cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError.one(str(folder), "must be a folder, is a file. Choose a new name")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError.one(
            str(folder), "must be empty or new, but holds files. Choose a different folder"
        )
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".segue-init-", dir=folder))
    except OSError as error:
        _remove(made)
        raise InputError.one(
            str(folder), f"cannot be made: {error.strerror}. Choose a different folder"
        ) from error
    try:
        yield work
        for each in sorted(work.iterdir()):
            each.rename(folder / each.name)
        work.rmdir()
    except BaseException:
        for each in folder.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        _remove(made)
        raise


def _remove(made: list[Path]) -> None:
    """Remove the folders that were made, the innermost first."""
    for each in made:
        if each.is_dir():
            each.rmdir()
