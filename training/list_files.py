"""List files without a log: from lists in JSON lines, or by co-occurrence on lists by user."""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.catalog import Catalog
from core.errors import InputError
from core.lists import Lists, load_lists, read_lists, save_lists
from core.progress import SILENT, Progress
from training.cooccurrence import rank_by_cooccurrence
from training.top_k import NONE


def convert_lists(
    file: Path,
    to: Path,
    catalog: Catalog,
    *,
    model: str = "imported",
    drop_unknown: bool = False,
    progress: Progress = SILENT,
) -> Lists:
    """Convert lists in JSON lines to a list file.

    Args:
        file: JSON lines, of lists by user or by track.
        to: The .npz file to write.
        catalog: The catalog of the track ids.
        model: Name of what made the lists, for the manifest.
        drop_unknown: Leave out tracks that the catalog does not have.
        progress: Shows the work.

    Raises:
        InputError: Lines are faulty, or a file cannot be read or written.
    """
    _check_target(to)
    progress.start("reading the lists")
    lists = read_lists(file, catalog, drop_unknown)
    progress.start("writing")
    rows: dict[Any, Any] = {key: _row(lists, row) for row, key in enumerate(lists.keys)}
    about = {"model": model, **_about("import", file, lists)}
    save_lists(to, lists.key, rows, catalog, about, _scores(lists))
    return load_lists(to, catalog)


def make_cooccurrence_lists(
    file: Path,
    to: Path,
    catalog: Catalog,
    *,
    top: int = 100,
    at_least: int = 1,
    drop_unknown: bool = False,
    progress: Progress = SILENT,
) -> Lists:
    """Make a list file by track from lists by user; see `training.cooccurrence`.

    Args:
        file: Lists by user: JSON lines, or a list file.
        to: The .npz file to write.
        catalog: The catalog of the track ids.
        top: Length of the lists.
        at_least: Number of users' lists that two tracks must share.
        drop_unknown: Leave out tracks that the catalog does not have.
        progress: Shows the work.

    Raises:
        InputError: The file is faulty, keyed by track, or has no two tracks that share lists.
    """
    _check_target(to)
    progress.start("reading the lists")
    lists = (
        load_lists(file, catalog)
        if file.suffix == ".npz"
        else read_lists(file, catalog, drop_unknown)
    )
    if lists.key != "user":
        raise InputError.one(
            str(file), "must be lists by user, is keyed by track. Give the lists by user"
        )
    ranked = rank_by_cooccurrence(lists, len(catalog), top, at_least=at_least, progress=progress)
    lengths = (ranked != NONE).sum(axis=1).tolist()
    rows = {key: ranked[key, :length] for key, length in enumerate(lengths) if length}
    if not rows:
        raise InputError.one(
            str(file),
            f"must have two tracks that share {at_least} lists, has none. "
            "Give more lists, or a lower --at-least",
        )
    progress.start("writing")
    about = {
        "model": "cooccurrence",
        "params": {"top": top, "at_least": at_least},
        **_about("cooccurrence", file, lists),
    }
    save_lists(to, "track", rows, catalog, about)
    return load_lists(to, catalog)


def _check_target(to: Path) -> None:
    """Refuse a target that cannot be written, before the work begins."""
    if to.suffix != ".npz":
        raise InputError.one(
            "--to", f"must be a file that ends in .npz, got {to}. A server maps no other format"
        )
    if not to.parent.is_dir():
        raise InputError.one("--to", f"folder {to.parent} must be there. Make it first")


def _row(lists: Lists, row: int) -> Any:
    return lists.tracks[lists.offsets[row] : lists.offsets[row + 1]]


def _scores(lists: Lists) -> dict[Any, Any] | None:
    """Give the scores of the lists by their keys, None without scores."""
    if lists.scores is None:
        return None
    bounds = pairwise(lists.offsets.tolist())
    scores = [lists.scores[start:end] for start, end in bounds]
    return dict(zip(lists.keys, scores, strict=True))


def _about(command: str, file: Path, lists: Lists) -> dict[str, Any]:
    """Entries of the manifest; without a date, so that the same input gives the same bytes."""
    counted = {
        name: lists.manifest[name] for name in ("dropped", "empty") if name in lists.manifest
    }
    return {
        "made_by": f"segue lists {command}",
        "from": {file.name: hashlib.sha256(file.read_bytes()).hexdigest()},
        **counted,
    }
