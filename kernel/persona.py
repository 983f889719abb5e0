"""A persona: who speaks, with which tools, from which knowledge, within which limits. A value and how it is read.

It is one Markdown file: YAML front matter, then the instructions. The front matter is data that others may have
written: no tags, anchors or unknown keys, every size bounded. Instructions are words to the model and nothing more:
what may happen is policy's to say, and a persona can only narrow it. Knows no folders; where personas lie is memory's.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from llmos.kernel.budget import Budget
from llmos.kernel.engine import Sampling
from llmos.kernel.errors import UsageError
from llmos.kernel.hygiene import clean
from llmos.kernel.tool import Tool
from llmos.prompts import load

KEYS = (
    *("name", "description", "model", "tools", "knowledge", "think"),
    *("sampling", "starters", "greeting", "limits"),
)
SAMPLED = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty")
MOST_BYTES, MOST_FRONT = 200_000, 20_000  # of the file, of its front matter
MOST_INSTRUCTIONS = 40_000  # characters
_MOST_BRACKETS = 500
_LENGTHS = {"name": 60, "description": 300, "model": 300, "greeting": 1000}
_MOST_LISTED, _MOST_ITEM, _MOST_THINK = 100, 300, 3600
_TOOL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?(.*)\Z", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Persona:
    """Who speaks. ``tools``: the names of the only tools there are for it, or Tools of its own; None for all.

    ``browser`` stands for all of the browser's tools. ``knowledge`` are files it answers from, in a collection of its
    own. ``limits`` are fields of Budget that it narrows, ``sampling`` fields of Sampling. ``think``: seconds of
    System 2 a request may take. ``home`` is the folder of its file; ``place`` is how it is found again, empty for one
    made in Python. ``foreign``: its words came from others, and calls are decided as in sight of others' text.
    Raises UsageError for what cannot be used.
    """

    name: str
    instructions: str = ""
    description: str = ""
    model: str = ""
    tools: Sequence[str | Tool] | None = None
    knowledge: Sequence[str | Path] = ()
    think: float = 0.0
    sampling: Mapping[str, float] = field(default_factory=dict)
    starters: Sequence[str] = ()
    greeting: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)
    home: Path | None = None
    place: str = ""
    foreign: bool = False

    def __post_init__(self) -> None:
        for key, most in _LENGTHS.items():
            object.__setattr__(self, key, _line(key, getattr(self, key), most))
        if slug(self.name) in ("", "llmos"):
            raise UsageError("a persona needs a name with letters or digits in it, other than llmos")
        if not isinstance(self.instructions, str) or len(self.instructions) > MOST_INSTRUCTIONS:
            raise UsageError(f"{self.name}: instructions are text of at most {MOST_INSTRUCTIONS:,} characters")
        object.__setattr__(self, "instructions", clean(self.instructions).strip())
        if self.tools is not None:
            object.__setattr__(self, "tools", tuple(_tool(t) for t in _listed("tools", self.tools)))
        object.__setattr__(self, "starters", tuple(_line("starters", s, _MOST_ITEM) for s in _items(self, "starters")))
        object.__setattr__(self, "knowledge", tuple(_items(self, "knowledge")))
        object.__setattr__(self, "think", _number("think", self.think, _MOST_THINK))
        if self.knowledge and not self.allows("recall"):
            raise UsageError(f"{self.name} reads its knowledge by the tool recall; add recall to its tools")
        budgets = tuple(f.name for f in fields(Budget))
        object.__setattr__(self, "limits", _numbers("limits", self.limits, budgets))
        object.__setattr__(self, "sampling", _numbers("sampling", self.sampling, SAMPLED))

    @property
    def slug(self) -> str:
        """The name as a folder's: ``Marathon Coach`` is ``marathon-coach``."""
        return slug(self.name)

    @property
    def ref(self) -> str:
        """How a session's log names it."""
        return self.place or f"python:{self.slug}"

    @property
    def key(self) -> str:
        """Its collection in the memory: its own, also where another persona elsewhere has the same name."""
        if self.place == self.slug:
            return self.slug
        return f"{self.slug}-{hashlib.sha256(self.ref.encode()).hexdigest()[:8]}"

    @property
    def tool_names(self) -> tuple[str, ...] | None:
        """The names of its tools; None for all."""
        return None if self.tools is None else tuple(t.name if isinstance(t, Tool) else t for t in self.tools)

    @property
    def own_tools(self) -> tuple[Tool, ...]:
        """The tools that it brings itself."""
        return tuple(t for t in self.tools or () if isinstance(t, Tool))

    def allows(self, tool: str) -> bool:
        """Whether a tool of this name exists for it."""
        names = self.tool_names
        return names is None or tool in names or ("browser" in names and tool.startswith("browser_"))

    def narrowed(self, budget: Budget) -> Budget:
        """The budget with its limits, where these are lower."""
        lower = {key: min(getattr(budget, key), type(getattr(budget, key))(v)) for key, v in self.limits.items()}
        return replace(budget, **lower)

    def sampled(self, sampling: Sampling) -> Sampling:
        """The sampling as it wants it."""
        wanted = {key: type(getattr(sampling, key))(value) for key, value in self.sampling.items()}
        return replace(sampling, **wanted)

    def files(self) -> list[Path]:
        """Its knowledge files. Raises UsageError for one that is missing or lies outside of its folder."""
        found = []
        for name in self.knowledge:
            path = Path(name).expanduser() if self.home is None else self.home / name
            if not path.exists():
                raise UsageError(f"{self.name}: there is no knowledge file {name}")
            if self.home is not None and not path.resolve().is_relative_to(self.home.resolve()):
                raise UsageError(f"{self.name}: the knowledge file {name} lies outside of the persona's folder")
            found.append(path)
        return found

    def system(self) -> str:
        """The system turn: llmos' own words, then the persona's."""
        about = f"{self.name}, {self.description}" if self.description else self.name
        text = load("persona.md").replace("{system}", load("system.md")).replace("{about}", about)
        return text.replace("{instructions}", self.instructions).strip()


def parse(text: str, name: str, home: Path | None = None, place: str = "", foreign: bool = False) -> Persona:
    """The persona of a Markdown file's text; ``name`` is what errors call the file. Raises UsageError, one line."""
    match = _FRONT.match(text.removeprefix("\ufeff"))
    if len(text.encode()) > MOST_BYTES or (match and len(match[1]) > MOST_FRONT):
        most = f"{MOST_BYTES // 1000} kB, {MOST_FRONT // 1000} of them front matter"
        raise UsageError(f"{name} is too long for a persona: at most {most}")
    if match is None:
        raise UsageError(f"{name} is no persona: it begins with a line ---, then name: …, then a line ---")
    front = _front(match[1], name)
    for key in front:
        if key not in KEYS:
            raise UsageError(f"{name}: there is no key {key!r}{nearest(str(key), KEYS)}")
    if not front.get("name"):
        raise UsageError(f"{name}: a persona needs a name")
    if "://" in str(front.get("model", "")):
        raise UsageError(f"{name}: a persona cannot choose a server; give it yourself, by --model")
    knowledge = front.get("knowledge")
    for path in knowledge if isinstance(knowledge, list) else ():
        _within(path, name)
    given = {key: value for key, value in front.items() if value is not None}
    try:
        return Persona(**given, instructions=match[2], home=home, place=place, foreign=foreign)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error


def read(path: Path, place: str = "", foreign: bool = False) -> Persona:
    """The persona of a file. Raises UsageError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        return parse(data.decode("utf-8"), path.name, path.parent, place or str(path.resolve()), foreign)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text") from error


def slug(name: str) -> str:
    """A name in small letters and digits of ASCII, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]


def nearest(word: str, known: Sequence[str]) -> str:
    """``; did you mean …?`` where a known word is like it, else which there are."""
    near = get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"


def _front(text: str, name: str) -> dict[str, Any]:
    """The front matter as plain data. Raises UsageError for what is no plain YAML."""
    import yaml

    if sum(map(text.count, "[{")) > _MOST_BRACKETS:  # YAML's scanner takes the square of their number
        raise UsageError(f"{name}: the front matter is no YAML that a persona needs: too many brackets")
    odd = (yaml.TagToken, yaml.AnchorToken, yaml.AliasToken, yaml.DirectiveToken)
    try:
        if any(isinstance(token, odd) for token in yaml.scan(text)):
            raise UsageError(f"{name}: tags, anchors and directives of YAML are not taken")
        tree = yaml.compose(text, yaml.SafeLoader)
        if twice := _twice(tree):
            raise UsageError(f"{name}: the key {twice!r} stands there twice")
        loaded = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 2}" if error.problem_mark else ""
        raise UsageError(f"{name}: the front matter is no YAML{line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{name}: the front matter is no YAML: {type(error).__name__}") from error
    if not isinstance(loaded, dict):
        raise UsageError(f"{name}: the front matter is no list of keys, such as name: Coach")
    return loaded


def _twice(node: Any) -> str:
    """A key that stands twice in one mapping of composed YAML, which would hide the first; empty where none does."""
    pairs = node.value if hasattr(node, "value") and isinstance(node.value, list) else []
    keys = [pair[0].value for pair in pairs if isinstance(pair, tuple)]
    own = next((str(key) for n, key in enumerate(keys) if key in keys[:n]), "")
    inner = (pair[1] if isinstance(pair, tuple) else pair for pair in pairs)
    return own or next(filter(None, map(_twice, inner)), "")


def _within(path: object, name: str) -> None:
    parts = PurePosixPath(str(path)).parts
    odd = not isinstance(path, str) or not parts or "\\" in path or path.startswith(("/", "~"))
    if odd or ".." in parts or any(ord(c) < 32 for c in str(path)) or re.match(r"[A-Za-z]:", str(path)):
        raise UsageError(f"{name}: knowledge is named by its path in the persona's own folder, not {path!r}")


def _line(key: str, value: object, most: int) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{key} is text, not {value!r}; put it in quotation marks")
    line = " ".join(clean(value).split())
    if len(line) > most:
        raise UsageError(f"{key} has {len(line)} characters, at most {most}")
    return line


def _listed(key: str, value: object) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) > _MOST_LISTED:
        raise UsageError(f"{key} is a list of at most {_MOST_LISTED}, such as [calculator]")
    return list(value)


def _items(persona: Persona, key: str) -> list[Any]:
    items = _listed(key, getattr(persona, key))
    if not all(isinstance(item, (str, Path)) and 0 < len(str(item)) <= _MOST_ITEM for item in items):
        raise UsageError(f"{key} is a list of texts of at most {_MOST_ITEM} characters")
    return items


def _tool(tool: object) -> str | Tool:
    if isinstance(tool, Tool):
        return tool
    if not isinstance(tool, str) or not _TOOL.fullmatch(tool):
        raise UsageError(f"{tool!r} is no name of a tool")
    return tool


def _number(key: str, value: object, most: float = 1e9) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise UsageError(f"{key} is a number from 0 to {most:g}, not {value!r}")
    return value


def _numbers(key: str, value: object, known: Sequence[str]) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{key} is a list of keys with numbers, such as {known[0]}: 1")
    for name in value:
        if name not in known:
            raise UsageError(f"there is no {key}.{name}{nearest(str(name), known)}")
    return {str(name): _number(f"{key}.{name}", number) for name, number in value.items()}
