"""Archived runtimes: the configs that decided a log, built from config files and snapshots."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.errors import InputError
from engine.config_snapshots import load_snapshot
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings


def runtimes_by_digest(
    snapshots: Mapping[str, Path], configs: Sequence[Path] | None
) -> Callable[[str], Runtime]:
    """Return a function that gives the runtime of a digest: of a config file, or of a snapshot.

    Args:
        snapshots: Digest -> snapshot beside the log.
        configs: Config files; their data is loaded at once. A snapshot takes its data from there
            if the checksums agree.

    Returns:
        Digest -> runtime. It raises InputError if there is none, or if its data has changed.
    """
    given = {
        runtime.digest: runtime
        for runtime in (load_runtime(load_settings(path)) for path in configs or ())
    }
    # The lists that two configs share are in memory once.
    in_memory = next((runtime.artifacts for runtime in given.values()), None)

    def runtime_of(digest: str) -> Runtime:
        nonlocal in_memory
        if digest in given:
            return given[digest]
        if digest not in snapshots:
            known = ", ".join(sorted({*given, *snapshots})) or "none"
            raise InputError.one(
                f"config {digest}",
                f"decided events of this log, and has no snapshot here. Known: {known}. The server "
                "writes snapshots into the folder `configs` beside its log; name it with --configs",
            )
        runtime = load_snapshot(snapshots[digest], given.values(), in_memory)
        in_memory = runtime.artifacts
        return runtime

    return runtime_of
