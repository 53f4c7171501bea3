"""A worker as the parent sees it: a forked process, its channel, and its end."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from time import monotonic
from typing import NoReturn

from app.worker_channel import Channel, ParentLink

LOG = logging.getLogger("segue")
KILL_AFTER_S = 3.0
"""Time beyond the worker's own limits after which the parent kills one that does not end."""


class Worker:
    """A forked process that serves.

    Attributes:
        slot: Its place among the workers; a successor has the same.
        number: A number that no other worker of this parent has had.
        pid: Its process id.
        channel: The parent's end of the channel to it.
        digest: Digest of the config that it is ready to serve; None before.
        serves: Whether it was let in.
        is_held: Whether it waits until its whole generation is ready.
        is_leaving: Whether the parent asked it to end.
        has_left: Whether it accepts no connection any more, since a successor does.
        was_killed: Whether the parent killed it.
        status: Its exit code, negative for the signal that killed it; None while it lives.
        started_s: Time of the fork, on the monotonic clock.
    """

    def __init__(self, slot: int, number: int, pid: int, channel: Channel, is_held: bool) -> None:
        self.slot = slot
        self.number = number
        self.pid = pid
        self.channel = channel
        self.is_held = is_held
        self.digest: str | None = None
        self.serves = False
        self.is_leaving = False
        self.has_left = False
        self.was_killed = False
        self.status: int | None = None
        self.started_s = monotonic()
        self._kill_at_s: float | None = None

    def __str__(self) -> str:
        return f"worker {self.slot} (process {self.pid})"

    def let_in(self, failure: str | None) -> None:
        """Let the worker accept connections; its `/readyz` tells why the last reload failed."""
        self.serves, self.is_held = True, False
        self.channel.send({"go": True, "failure": failure})

    def leave(self, within_s: float) -> None:
        """Ask the worker to let its clients go one by one, since a successor serves."""
        if self.serves and not self.is_leaving:
            self._kill_at_s = monotonic() + within_s + KILL_AFTER_S
            self.channel.send({"leave": True})
        elif not self.serves:
            self.kill()
        self.is_leaving = True

    def stop(self, within_s: float) -> None:
        """Ask the worker to answer what it has and end; one that was never let in has nothing."""
        self.is_leaving = True
        self._kill_at_s = monotonic() + within_s + KILL_AFTER_S
        self._signal(signal.SIGTERM if self.serves else signal.SIGKILL)

    def kill(self) -> None:
        """End the worker at once."""
        self.was_killed = True
        self._signal(signal.SIGKILL)

    @property
    def lived_s(self) -> float:
        """Time since the fork, s."""
        return monotonic() - self.started_s

    def has_ended(self) -> bool:
        """Return whether the worker has ended; kill it when its time to drain is over."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == 0:
                if self._kill_at_s is not None and monotonic() > self._kill_at_s:
                    LOG.error("%s did not end in time; the parent kills it", self)
                    self._kill_at_s = None
                    self.kill()
                return False
            self.status = os.waitstatus_to_exitcode(status)
            self.channel.close()
        return True

    @property
    def end(self) -> str:
        """Describe how the worker ended."""
        assert self.status is not None, "the worker has ended"
        if self.status < 0:
            return f"was killed by {signal.Signals(-self.status).name}"
        return f"ended with exit code {self.status}"

    def _signal(self, number: int) -> None:
        if self.status is None:  # a process id whose end nobody has asked for belongs to no other
            os.kill(self.pid, number)


def fork(slot: int, number: int, is_held: bool, serve: Callable[[ParentLink], None]) -> Worker:
    """Fork a worker that calls `serve`, and ends when that returns.

    Raises:
        OSError: The system has no room for a process.
    """
    ours, theirs = socket.socketpair()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        ours.close()
        _become(serve, ParentLink(theirs, number))
    theirs.close()
    return Worker(slot, number, pid, Channel(ours), is_held)


def _become(serve: Callable[[ParentLink], None], link: ParentLink) -> NoReturn:
    """Serve, and end without a step of the parent's: its clean-ups are not the worker's."""
    status = 1
    try:
        serve(link)
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        LOG.exception("the worker failed with an unhandled exception")
    finally:
        logging.shutdown()
        os._exit(status)
