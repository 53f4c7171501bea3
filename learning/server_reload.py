"""Reloading a running server, and finding out whether it serves what it should."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol

import httpx

from core.errors import SegueError

LOOK_AGAIN_S = 0.1
ASK_S = 5.0
"""Time for a server to answer where its answer changes nothing, in seconds."""


class ServerReload(Protocol):
    """A way to let a server load its config again."""

    def reload(self, digest: str) -> str:
        """Let the server reload.

        Args:
            digest: Fingerprint of the config that it should serve afterwards.

        Returns:
            What happened, as a sentence.

        Raises:
            SegueError: The server cannot be reached, or refuses; the config before still serves.
        """

    def ask(self) -> None:
        """Let the server reload what is on the disk, whatever comes of it."""


class HttpReload:
    """A reload by `POST /admin/reload`, whose answer says what is wrong.

    Args:
        address: Address of the server, or of its operations.
        token: The admin token.
        timeout_s: Time to wait for the answer.
    """

    def __init__(self, address: str, token: str, timeout_s: float) -> None:
        self._address = address.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s

    def reload(self, digest: str) -> str:
        """Ask the server to reload, and read its answer."""
        try:
            answer = self._post(self._timeout_s)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SegueError(
                f"{self._address}: the server cannot be reached ({error or type(error).__name__}). "
                "Its config is as before; start it, or give its address by --server"
            ) from error
        if answer.status_code != 200:
            message = body.get("error", {}).get("message", answer.text)
            raise SegueError(f"{self._address}: the server refused the reload: {message}")
        if body.get("config") != digest:
            raise SegueError(
                f"{self._address}: the server serves config {body.get('config')}, and must serve "
                f"{digest}. It reads a different config file; name that one by --config"
            )
        return f"{self._address} serves config {digest}"

    def ask(self) -> None:
        """Ask the server to reload, and wait a moment only."""
        with suppress(httpx.HTTPError):
            self._post(ASK_S)

    def _post(self, timeout_s: float) -> httpx.Response:
        return httpx.post(
            f"{self._address}/admin/reload",
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=timeout_s,
        )


class SignalReload:
    """A reload by SIGHUP.

    Args:
        pid: Process of the server, or of its parent.
        address: Where to ask whether it serves the config; None to ask nobody.
        timeout_s: Time until the server must serve it.
    """

    def __init__(self, pid: int, address: str | None, timeout_s: float) -> None:
        self._pid = pid
        self._address = address and address.rstrip("/")
        self._timeout_s = timeout_s

    def reload(self, digest: str) -> str:
        """Send the signal, and wait until the server serves the config."""
        try:
            os.kill(self._pid, signal.SIGHUP)
        except (ProcessLookupError, PermissionError, OverflowError) as error:
            raise SegueError(
                f"--pid {self._pid}: no server takes a signal there ({error}). Its config is as "
                "before; give the process id of `segue serve`"
            ) from error
        if self._address is None:
            return f"sent SIGHUP to {self._pid}; its log says whether it serves config {digest}"
        deadline = monotonic() + self._timeout_s
        found: object = None
        while monotonic() < deadline:
            try:
                answer = httpx.get(f"{self._address}/experiments", timeout=self._timeout_s)
                found = answer.json().get("config")
            except (httpx.HTTPError, ValueError):
                found = "none, since it cannot be reached"
            if found == digest:
                return f"{self._address} serves config {digest}"
            sleep(LOOK_AGAIN_S)
        raise SegueError(
            f"{self._address}: the server must serve config {digest} within {self._timeout_s:g} s "
            f"after SIGHUP, and serves {found}. Its own log says why it refused"
        )

    def ask(self) -> None:
        """Send the signal."""
        with suppress(OSError, OverflowError):
            os.kill(self._pid, signal.SIGHUP)


class ManualReload:
    """A reload that is the user's: nobody named a server."""

    def reload(self, digest: str) -> str:
        """Say what the user must do."""
        return (
            f"if a server runs, reload it (kill -HUP PID): it serves config {digest} only then. "
            "--pid, --pid-file or --server name it here"
        )

    def ask(self) -> None:
        """Ask nobody."""


def pid_in(path: Path) -> int:
    """Read a process id from a file.

    Raises:
        SegueError: The file has none.
    """
    try:
        pid = int(path.read_text())
        if pid < 1:  # 0 and less would signal groups of processes, this one among them
            raise ValueError(f"{pid} is none")
    except (OSError, ValueError) as error:
        raise SegueError(
            f"--pid-file {path}: must have the process id of `segue serve` ({error})"
        ) from error
    return pid
