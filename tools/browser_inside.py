"""Runs inside the browser's box: starts Chromium, and carries its connections to the one socket that leads out.

The box has a network of its own with nothing in it but this process: Chromium takes it for its proxy, and what comes
goes on, byte by byte, to the Unix socket, where the host decides. Uses the standard library alone. It decides nothing,
and a Chromium that bypasses it finds an empty network.
"""

import contextlib
import os
import selectors
import socket
import sys
import threading

PORT = 3128
PIECE = 1 << 16


def main(arguments: list[str]) -> int:
    """``OUT READ WRITE COMMAND…``: the socket out, the two descriptors of the debugging pipe, Chromium's command."""
    out, read, write, *command = arguments
    listener = socket.create_server(("127.0.0.1", PORT), backlog=64)
    child = os.fork()
    if child == 0:
        listener.close()
        # Whatever their numbers, as 3 and 4: that is where Chromium looks for them.
        high = [os.dup(int(read)), os.dup(int(write))]
        high = [fd if fd > 4 else os.dup(os.dup(fd)) for fd in high]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)
        os.closerange(5, 256)
        os.execv(command[0], command)
    for fd in (int(read), int(write)):
        os.close(fd)  # or the pipe would not end with Chromium
    threading.Thread(target=_listen, args=(listener, out), daemon=True).start()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) & 0xFF


def _listen(listener: socket.socket, out: str) -> None:
    while True:
        inner, _ = listener.accept()
        threading.Thread(target=_carry, args=(inner, out), daemon=True).start()


def _carry(inner: socket.socket, out: str) -> None:
    outer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with inner, outer, contextlib.suppress(OSError):
        outer.connect(out)
        other = {inner: outer, outer: inner}
        with selectors.DefaultSelector() as selector:
            for side in other:
                selector.register(side, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    come = inner if key.fileobj is inner else outer
                    piece = come.recv(PIECE)
                    if not piece:
                        return
                    other[come].sendall(piece)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
