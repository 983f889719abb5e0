"""A model hub on this machine: what the hub's client asks for, answered from folders; a file can break off half-way."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves ``base/owner/name`` as the repository ``owner/name``; keeps what was asked of it."""

    daemon_threads = True

    def __init__(self, base: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.base, self.asked = base, list[str]()
        self.breaks = ""  # the end of the path of a file that is sent by half, and not a second time

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def sent(self, name: str) -> set[str]:
        """The files of a repository that were asked for."""
        start = f"GET /{name}/resolve/"
        return {line.removeprefix(start).partition("/")[2] for line in self.asked if line.startswith(start)}


@contextmanager
def hub(base: Path) -> Iterator[Hub]:
    """A hub that answers while the block lasts."""
    with Hub(base) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *told: object) -> None:
        """Nothing on the terminal."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        head, _, rest = path.removeprefix("/").partition("/resolve/")
        if rest and (self.server.base / head).is_dir():
            self._file(self.server.base / head / rest.partition("/")[2], body)
        elif head.startswith("api/models/") and (folder := self._folder(head)).is_dir():
            files = sorted(file for file in folder.rglob("*") if file.is_file())
            self._told(_tree(folder, files) if "/tree/" in head else _info(folder, files), body)
        else:
            self._missing("RepoNotFound", body)

    def _folder(self, path: str) -> Path:
        owner, name = path.removeprefix("api/models/").split("/")[:2]
        return self.server.base / owner / name

    def _told(self, what: object, body: bool) -> None:
        self._send(200, json.dumps(what).encode(), {"Content-Type": "application/json"}, body)

    def _missing(self, code: str, body: bool) -> None:
        self._send(404, b"{}", {"X-Error-Code": code, "X-Repo-Commit": COMMIT}, body)

    def _file(self, file: Path, body: bool) -> None:
        if not file.is_file():
            return self._missing("EntryNotFound", body)
        data = file.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if not (body and self.server.breaks and str(file).endswith(self.server.breaks)):
            return self._send(200, data, headers, body)
        if "Range" in self.headers:
            return self._send(403, b"{}", {}, body)
        return self._send(200, data, headers, body, len(data) // 2)

    def _send(self, status: int, data: bytes, headers: dict[str, str], body: bool, most: int | None = None) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data[:most])
        if most is not None:
            self.close_connection = True


def _info(folder: Path, files: list[Path]) -> dict[str, object]:
    names = [{"rfilename": str(file.relative_to(folder))} for file in files]
    return {"id": f"{folder.parent.name}/{folder.name}", "sha": COMMIT, "siblings": names, "private": False, "tags": []}


def _tree(folder: Path, files: list[Path]) -> list[dict[str, object]]:
    return [
        {
            "type": "file",
            "path": str(file.relative_to(folder)),
            "size": file.stat().st_size,
            "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
        }
        for file in files
    ]
