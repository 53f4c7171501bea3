"""Work with a deadline, in a thread that nothing waits for any more once the deadline has passed.

Python cannot end a thread. So it must hold up neither the next work nor the end of the process:
it is a daemon, and not one of the threads that asyncio joins.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from core.errors import SegueError

T = TypeVar("T")


class DeadlinePassed(SegueError):
    """The work did not end in time.

    Attributes:
        at: File, line and function where it was then.
    """

    def __init__(self, seconds: float, at: str) -> None:
        super().__init__(f"did not end within {seconds:g} s; it is at {at}")
        self.at = at


class ProcessEnd(SegueError):
    """The work tried to end the process, by an exception that is none of an error."""


class Abandoned(SegueError):
    """Nobody waits for this work any more, so it must change nothing."""


class Ticket:
    """The right of some work to have lasting effects; it ends with the deadline."""

    def __init__(self) -> None:
        self._is_valid = True

    def cancel(self) -> None:
        """End the right."""
        self._is_valid = False

    def check(self) -> None:
        """Go on if somebody still waits for the work.

        Raises:
            Abandoned: The deadline has passed.
        """
        if not self._is_valid:
            raise Abandoned("the deadline has passed, and nobody waits for this any more")


async def within(seconds: float, work: Callable[[Ticket], T]) -> T:
    """Run work in a thread of its own while the loop serves.

    Args:
        seconds: The deadline.
        work: Gets a ticket, and checks it before its first lasting effect.

    Raises:
        DeadlinePassed: The work goes on, and its outcome is lost.
        ProcessEnd: The work tried to end the process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    ticket = Ticket()
    tasks = [work]  # taken out by the thread, whose end may come after that of its caller

    def run() -> None:
        try:
            with _YIELDING.lowered():
                result = tasks.pop()(ticket)
        except BaseException as error:
            # As an exception of the loop, a SystemExit would end the server.
            raised = error if isinstance(error, Exception) else _unusual(error)
            _hand_over(loop, done, lambda: done.set_exception(raised))
        else:
            _hand_over(loop, done, lambda: done.set_result(result))

    thread = threading.Thread(target=run, name="segue-load", daemon=True)
    thread.start()
    try:
        return await asyncio.wait_for(done, seconds)
    except TimeoutError:
        if not done.cancelled():
            raise  # an error of the work itself
        raise DeadlinePassed(seconds, _place_of(thread)) from None
    finally:
        ticket.cancel()


def _unusual(error: BaseException) -> ProcessEnd:
    return ProcessEnd(f"it tried to end the process by {type(error).__name__}({error})")


def _hand_over(
    loop: asyncio.AbstractEventLoop, done: "asyncio.Future[T]", settle: Callable[[], None]
) -> None:
    def unless_abandoned() -> None:
        if not done.done():
            settle()

    with suppress(RuntimeError):  # the loop is closed: the server has stopped
        loop.call_soon_threadsafe(unless_abandoned)


def _place_of(thread: threading.Thread) -> str:
    """Name the line where a thread is."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return "its end"
    # The innermost line that is in no part of Python itself: the reason, and not `threading.py`.
    stack = [each for each in traceback.extract_stack(frame) if "<frozen" not in each.filename]
    own = [each for each in stack if not each.filename.startswith(_LIBRARY)] or stack
    return f"{own[-1].filename}:{own[-1].lineno} ({own[-1].name})"


_LIBRARY = threading.__file__.removesuffix("threading.py")


class _Yielding:
    """The switch interval of the interpreter, lowered while threads compute beside the loop.

    A computing thread gives way after 5 ms, and a request must wait for that more than once. The
    interval stays low for a thread that was abandoned and goes on computing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._usual = 0.0

    @contextmanager
    def lowered(self) -> Iterator[None]:
        with self._lock:
            if not self._threads:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(self._usual / 10)
            self._threads += 1
        try:
            yield
        finally:
            with self._lock:
                self._threads -= 1
                if not self._threads:
                    sys.setswitchinterval(self._usual)


_YIELDING = _Yielding()
