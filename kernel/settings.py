"""What is set for good: ``$LLMOS_HOME/config.toml``, above it the environment, above that what a command is told.

Every value knows where it comes from. A key that nobody knows is an error that names the nearest one. Knows keys and
their kinds, not what comes of them; sizes on disk have a file of their own (``quotas``), rules of policy too.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from llmos.kernel.errors import UsageError

FILE, PREFIX, DEFAULT = "config.toml", "LLMOS_", "default"
Kind = Literal["text", "number", "switch", "list"]
Value = str | int | bool | None | tuple[str, ...]
_HEAD = "# Written by llmos config set.\n"
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
THEMES = ("auto", "dark", "light", "none")
# Variables that are no settings, and the beginnings of such.
_OTHERS = ("LLMOS_HOME", "LLMOS_API_KEY", "LLMOS_MEMORY_URL", "LLMOS_PEERS", "LLMOS_FUZZ")


@dataclass(frozen=True, slots=True)
class Key:
    """A setting: its kind, what it is where nobody says anything, what it does, and which texts it may be."""

    kind: Kind
    default: Value
    about: str
    choices: tuple[str, ...] = ()


KEYS: Mapping[str, Key] = {
    "model": Key("text", "embedded", "the model that is run: a checkpoint folder or hub name, or a URL"),
    "persona": Key("text", "", "who answers where nobody is named"),
    "seed": Key("number", 0, "the seed of whatever is random"),
    "strict": Key("switch", False, "keep text that others wrote from the model, behind handles"),
    "redact": Key("switch", False, "keep e-mail addresses, phone, account and card numbers from the model"),
    "memory": Key("switch", None, "give the kernel what is remembered; unset: for other models than its own"),
    "skills": Key("switch", False, "keep requests solved to your liking, and show like ones to larger models"),
    "browser": Key("switch", None, "give the kernel the web; unset: for other models than its own"),
    "search": Key("text", "", "the search engine: folder:PATH, site:URL, a SearXNG URL, duckduckgo, brave, …"),
    "allow_hosts": Key("list", (), "private hosts that the browser may reach, such as localhost:8000"),
    "allow_posts": Key("list", (), "hosts that forms may be sent to"),
    "browser_profile": Key("text", "", "the name under which the browser's cookies are kept; unset: they are not"),
    "image_model": Key("text", "", "the checkpoint that makes pictures: a folder or a hub name"),
    "index": Key("list", (), "where llmos persona search looks: URLs or files of lists of personas"),
    "int8": Key("switch", False, "weights of a byte each for local checkpoints"),
    "theme": Key("text", "auto", "the colours of a conversation", THEMES),
    "plain": Key("switch", False, "words instead of signs, nothing that moves: for screen readers"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and its origin: ``default``, a file's path, a variable's name, or an option such as ``--model``."""

    value: Any
    origin: str


def load(
    home: Path, flags: Mapping[str, Value] | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, Setting]:
    """All settings. ``flags`` are what a command was told, by key; None is nothing.

    Raises UsageError, one line, for a file that cannot be read, a key that nobody knows, or a value of another kind.
    """
    around = os.environ if environment is None else environment
    found = {name: Setting(key.default, DEFAULT) for name, key in KEYS.items()}
    path = home / FILE
    for name, value in read(home).items():
        found[name] = Setting(_taken(known(name, f"{path}: "), value, f"{path}: {name}"), str(path))
    for name in KEYS:
        if text := around.get(PREFIX + name.upper(), "").strip():
            found[name] = Setting(parsed(name, text, PREFIX + name.upper()), PREFIX + name.upper())
    for name, told in (flags or {}).items():
        if told is not None:
            option = {"allow_hosts": "allow-host", "allow_posts": "allow-post"}.get(name, name.replace("_", "-"))
            found[name] = Setting(told, f"--{option}")
    return found


def read(home: Path) -> dict[str, Any]:
    """The file as it stands; nothing where there is none. Raises UsageError where it is no TOML."""
    path = home / FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}; mend it or remove it") from error


def known(name: str, where: str = "") -> str:
    """The key, if there is one of this name. Raises UsageError with the nearest."""
    if name in KEYS:
        return name
    near = get_close_matches(name.replace("-", "_").lower(), KEYS, 1)
    more = f"did you mean {near[0]}?" if near else f"there are: {', '.join(KEYS)}"
    raise UsageError(f"{where}there is no setting {name!r}; {more}")


def parsed(name: str, text: str, where: str) -> Value:
    """A setting's value from text. Raises UsageError, beginning with ``where``, for one of another kind."""
    kind = KEYS[known(name)].kind
    if kind == "switch" and text.lower() in _SWITCH:
        return _SWITCH[text.lower()]
    if kind == "number" and re.fullmatch(r"\d{1,18}", text):
        return int(text)
    if kind == "list":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return _taken(name, text, where)


def change(home: Path, name: str, value: Value) -> Path:
    """Set a key for good, or with None take it out of the file; the file. Other lines stay as they are."""
    known(name)
    kept = read(home)
    kept.pop(name, None)
    if value is not None:
        kept[name] = value
    path = home / FILE
    text = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    line = "" if value is None else f"{name} = {_spelled(value)}\n"
    there = re.compile(rf"^[ \t]*{name}[ \t]*=.*\n?", re.MULTILINE)
    told = there.sub(lambda _: line, text, 1) if there.search(text) else f"{text.rstrip()}\n{line}"
    if not _says(told, kept):  # a value over several lines, or a table: the file is written anew
        told = _HEAD + "".join(f"{key} = {_spelled(one)}\n" for key, one in kept.items())
    home.mkdir(parents=True, exist_ok=True)
    part = home / f"{FILE}.{os.getpid()}"
    part.write_text(told, encoding="utf-8")
    part.replace(path)
    return path


def strangers(environment: Mapping[str, str] | None = None) -> list[str]:
    """One line for each variable that looks like a setting and is none."""
    around = os.environ if environment is None else environment
    ours = [PREFIX + name.upper() for name in KEYS]
    odd = [n for n in sorted(around) if n.startswith(PREFIX) and n not in (*ours, *_OTHERS) and "_QUOTA_" not in n]
    near = {name: get_close_matches(name, [*ours, *_OTHERS], 1) for name in odd}
    return [f"{name} is set and means nothing" + (f"; did you mean {n[0]}?" if n else "") for name, n in near.items()]


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        found = tomllib.loads(text)
    except ValueError:
        return False
    return found == {name: list(value) if isinstance(value, tuple) else value for name, value in wanted.items()}


def _spelled(value: Any) -> str:
    """A value as TOML; JSON's texts, numbers, switches and lists are TOML's too."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=True)


def _taken(name: str, value: Any, where: str) -> Value:
    key = KEYS[name]
    if key.kind == "switch":
        fits, wanted = isinstance(value, bool), "true or false"
    elif key.kind == "number":
        fits, wanted = isinstance(value, int) and not isinstance(value, bool) and value >= 0, "a whole number"
    elif key.kind == "list":
        fits, wanted = isinstance(value, list) and all(isinstance(one, str) for one in value), "a list of texts"
        value = tuple(value) if fits else value
    else:
        fits, wanted = isinstance(value, str) and "\n" not in value, "text on one line"
        if key.choices:
            fits, wanted = value in key.choices, " or ".join(key.choices)
    if not fits:
        raise UsageError(f"{where} is {wanted}, not {value!r}")
    taken: Value = value
    return taken
