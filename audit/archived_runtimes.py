"""The configs that decided a log, built again from files and from the copies beside the log."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.errors import InputError
from engine.config_snapshots import load_snapshot
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings


def runtimes_by_digest(
    snapshots: Mapping[str, Path], configs: Sequence[Path] | None
) -> Callable[[str], Runtime]:
    """Give each config by its digest: the files named first, then the copies of the server.

    Args:
        snapshots: Digest -> copy of a config that a server kept beside its log.
        configs: Config files; their data is loaded at once. A copy of another config finds its
            data there too, if the checksums agree.

    Returns:
        The config of a digest; raises InputError where there is none, or its data has changed.
    """
    given = {
        runtime.digest: runtime
        for runtime in (load_runtime(load_settings(path)) for path in configs or ())
    }

    def runtime_of(digest: str) -> Runtime:
        if digest in given:
            return given[digest]
        if digest not in snapshots:
            known = ", ".join(sorted({*given, *snapshots})) or "none"
            raise InputError.one(
                f"config {digest}",
                f"decided events of this log, and there is no copy of it. Known: {known}. The "
                "server keeps them in the folder `configs` beside its log",
            )
        return load_snapshot(snapshots[digest], given.values())

    return runtime_of
