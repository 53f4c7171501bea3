"""Signals of the parent: a queue for its loop, and an end of a load that must not wait."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDS = (signal.SIGTERM, signal.SIGINT)


class LoadInterrupted(BaseException):
    """The parent must stop, or the load took too long; no module of a config may catch it."""


class ParentSignals:
    """Signals that arrived, in order; `wake` becomes readable with each of them.

    Use it as a context manager in the main thread, which alone can handle signals.

    Attributes:
        stopping: Whether SIGTERM or SIGINT arrived.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._arrived: list[int] = []
        self._loading = False
        self.wake, self._write = socket.socketpair()

    def __enter__(self) -> "ParentSignals":
        for end in (self.wake, self._write):
            end.setblocking(False)
        handled = (*_ENDS, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM)
        self._before = {each: signal.signal(each, self._arrive) for each in handled}
        self._descriptor_before = signal.set_wakeup_fd(
            self._write.fileno(), warn_on_full_buffer=False
        )
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._descriptor_before)
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self.wake.close()
        self._write.close()

    def take(self) -> list[int]:
        """Give the signals that arrived since the last call."""
        try:
            while self.wake.recv(4096):
                pass
        except BlockingIOError:
            pass
        arrived, self._arrived = self._arrived, []
        return arrived

    @contextmanager
    def interrupting(self, deadline_s: float) -> Iterator[None]:
        """Let a signal that ends the parent, or the deadline, interrupt what happens inside.

        Raises:
            LoadInterrupted: One of them came.
        """
        self._loading = True
        signal.setitimer(signal.ITIMER_REAL, deadline_s)
        try:
            if self.stopping:
                raise LoadInterrupted
            yield
        finally:
            self._loading = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold all signals back, so that a forked process sees none before it is ready for them."""
        handled = set(self._before)
        signal.pthread_sigmask(signal.SIG_BLOCK, handled)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, handled)

    def leave_to_worker(self) -> None:
        """Give up the handlers in a forked process; a hangup means nothing to a worker.

        The parent has held the signals back; one that has come meanwhile ends the worker.
        """
        signal.set_wakeup_fd(-1)
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, set(self._before))
        self.wake.close()
        self._write.close()

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        self._arrived.append(number)
        ends = number in _ENDS
        self.stopping = self.stopping or ends
        if self._loading and (ends or number == signal.SIGALRM):
            raise LoadInterrupted
