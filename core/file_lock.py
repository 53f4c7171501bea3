"""A lock on an open file that one process holds at a time, on Linux, macOS and Windows."""

import sys
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    try:
        import fcntl
    except ImportError:  # a system with neither: two servers of one folder must not start at once
        fcntl = None  # type: ignore[assignment]


def try_lock(file: BinaryIO) -> bool:
    """Take the lock of an open file unless another process has it; closing the file lets go of it.

    A process that ends, however it ends, lets go of its locks.
    """
    if sys.platform == "win32":
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    elif fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
