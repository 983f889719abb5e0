"""How a command begins and ends where not all is well: closed streams, a full disk, an unexpected error.

Knows the streams and the data folder; what a command does is not known here. Imports lightly.
"""

import atexit
import contextlib
import errno
import os
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from llmos.kernel.errors import LLMOSError
from llmos.turn import hidden, say


def open_streams() -> None:
    """Give those that the caller closed a place to go to, so that no file opened later stands in their stead."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows ? rather than nothing


def leave(code: int) -> NoReturn:
    """End the process; while other threads run, without finalizing the interpreter.

    Python before 3.14 ends a thread that wants its lock during finalization by unwinding its stack, and frames of
    torch or another native library that do not allow that abort the process. Such a thread may load a model that
    nobody waits for any more, or run a tool that did not heed its cancellation: it is not waited for either.
    """
    if threading.active_count() == 1:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # none, gone or closed
            stream.flush()
    os._exit(code)


def os_error(error: OSError) -> int:
    """Tell what the host refused: its disk is full, the reader went away, the data folder cannot be used."""
    from llmos.kernel.config import home

    if error.errno in (errno.EPIPE, errno.ENOSPC):
        # The reader went away, or there is no room. Nothing may be flushed to it at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return 1
    if error.errno == errno.ENOSPC:
        say(f"no space left on the disk; free some in {error.filename or home()} and run it again")
        return 1
    base = home()
    usable = base.is_dir() and os.access(base, os.W_OK)
    if not usable and error.filename and Path(os.fsdecode(error.filename)).is_relative_to(base):
        say(f"cannot write in {base}: {error.strerror}; set LLMOS_HOME to a folder that you may write")
        return 1
    return crash(error)


def crash(error: Exception) -> int:
    """Keep the traceback in a file of its own and tell its path."""
    import traceback

    from llmos.kernel.config import home
    from llmos.memory.quotas import load
    from llmos.memory.room import CRASHES, check_caches

    told = f"unexpected {type(error).__name__}: {hidden(str(error))[:200]}"
    try:
        check_caches(home(), load(home()))
        folder = home() / CRASHES
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        path.write_text(hidden("".join(traceback.format_exception(error))), encoding="utf-8", errors="replace")
        say(f"{told}; the whole story is in {path}")
    except OSError:
        say(told)
    except LLMOSError as full:
        say(f"{told}; no report was kept: {full}")
    return 1
