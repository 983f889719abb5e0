"""The sympy worker: one child process that keeps sympy loaded, with limits on memory, files and time.

The parent sends one JSON line a question and waits for one JSON line, no longer than the clock allows; past it the
child is killed and the next question starts another. The clock counts the child's CPU time, and wall time up to
``PATIENCE`` times as long, so that a busy machine does not make an answer an error. Nothing but text crosses, and the
child parses that text anew with the same grammar. The limits are POSIX ones; where the system has none, the clock
alone holds.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from typing import Any, BinaryIO

from llmos.kernel.tool import ToolError

MEMORY = 1 << 30  # bytes of address space
PATIENCE = 5
_START_SECONDS = 60.0  # to import sympy, on a busy machine


class Worker:
    """A sympy process, started at the first question and again after a crash. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._buffer = b""
        self._cpu = 0.0  # seconds the process had used at its last answer

    def ask(self, text: str, timeout: float) -> str:
        """The answer to a normalised expression; ToolError for its mistake, a crash, or past ``timeout`` seconds."""
        with self._lock:
            process = self._running()
            line = json.dumps({"text": text, "seconds": timeout}).encode() + b"\n"
            try:
                assert process.stdin
                process.stdin.write(line)
                process.stdin.flush()
                reply = self._wait(process, timeout)
            except TimeoutError:  # before OSError, whose subclass it is
                self._kill()
                raise ToolError(
                    f"the calculation took longer than {timeout:g} seconds; try something simpler"
                ) from None
            except (OSError, EOFError):
                self._kill()
                raise ToolError("the calculation ran out of memory or crashed; try something smaller") from None
            except BaseException:  # Ctrl-C: a reply left in the pipe would answer the next question
                self._kill()
                raise
        if "error" in reply:
            raise ToolError(str(reply["error"]))
        return str(reply["text"])

    def close(self) -> None:
        """End the process; a later question starts another."""
        with self._lock:
            self._kill()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._owner != os.getpid():
            self._process = None  # after a fork the child process is the parent's
        if self._process is None or self._process.poll() is not None:
            self._kill()
            self._start()
        assert self._process
        return self._process

    def _start(self) -> None:
        environment = {k: os.environ[k] for k in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if k in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in sys.path if p)
        environment["PYTHONHASHSEED"] = "0"  # sympy's order of terms must not change from run to run
        self._buffer, self._owner = b"", os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "llmos.tools.calc_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=os.sep,
            start_new_session=True,
        )
        try:
            self._cpu = self._read(self._process, _START_SECONDS)["cpu"]
        except (EOFError, TimeoutError):
            self._kill()
            raise ToolError("the calculator's algebra could not start") from None

    def _wait(self, process: "subprocess.Popen[bytes]", timeout: float) -> dict[str, Any]:
        """The reply, once the process has had its ``timeout`` seconds or given it; TimeoutError past them."""
        left, end = timeout, time.monotonic() + timeout * PATIENCE
        while True:
            try:
                reply = self._read(process, left)
            except TimeoutError:
                left = min(timeout - (_cpu_seconds(process.pid) - self._cpu), end - time.monotonic())
                if left < 0.01:
                    raise
                continue
            self._cpu = reply["cpu"]
            return reply

    def _read(self, process: "subprocess.Popen[bytes]", timeout: float) -> dict[str, Any]:
        assert process.stdout
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise TimeoutError
                piece = os.read(process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise EOFError
                self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply = json.loads(line)
        assert isinstance(reply, dict)
        return reply

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def _cpu_seconds(pid: int) -> float:
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return float("inf")
    return float(times.user + times.system)


def _limit() -> None:
    """Bound memory, files and processes: sympy's modules are loaded before, so little else is needed."""
    try:
        import resource
    except ImportError:
        return
    bounds = [("AS", MEMORY), ("FSIZE", 0), ("CORE", 0), ("NOFILE", 64), ("NPROC", 0)]
    for name, most in bounds:
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def _limit_cpu(seconds: float) -> None:
    """Let this process use ``seconds`` more of CPU: what ends it if its parent dies while it computes."""
    try:
        import resource
    except ImportError:
        return
    used = time.process_time()
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 2, resource.RLIM_INFINITY))


def main() -> None:
    """The child: announce itself, then answer one JSON line after another until the parent is gone."""
    from llmos.tools.calc_answer import algebra
    from llmos.tools.calc_clock import TooSlow

    sys.dont_write_bytecode = True
    sys.set_int_max_str_digits(0)  # the calculator bounds its own numbers
    out = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # whatever a library prints must not look like an answer
    _limit()
    _say(out, {})
    for line in sys.stdin.buffer:
        question = json.loads(line)
        _limit_cpu(question["seconds"])
        try:
            reply = {"text": algebra(question["text"], question["seconds"])}
        except ToolError as error:
            reply = {"error": str(error)}
        except MemoryError:
            reply = {"error": "the calculation needs too much memory"}
        except RecursionError:
            reply = {"error": "the expression is too deep"}
        except (Exception, TooSlow):  # sympy raises what it likes; the words of its errors are not for the model
            reply = {"error": "sympy cannot do this calculation"}
        _say(out, reply)


def _say(out: BinaryIO, reply: dict[str, str]) -> None:
    out.write(json.dumps({**reply, "cpu": time.process_time()}).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
