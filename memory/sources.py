"""Where packages of personas come from: a file, a folder, an address of the web, a git repository, a name in an index.

Whatever it is becomes one file that ``package.opened`` looks at; nothing of it is run or believed before. Bytes are
counted as they come, not as they are announced. An index is a static JSON file that anybody can host: it says where a
package is and what its hash is, and a package that is not what its index says is refused. Knows no signatures.
"""

import ipaddress
import json
import os
import re
import resource
import stat
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

from llmos.kernel.errors import UsageError
from llmos.kernel.hygiene import clean
from llmos.kernel.persona import nearest, read, slug
from llmos.memory.package import ENDING, MOST_FILE, Package, opened, pack
from llmos.memory.personas import FILE

ABOUT = "package.toml"  # beside a persona's file in a folder: version and licence
MOST_INDEX, MOST_ENTRIES, MOST_REDIRECTS = 2_000_000, 5_000, 3
_SECONDS, _GIT_SECONDS, _MOST_ENTRIES = 60.0, 120.0, 5_000
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,200}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A persona in an index: what it says of a package, and where that is. ``index`` is whose word it is."""

    name: str
    description: str
    version: str
    licence: str
    url: str
    sha256: str
    permissions: tuple[str, ...]
    index: str

    @property
    def slug(self) -> str:
        """As it is installed."""
        return slug(self.name)


@contextmanager
def fetched(source: str, indexes: Sequence[str] = ()) -> Iterator[Package]:
    """A package from wherever it is, looked at whole; what was fetched for it is gone afterwards.

    Raises UsageError, one line, for what cannot be had or is not what it should be.
    """
    with tempfile.TemporaryDirectory(prefix="llmos-") as made:
        folder = Path(made)
        path = Path(source).expanduser()
        if source.startswith("git+") or (source.startswith(("https://", "http://")) and _is_git(source)):
            yield _packed(_cloned(source.removeprefix("git+"), folder), folder)
        elif source.startswith(("http://", "https://")):
            out = folder / _called(source)
            out.write_bytes(download(source, MOST_FILE))
            yield opened(out)
        elif path.is_dir():
            yield _packed(path, folder)
        elif path.exists() or "/" in source or source.endswith(ENDING) or not indexes:
            yield opened(path)
        else:
            yield _from_index(source, indexes, folder)


def search(words: str, indexes: Sequence[str]) -> list[Entry]:
    """The entries of all indexes that hold every word, in their order. Raises UsageError for an index that is none."""
    wanted = words.casefold().split()
    entries = [entry for index in indexes for entry in listed(index)]
    return [e for e in entries if all(w in f"{e.name} {e.slug} {e.description}".casefold() for w in wanted)]


def listed(index: str) -> list[Entry]:
    """The entries of an index, an address or a file. Raises UsageError where it cannot be read or is none."""
    if index.startswith(("http://", "https://")):
        data = download(index, MOST_INDEX)
    else:
        try:
            with Path(index).expanduser().open("rb") as stream:
                data = stream.read(MOST_INDEX + 1)
        except OSError as error:
            raise UsageError(f"cannot read the index {index}: {error.strerror}") from error
    if len(data) > MOST_INDEX:
        raise UsageError(f"the index {index} is larger than {MOST_INDEX // 1_000_000} MB")
    try:
        told = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the index {index} is no JSON: {' '.join(str(error).split())[:100]}") from error
    if not isinstance(told, dict) or told.get("format") != 1 or not isinstance(told.get("personas"), list):
        raise UsageError(f'the index {index} is none: it has to be {{"format": 1, "personas": […]}}')
    if len(told["personas"]) > MOST_ENTRIES:
        raise UsageError(f"the index {index} lists more than {MOST_ENTRIES:,} personas")
    return [_entry(one, index, number) for number, one in enumerate(told["personas"], 1)]


def download(url: str, most: int) -> bytes:
    """What is at an address, at most so many bytes. Raises UsageError for anything else than a whole answer.

    Only https, but for this machine itself; an address elsewhere may not lead back to it, or to a private network.
    """
    import httpx

    home = _local(url)
    for _ in range(MOST_REDIRECTS + 1):
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and home and _local(url)):
            raise UsageError(f"{clean(url)[:200]} is not https")
        if _local(url) and not home:
            raise UsageError(f"an address of the web led to this machine's own network: {parts.hostname}")
        try:
            with httpx.stream(
                "GET", url, timeout=20.0, headers={"Accept-Encoding": "identity"}, follow_redirects=False
            ) as reply:
                if reply.is_redirect:
                    url = urljoin(url, reply.headers.get("location", ""))
                    continue
                if reply.status_code != 200:
                    raise UsageError(f"{parts.hostname} answers {reply.status_code} to {clean(url)[:200]}")
                return _counted(reply.iter_raw(), most, parts.hostname or "")
        except httpx.HTTPError as error:
            raise UsageError(f"cannot get {clean(url)[:200]}: {str(error) or type(error).__name__}") from error
        except httpx.InvalidURL as error:
            raise UsageError(f"{clean(url)[:200]} is no address: {error}") from error
    raise UsageError(f"{clean(url)[:200]} leads on more than {MOST_REDIRECTS} times")


def _counted(pieces: Iterator[bytes], most: int, host: str) -> bytes:
    import time

    data, end = bytearray(), time.monotonic() + _SECONDS
    for piece in pieces:
        data += piece
        if len(data) > most:
            raise UsageError(f"{host} sends more than {most // 1_000_000} MB")
        if time.monotonic() > end:
            raise UsageError(f"{host} takes longer than {_SECONDS:.0f} seconds")
    return bytes(data)


def _local(url: str) -> bool:
    """Whether an address is of this machine or of a private network, by its words."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if (
        host == "localhost"
        or host.endswith((".localhost", ".local", ".internal"))
        or ("." not in host and ":" not in host)
    ):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _called(url: str) -> str:
    """What a package from an address is called in what is said of it."""
    name = urlsplit(url).path.rpartition("/")[2].removesuffix(ENDING)
    return f"{re.sub(r'[^A-Za-z0-9._-]', '', name).strip('.')[:60] or 'package'}{ENDING}"


def _is_git(url: str) -> bool:
    return urlsplit(url).path.partition("@")[0].endswith(".git")


def _cloned(source: str, folder: Path) -> Path:
    """A repository's files, of its last commit or of a branch or tag: ``address@revision#folder``.

    No hooks, no submodules, no links, no filters, no configuration of the user's, https or a path here alone.
    """
    address, _, inner = source.partition("#")
    head, at, revision = address.rpartition("@")
    if at and "/" in head and "/" not in head.rpartition("/")[2] and head.rpartition("/")[2]:
        address = head
    else:
        revision = ""
    if address.startswith("-") or (revision and not _REVISION.fullmatch(revision)):
        raise UsageError(f"{clean(source)[:200]} is no repository with a revision")
    local = address.startswith(("/", "file://"))
    if not local and not address.startswith("https://"):
        raise UsageError(f"a repository is given by https:// or by its path here, not {clean(address)[:100]}")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ALLOW_PROTOCOL": "file" if local else "https",
        "LC_ALL": "C",
    }
    options = ["core.symlinks=false", "core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.version=2"]
    command = ["git", *(word for option in options for word in ("-c", option)), "clone", "--quiet", "--depth=1"]
    command += ["--template=", "--no-recurse-submodules", "--single-branch", "--no-tags"]
    command += [f"--branch={revision}"] if revision else []
    to = folder / "repository"
    try:
        done = subprocess.run(
            [*command, "--", f"file://{address}" if address.startswith("/") else address, str(to)],
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            preexec_fn=_bounded,
        )
    except FileNotFoundError:
        raise UsageError("git is not installed; install it, or give the package's file") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"the repository takes longer than {_GIT_SECONDS:.0f} seconds") from None
    if done.returncode:
        lines = [line for line in clean(done.stderr).splitlines() if line.strip()]
        raise UsageError(f"git cannot get {clean(address)[:200]}: {lines[-1][:200] if lines else done.returncode}")
    parts = PurePosixPath(inner).parts
    if ".." in parts or inner.startswith("/") or ".git" in parts:
        raise UsageError(f"{clean(inner)[:100]} is no folder inside of the repository")
    return to.joinpath(*parts)


def _bounded() -> None:
    """In git's own process: no file of it grows beyond what a few packages need."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MOST_FILE, 4 * MOST_FILE))


def _packed(folder: Path, made: Path) -> Package:
    """The package of a folder: one that lies in it, or the folder's own persona. Raises UsageError for neither."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder.name} there")
    _plain(folder)
    packages = sorted(folder.glob(f"*{ENDING}"))
    if len(packages) == 1:
        return opened(packages[0])
    if not (folder / FILE).is_file():
        more = f"; it holds {len(packages)} packages, give one of them" if packages else ""
        raise UsageError(f"{folder.name} holds no {FILE} and not one package{more}")
    about = _about(folder)
    out = made / f"packed{ENDING}"
    persona = read(folder / FILE, foreign=True)
    try:
        pack(persona, out, about["version"], about["licence"])
    except ValueError as error:
        raise UsageError(f"{folder.name} cannot be packed: {error}") from error
    return opened(out)


def _about(folder: Path) -> dict[str, str]:
    try:
        data = (folder / ABOUT).read_bytes()
        told = tomllib.loads(data[:10_000].decode("utf-8"))
    except FileNotFoundError:
        raise UsageError(f'{folder.name} has no {ABOUT} with version = "1.0.0" and licence = "…"') from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{ABOUT} cannot be read: {error}") from error
    for key in ("version", "licence"):
        if not isinstance(told.get(key), str):
            raise UsageError(f"{ABOUT} does not say {key}")
    return {"version": told["version"], "licence": told["licence"]}


def _plain(folder: Path) -> None:
    """Raise UsageError for a folder with links, devices or pipes in it, or with too much."""
    count = 0
    for root, folders, files in os.walk(folder, followlinks=False):
        if ".git" in folders and Path(root) == folder:
            folders.remove(".git")
        for name in (*folders, *files):
            kind = os.lstat(os.path.join(root, name)).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise UsageError(f"{folder.name} holds what is no plain file: {clean(name)[:60]}")
        count += len(folders) + len(files)
        if count > _MOST_ENTRIES:
            raise UsageError(f"{folder.name} holds more than {_MOST_ENTRIES:,} files")


def _entry(told: object, index: str, number: int) -> Entry:
    """An entry, each key of its kind; keys that are not known are left to later versions."""
    texts = ("name", "description", "version", "licence", "url", "sha256")
    where = f"entry {number} of the index {index}"
    if not isinstance(told, dict) or not all(isinstance(told.get(key), str) for key in texts):
        raise UsageError(f"{where} does not say {', '.join(texts)}")
    asked = told.get("permissions")
    if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked) or len(asked) > 200:
        raise UsageError(f"{where} does not say its permissions")
    short = {key: " ".join(clean(told[key]).split())[:300] for key in texts[:4]}
    if not slug(short["name"]) or not re.fullmatch(r"[0-9a-f]{64}", told["sha256"].lower()):
        raise UsageError(f"{where} has no name, or no sha256")
    return Entry(**short, url=told["url"], sha256=told["sha256"].lower(), permissions=tuple(sorted(asked)), index=index)


def _from_index(name: str, indexes: Sequence[str], folder: Path) -> Package:
    """The newest package of a name, as its index has it. Raises UsageError where there is none or it is another."""
    entries = [entry for index in indexes for entry in listed(index)]
    found = [entry for entry in entries if entry.slug == slug(name)]
    if not found:
        known = sorted({entry.slug for entry in entries})
        raise UsageError(f"no index lists {clean(name)!r}{nearest(slug(name), known) if known else ''}")
    if len({entry.index for entry in found}) > 1:
        raise UsageError(f"more than one index lists {name}; choose one: --index")
    entry = max(found, key=lambda e: [int(part) for part in re.findall(r"\d{1,6}", e.version)])
    out = folder / _called(entry.url)
    if entry.index.startswith(("http://", "https://")):
        url = urljoin(entry.index, entry.url)
        if _local(url) and not _local(entry.index):
            raise UsageError(f"the index {entry.index} leads to this machine's own network")
        out.write_bytes(download(url, MOST_FILE))
    elif entry.url.startswith(("http://", "https://")):
        out.write_bytes(download(entry.url, MOST_FILE))
    else:
        out.write_bytes(_beside(Path(entry.index).expanduser(), entry.url))
    found_package = opened(out)
    said = (entry.sha256, entry.slug, entry.version, entry.permissions)
    there = (found_package.sha256, found_package.persona.slug, found_package.version, found_package.permissions)
    for what, one, other in zip(("sha256", "name", "version", "permissions"), said, there, strict=True):
        if one != other:
            raise UsageError(f"{entry.name} is not what its index says: its {what} is another; it was not installed")
    return found_package


def _beside(index: Path, name: str) -> bytes:
    """A package beside an index that is a file."""
    from llmos.kernel import beneath

    try:
        return beneath.read(index.parent.resolve(), name, MOST_FILE)
    except (OSError, ValueError) as error:
        raise UsageError(f"{clean(name)[:100]} does not lie beside the index: {error}") from error
