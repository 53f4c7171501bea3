"""Imports for tests: write a file, import it, and load what came out."""

import tempfile
from pathlib import Path

import pytest

from core.catalog import load_catalog
from core.errors import InputError
from training.importers import import_data
from training.importers.import_options import ImportOptions
from training.importers.import_summary import ImportSummary
from training.interactions import Interactions
from training.training_table import load_table


def imported(kind: str, path: Path, **options: object) -> tuple[Interactions, ImportSummary]:
    """Import into a folder of its own, and load what was written."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "out"
        summary = import_data(kind, path, to, ImportOptions(**options))  # type: ignore[arg-type]
        catalog = load_catalog(to / "tracks.jsonl")
        return load_table(to / "interactions.parquet", catalog), summary


def refused(kind: str, path: Path, **options: object) -> str:
    """The one fault of an import that writes nothing, without the folder of the file."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "out"
        with pytest.raises(InputError) as caught:
            import_data(kind, path, to, ImportOptions(**options))  # type: ignore[arg-type]
        assert not to.exists()
    (fault,) = caught.value.faults
    return str(fault).removeprefix(f"{path.parent}/")


def written(folder: Path, name: str, content: bytes | str) -> Path:
    """Write a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def places(summary: ImportSummary) -> list[str]:
    """The examples of bad lines, without the file."""
    return [str(fault).partition(":")[2] for fault in summary.examples]
