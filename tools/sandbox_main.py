"""The program inside the sandbox: limits first, then a Jupyter kernel on the sockets it was handed.

Runs as ``python -I -S -B sandbox_main.py`` with one JSON object on standard input: ``path`` (folders with the
packages),
``sockets`` (listening file descriptors: shell, control, iopub), ``key`` (signs messages), ``limits`` (bytes, counts,
seconds), ``output`` (bytes of text a cell may print). It trusts none of its own walls: code it runs can undo whatever
Python set up here. The walls are bubblewrap's, the system-call filter's and the host's watchdog.
"""

import json
import os
import resource
import sys
from typing import Any


def set_limits(limits: dict[str, int]) -> None:
    """Lower this process's limits, soft and hard, for good: children inherit them."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: 256,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_FSIZE: limits["file"],
        resource.RLIMIT_NPROC: limits["tasks"],
        resource.RLIMIT_AS: limits["address_space"],
        resource.RLIMIT_CPU: limits["cpu"],
    }
    for which, value in wanted.items():
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _stream_class(iostream: Any) -> Any:
    class Output(iostream.OutStream):  # type: ignore[misc]
        """What a cell prints, up to a limit; a forked child's text comes to its parent through the pipe on 1 or 2."""

        left = 0
        dropped = 0

        def write(self, string: str) -> int:
            if os.getpid() != self._master_pid:
                os.write(self._original_stdstream_fd, string.encode("utf-8", "replace"))
                return len(string)
            kept = string[: max(Output.left, 0)]
            Output.left -= len(kept)
            Output.dropped += len(string) - len(kept)
            if kept:
                super().write(kept)
            return len(string)

    return Output


def _app_class(config: dict[str, Any], sockets: list[int]) -> Any:
    """A Jupyter kernel that binds nothing but the sockets it was given (in the parent's order of binding)."""
    import zmq as zeromq
    from ipykernel import iostream, kernelapp

    zmq: Any = zeromq
    output = _stream_class(iostream)

    class App(kernelapp.IPKernelApp):  # type: ignore[misc]
        def init_connection_file(self) -> None:
            self.session.key = config["key"].encode()
            self.transport = "ipc"

        def write_connection_file(self, **_: Any) -> None: ...

        def init_heartbeat(self) -> None: ...

        def _bind_socket(self, s: Any, port: int) -> int:
            if s is self.stdin_socket:
                s.bind("inproc://stdin")
            else:
                s.setsockopt(zmq.USE_FD, sockets.pop(0))
                s.bind("ipc:///tmp/unused")
            return 0

        def init_iopub(self, context: Any) -> None:
            # The parent's, without the pipe for forked children: that one binds a TCP port, and libzmq aborts.
            self.iopub_socket = context.socket(zmq.XPUB)
            self.iopub_socket.linger = 1000
            self._bind_socket(self.iopub_socket, 0)
            self.configure_tornado_logger()
            self.iopub_thread = iostream.IOPubThread(self.iopub_socket, pipe=False, session=self.session)
            self.iopub_thread.start()
            self.iopub_socket = self.iopub_thread.background_socket

        def init_io(self) -> None:
            _quiet_stdio()
            sys.stdout = output(self.session, self.iopub_thread, "stdout")
            sys.stderr = output(self.session, self.iopub_thread, "stderr")
            from ipykernel.displayhook import ZMQDisplayHook

            sys.displayhook = self.displayhook = ZMQDisplayHook(self.session, self.iopub_socket)
            self.patch_io()

    return App, output


def _quiet_stdio() -> None:
    """Give 0, 1 and 2 to nobody: the host reads them only while the kernel starts."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def main() -> None:
    """Read the configuration, set the limits, run the kernel until it is killed."""
    config = json.load(sys.stdin)
    set_limits(config["limits"])
    sys.path[:0] = config["path"]
    # Never used here: the debugger and the completer are a third of the import time, and pandas loads Arrow where it is
    # there, which takes much of the memory that a cell may have.
    for unused in ("debugpy", "jedi", "pyarrow"):
        sys.modules[unused] = None  # type: ignore[assignment]
    diagnosis = os.dup(2)
    try:
        from traitlets.config import Config

        settings = Config()
        settings.HistoryManager.enabled = False
        settings.InteractiveShell.colors = "nocolor"
        app_class, output = _app_class(config, list(config["sockets"]))
        app = app_class.instance(config=settings, log_level=50)
        app.initialize([])
        from llmos.tools import sandbox_prelude

        sandbox_prelude.install(app.kernel, output, config)
    except BaseException:
        import traceback

        os.write(diagnosis, traceback.format_exc().encode())
        raise
    os.close(diagnosis)
    app.start()


if __name__ == "__main__":
    main()
