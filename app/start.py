"""The conditions of a start, checked before a server says that it listens, and by `segue check`.

A config alone does not show it: its data, the folders that the server writes, the experiments that
were started before, and the admin token in the environment.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.admin import read_token
from app.client_keys import client_keys
from core.errors import Faults, InputError
from engine.config_snapshots import check_snapshot
from engine.experiment_ledger import ExperimentLedger
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from engine.settings.model import Settings
from engine.shared_state.opening import read_state_target
from events.config_snapshots import FOLDER


def load_to_serve(config: Path) -> Runtime:
    """Load a config, and check all that a server needs beside it; leave no trace.

    Raises:
        InputError: The config, its data or its surroundings are faulty; the error names every
            fault.
    """
    runtime = load_runtime(load_settings(config))
    settings = runtime.settings
    folder = settings.resolve(settings.events.dir)
    faults = Faults()
    _check(faults, lambda: read_token(settings.admin.token_env))
    _check(faults, lambda: client_keys(settings, os.environ))
    if settings.state.backend == "redis":
        _check(faults, lambda: read_state_target(settings))
    if _check(faults, lambda: _check_folders(settings)):
        _check(faults, lambda: check_snapshot(runtime, folder))
        ledger = ExperimentLedger(settings.started_folder)
        _check(faults, lambda: ledger.check_for_start(runtime))
    faults.raise_if_any()
    return runtime


def _check(faults: Faults, check: Callable[[], object]) -> bool:
    try:
        check()
    except InputError as error:
        faults.extend(error)
        return False
    return True


def _check_folders(settings: Settings) -> None:
    log = settings.resolve(settings.events.dir)
    faults = Faults()
    folders = {"events.dir": log, f"events.dir, its folder {FOLDER}": log / FOLDER}
    if settings.experiments:
        folders["started"] = settings.started_folder
    for key, folder in folders.items():
        if (problem := _write_problem(folder)) is not None:
            faults.add(
                f"{settings.path}: {key}",
                f"must be a folder that the server can write, got {folder}: {problem}. Make it "
                "writable, or name a different folder",
            )
            break  # the folders are inside each other by default: one sentence is enough
    faults.raise_if_any()


def _write_problem(folder: Path) -> str | None:
    """Write a byte into a file without a name, in the folder or where it would be made."""
    there = folder
    while not there.exists() and not there.is_symlink():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\n")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return None
