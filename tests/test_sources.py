"""Personas from folders, addresses, repositories and indexes: what is installed; attacks, which leave nothing."""

import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmos import UsageError
from llmos.cli import run_command
from llmos.memory import personas, sources
from llmos.memory.package import pack

COACH = """---
name: Tea Coach
description: brews tea
tools: [calculator, recall]
knowledge: [tea.md]
---
Brew.
"""


class Web(ThreadingHTTPServer):
    """A site on loopback: ``files`` by path; ``/loop`` leads to itself, ``/away`` out, ``/endless`` never ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files: dict[str, bytes] = {}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Answers(BaseHTTPRequestHandler):
    server: Web

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        leads = {"/loop": "/loop", "/away": "http://example.org/x.persona", "/on": "/tea.persona"}
        if self.path in leads:
            self.send_response(302)
            self.send_header("Location", leads[self.path])
            self.end_headers()
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"0" * 65536)
            except OSError:
                return
        elif self.path.lstrip("/") in self.server.files:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.files[self.path.lstrip("/")])
        else:
            self.send_error(404)


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LLMOS_INDEX", raising=False)
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "tea")
    return tmp_path / "home"


def folder(path: Path, persona: str = COACH, version: str = "1.0.0") -> Path:
    path.mkdir()
    (path / "persona.md").write_text(persona)
    (path / "tea.md").write_text("Assam is brewed for three minutes.")
    (path / "package.toml").write_text(f'version = "{version}"\nlicence = "CC0-1.0"\n')
    return path


def packed(path: Path) -> bytes:
    out = path.parent / f"{path.name}.persona"
    pack(personas.find(str(path / "persona.md"), path.parent), out, "1.0.0", "CC0-1.0")
    return out.read_bytes()


def refused(source: str, home: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What is said of what must not be installed, even with --yes; nothing of it is left in the home."""
    before = sorted(home.rglob("*"))
    capsys.readouterr()
    assert run_command(["persona", "install", source, "--yes", *options]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1, shown
    assert sorted(home.rglob("*")) == before
    return shown


def test_a_folder_and_an_address(home: Path, tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["persona", "install", "tea"]) == 3
    assert "asks for: tool calculator" in capsys.readouterr().out
    assert run_command(["persona", "install", "tea", "--yes"]) == 0
    assert personas.find("tea-coach", home).foreign
    assert run_command(["persona", "remove", "tea-coach", "--yes"]) == 0
    web.files["tea.persona"] = packed(tmp_path / "tea")
    for path in ("tea.persona", "on"):
        digest = hashlib.sha256(web.files["tea.persona"]).hexdigest()
        assert run_command(["persona", "install", web.url(path), "--yes", "--sha256", digest]) == 0
    assert run_command(["persona", "install", web.url("on"), "--yes", "--sha256", "0" * 64]) == 3


def test_addresses_that_are_refused(home: Path, web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    web.files["bad.persona"] = b"PK no zip"
    for path, told in (
        ("gone.persona", "answers 404"),
        ("loop", "leads on more than 3 times"),
        ("away", "is not https"),
        ("bad.persona", "bad.persona is broken or no zip file"),
    ):
        assert told in refused(web.url(path), home, capsys)
    assert "is not https" in refused("http://example.org/a.persona", home, capsys)
    with pytest.raises(UsageError, match="sends more than 0 MB"):
        sources.download(web.url("endless"), 100_000)


@pytest.mark.parametrize("to", ["https://127.0.0.1/x", "https://[::1]/x", "https://10.0.0.1/x", "https://localhost/x"])
def test_the_web_does_not_lead_back_home(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Reply:
        is_redirect, headers = True, {"location": to}

        def __enter__(self) -> "Reply":
            return self

        def __exit__(self, *_: object) -> None: ...

    def stream(method: str, url: str, **_: Any) -> Reply:
        asked.append(url)
        return Reply()

    monkeypatch.setattr(httpx, "stream", stream)
    with pytest.raises(UsageError, match="this machine's own network"):
        sources.download("https://example.org/x.persona", 1000)
    assert asked == ["https://example.org/x.persona"]


def test_folders_that_are_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def changed(name: str) -> Path:
        return folder(tmp_path / name)

    (tmp_path / "secret.md").write_text("secret")
    linked, inner, pipe, bare, unsaid = (changed(n) for n in ("linked", "inner", "pipe", "bare", "unsaid"))
    (linked / "tea.md").unlink()
    (linked / "tea.md").symlink_to(tmp_path / "secret.md")
    (inner / "more").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(pipe / "x")
    (bare / "persona.md").unlink()
    (unsaid / "package.toml").write_text("version = 1\n")
    for path, told in (
        (linked, "no plain file: tea.md"),
        (inner, "no plain file: more"),
        (pipe, "no plain file: x"),
        (bare, "holds no persona.md"),
        (unsaid, "does not say version"),
    ):
        assert told in refused(str(path), home, capsys)
    (unsaid / "package.toml").unlink()
    assert "has no package.toml" in refused(str(unsaid), home, capsys)
    tags = folder(tmp_path / "tags", COACH.replace("brews tea", "!!python/object/apply:os.system ['id']"))
    assert "tags, anchors" in refused(str(tags), home, capsys)


def git(path: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=path, check=True, capture_output=True)


def test_a_repository(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = tmp_path / "repository"
    tree.mkdir()
    inner = folder(tree / "coach")
    evil = folder(tree / "evil")
    (evil / "tea.md").unlink()
    (evil / "tea.md").symlink_to("/etc/passwd")
    (tree / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch /tmp/owned"\n')
    git(tree, "init")
    git(tree, "add", ".")
    git(tree, "commit", "-m", "first")
    git(tree, "tag", "v1")
    (inner / "tea.md").write_text("Sencha is brewed for two minutes.")
    git(tree, "commit", "-am", "second")
    address = f"git+file://{tree}"
    assert run_command(["persona", "install", f"{address}@v1#coach", "--yes"]) == 0
    assert "Assam" in personas.find("tea-coach", home).files()[0].read_text()
    assert run_command(["persona", "install", f"{address}#coach", "--yes"]) == 0
    assert "Sencha" in personas.find("tea-coach", home).files()[0].read_text()
    assert run_command(["persona", "install", f"{address}#evil", "--yes"]) == 0  # the link is its text, and no link
    assert "root:" not in personas.find("tea-coach", home).files()[0].read_text()
    for source, told in (
        (f"{address}@nothing#coach", "git cannot get"),
        (f"{address}@--upload-pack=x#coach", "no repository with a revision"),
        (f"{address}#../..", "no folder inside"),
        (f"{address}#.git", "no folder inside"),
        (f"{address}#nothing", "there is no folder nothing"),
        ("git+ext::sh -c touch% /tmp/owned", "given by https://"),
        ("git+ssh://example.org/x.git", "given by https://"),
        ("git+--upload-pack=x", "no repository with a revision"),
    ):
        assert told in refused(source, home, capsys)


def listing(web: Web, data: bytes, **other: Any) -> str:
    """An index at an address that lists one package."""
    asked = ["tool calculator", "tool recall"]
    entry: dict[str, Any] = {"name": "Tea Coach", "description": "brews tea", "version": "1.0.0", "licence": "CC0-1.0"}
    entry |= {"url": "tea.persona", "sha256": hashlib.sha256(data).hexdigest(), "permissions": asked, **other}
    web.files["index.json"] = json.dumps({"format": 1, "personas": [entry]}).encode()
    web.files["tea.persona"] = data
    return web.url("index.json")


def test_an_index_is_searched_and_installed_from(
    home: Path, tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["persona", "search", "tea"]) == 2
    assert "llmos config set index URL" in capsys.readouterr().err
    index = listing(web, packed(tmp_path / "tea"))
    assert run_command(["config", "set", "index", index]) == 0
    assert run_command(["persona", "search", "BREWS", "tea"]) == 0
    assert "asks for: tool calculator, tool recall; CC0-1.0" in capsys.readouterr().out
    assert run_command(["persona", "search", "coffee"]) == 0
    assert capsys.readouterr().out == "nothing found\n"
    assert run_command(["persona", "install", "tea-coach", "--yes"]) == 0
    assert "did you mean tea-coach?" in refused("tee-coach", home, capsys)
    file = tmp_path / "index.json"
    file.write_bytes(web.files["index.json"])
    assert run_command(["persona", "install", "Tea Coach", "--yes", "--index", str(file)]) == 0


def test_what_is_not_as_its_index_says_is_refused(
    home: Path, tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    data = packed(tmp_path / "tea")
    more = packed(folder(tmp_path / "more", COACH.replace("calculator", "calculator, python")))
    for given, other, told in (
        (data, {"sha256": "0" * 64}, "its sha256 is another"),
        (data, {"name": "Tea  coach!", "version": "2.0.0"}, "its version is another"),
        (more, {}, "its permissions is another"),
        (data, {"url": "gone.persona"}, "answers 404"),
        (data, {"url": "http://example.org/x.persona"}, "is not https"),
        (data, {"url": "file:///etc/passwd"}, "is not https"),
        (data, {"permissions": "all"}, "does not say its permissions"),
        (data, {"sha256": "x"}, "no sha256"),
        (data, {"name": 3}, "does not say name"),
    ):
        assert told in refused("tea-coach", home, capsys, "--index", listing(web, given, **other))
    file = tmp_path / "index.json"
    for path in ("../secret", "/etc/passwd", "gone.persona"):
        entry = json.loads(web.files["index.json"])["personas"][0] | {"name": "Tea Coach", "url": path}
        file.write_text(json.dumps({"format": 1, "personas": [entry | {"sha256": "0" * 64}]}))
        assert "does not lie beside the index" in refused("tea-coach", home, capsys, "--index", str(file))


def test_indexes_that_are_none(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "index.json"
    for text, told in (
        ("[" * 100_000, "is no JSON"),
        ("[]", "is none"),
        ('{"format": 2, "personas": []}', "is none"),
        (" " * 2_000_001, "is larger than 2 MB"),
        (json.dumps({"format": 1, "personas": [{}] * 5_001}), "lists more than 5,000"),
    ):
        file.write_text(text)
        assert told in refused("tea-coach", home, capsys, "--index", str(file))
        with pytest.raises(UsageError, match=told):
            sources.listed(str(file))
    with pytest.raises(UsageError, match="cannot read the index"):
        sources.listed(str(tmp_path / "gone.json"))


def test_an_update_from_an_index_gets_no_more_than_was_allowed(
    home: Path, tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    index = listing(web, packed(tmp_path / "tea"))
    assert run_command(["persona", "install", "tea-coach", "--yes", "--index", index]) == 0
    more = packed(folder(tmp_path / "more", COACH.replace("calculator", "calculator, python")))
    asked = ["tool calculator", "tool python", "tool recall"]
    index = listing(web, more, permissions=asked)
    assert "asks for more than 1.0.0 did: tool python" in refused("tea-coach", home, capsys, "--index", index)


def test_what_is_local() -> None:
    for host in ("localhost", "a.localhost", "127.0.0.1", "[::1]", "10.1.1.1", "192.168.0.1", "169.254.169.254", "nas"):
        assert sources._local(f"https://{host}/x"), host
    for host in ("example.org", "8.8.8.8", "[2606:4700::1]"):
        assert not sources._local(f"https://{host}/x"), host
