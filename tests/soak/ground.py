"""The ground of a soak: a copy of the default world, its configs, its log, a disk that can fill."""

import copy
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BYTES_FREE = 4_096
"""Room that a full disk has left: a few lines, so that a batch fits in part."""


@dataclass(slots=True)
class Ground:
    """Files of one soak.

    Attributes:
        folder: Everything is in here.
        has_disk: Whether the log is on a small disk of its own, which can really be full.
        version: The version of the config and the list that should be served.
        moved: Log folders that a fault took away; their lines count.
    """

    folder: Path
    has_disk: bool
    version: int = 0
    moved: list[Path] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """The config file that the server reads."""
        return self.folder / "config.yaml"

    @property
    def log(self) -> Path:
        """The log folder that the config names."""
        return self.folder / "disk" / "log"

    @property
    def list_file(self) -> Path:
        """The list file that faults replace."""
        return self.folder / "data" / "lists" / "spare.npz"

    def logs(self) -> list[Path]:
        """List all folders with lines of this soak."""
        return [folder for folder in (self.log, *self.moved) if folder.exists()]

    def present_event_file(self) -> Path:
        """Name the event file that the server writes now; an empty one waits for its turn."""
        files = [path for path in self.log.glob("events-*.jsonl") if path.stat().st_size]
        return max(files, key=lambda path: path.stat().st_mtime_ns)

    def move_log(self) -> None:
        """Move the log folder away."""
        self.log.rename(self._next_moved())

    def copy_log(self, files: Iterable[Path]) -> None:
        """Copy some event files, and the configs beside them, to where no fault comes."""
        moved = self._next_moved()
        moved.mkdir()
        for file in files:
            shutil.copy(file, moved)
        shutil.copytree(self.log / "configs", moved / "configs")

    def _next_moved(self) -> Path:
        self.moved.append(self.log.with_name(f"log-{len(self.moved) + 1}"))
        return self.moved[-1]

    def put_config(self, version: int, spoilt: bool = False) -> None:
        """Put a version of the config in its place in one step, as an editor does."""
        config = _config(version)
        if spoilt:
            config["default"] = "nobody"
        _put(self.config, _shown(config))
        if not spoilt:
            self.version = version

    def put_list(self, version: int) -> None:
        """Put a version of the list in its place in one step."""
        _put(self.list_file, self.list_versions()[version % 2].read_bytes())

    def write_over_list(self, content: bytes) -> None:
        """Write over the list in place, under a server that may have mapped it."""
        with self.list_file.open("r+b") as file:
            file.write(content)
            file.truncate(max(len(content), 4_096))

    def list_versions(self) -> list[Path]:
        """Name the two lists that take turns, each in a world that replay can be given."""
        return [self.folder / f"world-{each}/data/lists/spare.npz" for each in (0, 1)]

    def worlds(self) -> list[Path]:
        """Name the configs of both worlds, for `segue replay --config`."""
        return [self.folder / f"world-{each}/config.yaml" for each in (0, 1)]

    def fill_disk(self) -> None:
        """Leave no room on the log's disk."""
        # The server goes on writing: what was measured may not be enough a moment later.
        while not self._resize(self._used() + BYTES_FREE):
            pass

    def empty_disk(self) -> None:
        """Make the log's disk large again."""
        assert self._resize(1 << 32)

    def _used(self) -> int:
        disk = os.statvfs(self.folder / "disk")
        return (disk.f_blocks - disk.f_bfree) * disk.f_frsize

    def _resize(self, size: int) -> bool:
        """Change the size of the log's disk; give whether its content fits."""
        command = ["mount", "-o", f"remount,size={size}", str(self.folder / "disk")]
        return subprocess.run(command, capture_output=True).returncode == 0


@contextmanager
def made_ground(folder: Path) -> Iterator[Ground]:
    """Make the ground in an empty folder, with a disk of its own if this process may mount one."""
    for world, spare in (("", "similar"), ("world-0", "similar"), ("world-1", "contextual")):
        data = folder / world / "data"
        shutil.copytree(ROOT / "data", data, copy_function=shutil.copyfile)
        shutil.copyfile(data / f"lists/{spare}.npz", data / "lists/spare.npz")
        _put(folder / world / "config.yaml", _shown(_config(0)))
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={1 << 32}", "soak", str(disk)]
    has_disk = shutil.which("mount") is not None and (
        subprocess.run(command, capture_output=True).returncode == 0
    )
    try:
        yield Ground(folder, has_disk)
    finally:
        if has_disk:
            subprocess.run(["umount", str(disk)], check=True)


def _config(version: int) -> dict[str, Any]:
    """The default config with small bounds, so that memory is flat soon, and a version of its own.

    A version changes what decides for listeners outside the experiments, and so the digest; the
    arms stay what they are, so that `segue verify` has no reason to call an experiment changed.
    """
    config: dict[str, Any] = copy.deepcopy(yaml.safe_load((ROOT / "config.yaml").read_text()))
    for experiment in config["experiments"]:
        experiment.pop("planned")
        experiment["traffic"] = 0.9
    config["catalog"]["lists"]["spare"] = "data/lists/spare.npz"
    config["strategies"] |= {
        "spare": {"type": "contextual", "list": "spare", "fallback": "few"},
        "few": {"type": "top_pop", "top": 50 + version, "fallback": "random"},
    }
    config["default"] = ("contextual", "spare")[version % 2]
    config["state"] = {"max_listeners": 3_000, "idempotency_mb": 2, "history": 20}
    config["events"] = {"dir": "disk/log", "rotate_mb": 4, "fsync_s": 0.2}
    config["server"] = {"request_timeout_s": 2, "keep_alive_s": 2}
    return config


def _shown(config: dict[str, Any]) -> bytes:
    return yaml.safe_dump(config, sort_keys=False).encode()


def _put(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)
