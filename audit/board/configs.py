"""The configs of a board, loaded when a question needs one."""

from pathlib import Path

from audit.archived_runtimes import runtimes_by_digest
from audit.board.sources import BoardSources
from core.errors import InputError
from engine.config_snapshots import load_snapshot
from engine.runtime import Runtime
from events.config_snapshots import snapshots_beside

MOST = 3
"""Configs in memory; they share the data that is the same."""


class BoardConfigs:
    """Configs by digest, from the snapshots beside the log.

    Args:
        sources: What the board is made of.
    """

    def __init__(self, sources: BoardSources) -> None:
        self._sources = sources
        self._loaded: dict[str, Runtime] = {}

    def of(self, digest: str) -> Runtime:
        """Load the config of a digest.

        Raises:
            InputError: There is no snapshot of it, or its data is gone.
        """
        runtime = self._loaded.pop(digest, None)
        if runtime is None:
            runtime = self._load(digest)
        self._loaded[digest] = runtime  # the last one is the latest used
        while len(self._loaded) > MOST:
            del self._loaded[next(iter(self._loaded))]
        return runtime

    def served(self, digest: str | None) -> Runtime:
        """Load the config that the server names; without a server the newest beside the log.

        Raises:
            InputError: As `of`.
        """
        return self.of(digest or self.newest())

    def newest(self) -> str:
        """Name the newest config beside the log.

        Raises:
            InputError: There is none.
        """
        paths = self.paths()
        if not paths:
            raise InputError.one(
                str(self._sources.logs[0]),
                "must have the folder configs/ beside its events, has none. `segue serve` writes "
                "it; copy it with the log",
            )
        return max(paths, key=lambda digest: paths[digest].stat().st_mtime_ns)

    def paths(self) -> dict[str, Path]:
        """Find the snapshots by digest."""
        logs = [log for log in self._sources.logs if log.exists()]
        return snapshots_beside(logs, self._sources.folders)

    def _load(self, digest: str) -> Runtime:
        paths = self.paths()
        if digest not in paths:
            return runtimes_by_digest(paths, None)(digest)  # raises, and says what is known
        known = next((runtime.artifacts for runtime in self._loaded.values()), None)
        return load_snapshot(paths[digest], (), known)
