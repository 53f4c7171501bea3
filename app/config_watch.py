"""Watch over the config file by its status: no thread, so that the parent can fork."""

from pathlib import Path

Status = tuple[int, int, int] | None


class ConfigWatch:
    """The content of a config file, and whether it has changed since the last look.

    Args:
        path: The config file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _content(path)
        self._settled = self._last = _status(path)

    def has_changed(self) -> bool:
        """Return whether the file has a new content.

        Two looks in a row must find the same status, or somebody is still writing. A missing file
        is being replaced: the next look finds the new one.
        """
        status = _status(self._path)
        is_settled, self._last = status == self._last, status
        if not is_settled or status in (None, self._settled):
            return False
        self._settled = status
        content = _content(self._path)
        if content in (None, self._seen):
            return False
        self._seen = content
        return True


def _status(path: Path) -> Status:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
