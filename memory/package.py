"""A persona in one file: a zip of its Markdown, its knowledge and a manifest that says what it asks for.

A package comes from others, so nothing of it is believed: names, sizes and kinds are checked before anything is
unpacked, each part must have the hash that the manifest gives it, and the permissions shown must be those its persona
takes. Hashes tell damage and parts that were exchanged; who made the manifest they do not tell (there are no
signatures): compare the hash of the whole file with what its author says. Nothing in a package is run.
"""

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from llmos.kernel.errors import UsageError
from llmos.kernel.hygiene import clean
from llmos.kernel.persona import Persona, nearest, parse
from llmos.memory import reader, zips
from llmos.memory.personas import FILE, MANIFEST

ENDING, FORMAT, TRIALS, CARD = ".persona", 1, "eval.jsonl", "score.json"
KEYS = ("format", "name", "version", "licence", "permissions", "parts")
MOST_FILE, MOST_TOTAL, MOST_PARTS, MOST_MANIFEST = 50_000_000, 50_000_000, 200, 64_000
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_VERSION = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}")


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was looked at: its manifest, its parts by name, its persona, and the hash of the whole file."""

    persona: Persona
    version: str
    licence: str
    permissions: tuple[str, ...]
    parts: Mapping[str, bytes]
    manifest: bytes
    sha256: str


def permissions(persona: Persona) -> tuple[str, ...]:
    """What a persona asks for. Raises UsageError where it does not say its tools."""
    if persona.tool_names is None:
        raise UsageError(f"{persona.name} has to say which tools it may use, such as tools: [calculator]")
    asked = [f"tool {name}" for name in persona.tool_names]
    if persona.model:
        asked.append(f"model {persona.model}")
    return tuple(sorted(set(asked)))


def pack(persona: Persona, out: Path, version: str, licence: str) -> str:
    """Write a package of a persona's file; its sha256. The same persona gives the same bytes.

    Raises UsageError for a persona that cannot be packed, or a file that is there already.
    """
    if persona.home is None:
        raise UsageError(f"{persona.name} was made in Python; only a persona of a file can be packed")
    file = Path(persona.place) if Path(persona.place).is_file() else persona.home / FILE
    if not file.is_file():
        file = persona.home / f"{persona.slug}.md"
    parts = {FILE: file.read_bytes()}
    root = persona.home.resolve()
    for path in persona.files():
        for one in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            parts[one.resolve().relative_to(root).as_posix()] = one.read_bytes()
    for name in (TRIALS, CARD):
        if (persona.home / name).is_file():
            parts[name] = (persona.home / name).read_bytes()
    manifest = {
        "format": FORMAT,
        "name": persona.name,
        "version": version,
        "licence": licence,
        "permissions": list(permissions(persona)),
        "parts": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(parts.items())},
    }
    told = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
    _examined(told, parts, "")
    try:
        with out.open("xb") as stream, ZipFile(stream, "w", ZIP_DEFLATED) as archive:
            for name, data in ((MANIFEST, told), *sorted(parts.items())):
                info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.compress_type, info.external_attr = ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
                archive.writestr(info, data)
    except FileExistsError:
        raise UsageError(f"{out} is there already; give another name by --out") from None
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error
    return opened(out).sha256


def opened(path: Path) -> Package:
    """A package, looked at whole. Raises UsageError, one line, for whatever is wrong with it; nothing is written."""
    try:
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        if path.stat().st_size > MOST_FILE:
            raise UsageError(f"{path.name} is too large for a persona: at most {MOST_FILE // 1_000_000} MB")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    zips.check(path, path.name)
    with ZipFile(path) as archive:
        _listed(archive, path.name)
        parts: dict[str, bytes] = {}
        left = MOST_TOTAL
        for info in archive.infolist():
            most = MOST_MANIFEST if info.filename == MANIFEST else left
            parts[info.filename] = zips.content(archive, info.filename, most)
            left -= len(parts[info.filename])
    manifest = parts.pop(MANIFEST)
    return _examined(manifest, parts, digest)


def _listed(archive: ZipFile, name: str) -> None:
    """Raise UsageError for members that are too many, too large, oddly named, or no plain files."""
    infos = archive.infolist()
    if len(infos) > MOST_PARTS or sum(i.file_size for i in infos) > MOST_TOTAL:
        raise UsageError(f"{name} unpacks to more than a persona may: {MOST_PARTS} files, {MOST_TOTAL // 10**6} MB")
    seen: set[str] = set()
    for info in infos:
        _named(info.filename, name)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind not in (0, stat.S_IFREG):
            raise UsageError(f"{name} holds what is no plain file: {info.filename}")
        if info.filename.casefold() in seen:
            raise UsageError(f"{name} holds {info.filename} twice")
        seen.add(info.filename.casefold())
    if MANIFEST not in {i.filename for i in infos}:
        raise UsageError(f"{name} is no persona: it has no {MANIFEST}")
    if next(i for i in infos if i.filename == MANIFEST).file_size > MOST_MANIFEST:
        raise UsageError(f"the manifest of {name} is too large: at most {MOST_MANIFEST // 1000} kB")


def _named(part: str, name: str) -> None:
    segments = part.split("/")
    odd = any(not _SEGMENT.fullmatch(s) or s.endswith((".", " ")) or _RESERVED.fullmatch(s) for s in segments)
    if odd or len(segments) > 4:
        raise UsageError(f"{name} holds a file with a name that is not taken: {clean(part)[:60]!r}")


def _examined(manifest: bytes, parts: Mapping[str, bytes], digest: str) -> Package:
    """The package of a manifest and its parts. Raises UsageError where they do not fit each other."""
    told = read_manifest(manifest)
    hashes = told["parts"]
    for name in sorted({*hashes, *parts}):
        _named(name, "the package")
        if name not in parts or name not in hashes:
            raise UsageError(f"{name} is in the {'manifest' if name in hashes else 'package'} alone; it was changed")
        if hashlib.sha256(parts[name]).hexdigest() != hashes[name]:
            raise UsageError(f"{name} is not what the manifest says: its hash differs; it was changed or damaged")
    if FILE not in parts:
        raise UsageError(f"the package holds no {FILE}")
    try:
        persona = parse(parts[FILE].decode("utf-8"), FILE, foreign=True)
    except UnicodeDecodeError as error:
        raise UsageError(f"{FILE} is not UTF-8 text") from error
    if persona.name != told["name"]:
        raise UsageError(f"the manifest names {told['name']!r}, the persona is {persona.name!r}")
    asked = permissions(persona)
    if sorted(told["permissions"]) != list(asked):
        odd = sorted(set(told["permissions"]) ^ set(asked))
        raise UsageError(f"the permissions of the manifest are not those of the persona: {', '.join(odd)}")
    for name in parts:
        known = any(PurePosixPath(name).is_relative_to(str(path)) for path in persona.knowledge)
        if name not in (FILE, TRIALS, CARD) and not (known and reader.readable(name)):
            raise UsageError(f"{name} is neither the persona nor knowledge that it names and llmos can read")
    for path in persona.knowledge:
        if not any(PurePosixPath(name).is_relative_to(str(path)) for name in parts):
            raise UsageError(f"the knowledge file {path} is not in the package")
    if CARD in parts:
        read_card(parts[CARD])
    return Package(persona, told["version"], told["licence"], asked, parts, manifest, digest)


def read_card(data: bytes) -> tuple[str, int, int]:
    """A score card: the model that was tried, how many of the trials passed, and how many there were.

    It is its author's word, nothing that was checked. Raises UsageError for what is no score card.
    """
    try:
        told = json.loads(data[:MOST_MANIFEST].decode("utf-8"))
        model, passed, count = told["model"], told["passed"], told["trials"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise UsageError(f"{CARD} is no score card; llmos persona test --card makes one") from error
    numbers = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= 10_000 for n in (passed, count))
    if not isinstance(model, str) or len(model) > 300 or not numbers or passed > count:
        raise UsageError(f"{CARD} is no score card; llmos persona test --card makes one")
    return model, passed, count


def read_manifest(data: bytes) -> dict[str, Any]:
    """The manifest's keys, each of its kind. Raises UsageError where it is not what it has to be."""
    try:
        told = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the manifest is no JSON: {' '.join(str(error).split())[:100]}") from error
    if not isinstance(told, dict):
        raise UsageError("the manifest is no JSON object")
    for key in told:
        if key not in KEYS:
            raise UsageError(f"the manifest has an unknown key {key!r}{nearest(key, KEYS)}")
    for key in KEYS:
        if key not in told:
            raise UsageError(f"the manifest does not say {key!r}")
    if told["format"] != FORMAT or isinstance(told["format"], bool):
        raise UsageError(f"the package is of format {told['format']!r}; this llmos reads format {FORMAT}")
    if not isinstance(told["version"], str) or not _VERSION.fullmatch(told["version"]):
        raise UsageError("a version is three numbers, such as 1.0.0")
    licence = told["licence"]
    if not isinstance(licence, str) or not re.fullmatch(r"[A-Za-z0-9][\w .,()+-]{0,99}", licence, re.ASCII):
        raise UsageError("a licence is named in a few words, such as CC-BY-4.0")
    asked, parts = told["permissions"], told["parts"]
    if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked):
        raise UsageError("the manifest's permissions are no list of texts")
    for one in asked:
        if not re.fullmatch(r"tool [a-zA-Z0-9_-]{1,64}|model \S.{0,300}", one):
            raise UsageError(f"the manifest asks for what nobody knows: {clean(one)[:60]!r}")
    if not isinstance(parts, dict) or not all(isinstance(p, str) for p in parts.values()):
        raise UsageError("the manifest's parts are no names with their hashes")
    return told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands there twice")
    return made
