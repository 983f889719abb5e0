"""SVG text from a model, made safe: parsed without entities, checked against a list of what may be in it, written anew.

What could run, load or hang is an error of one line: scripts, events, styles with rules, foreign content, pictures,
links, animation, references to anything outside, references that multiply. What merely means nothing here is left out.
Knows SVG's names, not what they look like.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from llmos.kernel.tool import ToolError

SVG, XLINK, XML = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/XML/1998/namespace"
MAX_CHARS, MAX_ELEMENTS, MAX_DEPTH, MAX_DRAWN, MAX_RATIO = 100_000, 5000, 32, 20_000, 20.0

_ELEMENTS = """svg g defs use symbol title desc path rect circle ellipse line polyline polygon text tspan textPath
    linearGradient radialGradient stop pattern clipPath mask marker"""
ELEMENTS = frozenset(_ELEMENTS.split())
_WORDS = frozenset({"title", "desc", "text", "tspan", "textPath"})
_KEYS = """
    id x y x1 y1 x2 y2 cx cy r rx ry fx fy fr dx dy d points width height viewBox preserveAspectRatio transform href
    offset gradientUnits gradientTransform spreadMethod patternUnits patternContentUnits patternTransform clipPathUnits
    maskUnits maskContentUnits markerWidth markerHeight markerUnits refX refY orient pathLength rotate lengthAdjust
    textLength startOffset method spacing style fill fill-opacity fill-rule stroke stroke-width stroke-opacity
    stroke-linecap stroke-linejoin stroke-dasharray stroke-dashoffset stroke-miterlimit opacity color visibility display
    clip-path clip-rule mask marker-start marker-mid marker-end stop-color stop-opacity font-family font-size font-style
    font-weight font-variant font-stretch text-anchor text-decoration letter-spacing word-spacing dominant-baseline
    alignment-baseline baseline-shift writing-mode paint-order vector-effect shape-rendering text-rendering
    mix-blend-mode isolation direction"""
_ATTRIBUTES = frozenset(_KEYS.split())
_REFUSED = {
    "script": "scripts are not allowed",
    "foreignObject": "foreign content is not allowed; draw it with shapes and text",
    "image": "pictures inside are not allowed; draw them with shapes",
    "style": "style sheets are not allowed; write attributes such as fill on the shapes",
    "a": "links are not allowed",
}
_NAME = re.compile(r"[\w.-]{1,100}")
_LOCAL = re.compile(r"url\(\s*['\"]?#[\w.-]+['\"]?\s*\)", re.IGNORECASE)
_OUTSIDE = re.compile(
    r"url\s*\(|javascript\s*:|data\s*:|vbscript\s*:|https?\s*:|file\s*:|@import|expression\s*\(|\\", re.I
)
_LENGTH = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)(?:px)?\s*")


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    inside: "list[_Element | str]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A checked SVG: its text, written anew, and its size in its own units."""

    text: str
    width: float
    height: float


def checked(text: str) -> Drawing:
    """The drawing in ``text``. Raises ToolError, one line that says what to change."""
    if len(text) > MAX_CHARS:
        raise ToolError(f"the SVG has {len(text):,} characters, at most {MAX_CHARS:,}; draw it simpler")
    root = _parsed(text.strip())
    if root.name != "svg":
        raise ToolError(f"the outermost element is <{root.name}>; it has to be <svg>")
    _bounded(root)
    width, height = _size(root)
    root.attributes.setdefault("viewBox", f"0 0 {width:g} {height:g}")
    root.attributes |= {"width": f"{width:g}", "height": f"{height:g}"}
    return Drawing("".join(_written(root, top=True)), width, height)


def _parsed(text: str) -> _Element:
    """The tree of elements. A document type, and so any entity, is an error before it is read."""
    parser = expat.ParserCreate(namespace_separator=" ")
    top = _Element("", {})
    open_, count = [top], 0

    def doctype(*_: object) -> None:
        raise ToolError("a document type is not allowed; begin with <svg>")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(open_) > MAX_DEPTH:
            what = f"{MAX_ELEMENTS:,} elements" if count > MAX_ELEMENTS else f"{MAX_DEPTH} levels"
            raise ToolError(f"the SVG has more than {what}; draw it simpler")
        made = _element(name, attributes)
        open_[-1].inside.append(made)
        open_.append(made)

    def end(name: str) -> None:
        open_.pop()

    def said(words: str) -> None:
        if open_[-1].name in _WORDS:
            open_[-1].inside.append(words)

    parser.StartDoctypeDeclHandler, parser.StartElementHandler = doctype, start
    parser.EndElementHandler, parser.CharacterDataHandler = end, said
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        told = expat.errors.messages[error.code]
        raise ToolError(f"the SVG cannot be read: {told} in line {error.lineno}") from error
    (root,) = (part for part in top.inside if isinstance(part, _Element))
    return root


def _element(qualified: str, attributes: dict[str, str]) -> _Element:
    space, _, name = qualified.rpartition(" ")
    if space not in ("", SVG):
        raise ToolError(f"<{name}> is not SVG's; only SVG's own elements are allowed")
    if name not in ELEMENTS:
        raise ToolError(_REFUSED.get(name, f"<{name}> is not allowed; there are: {', '.join(sorted(ELEMENTS))}"))
    kept = {}
    for key, value in attributes.items():
        where, _, short = key.rpartition(" ")
        if short.lower().startswith("on"):
            raise ToolError(f"events are not allowed; take {short} out of <{name}>")
        if where in ("", XLINK) and short in _ATTRIBUTES:
            kept[short] = _value(name, short, value)
    return _Element(name, kept)


def _value(name: str, key: str, value: str) -> str:
    """An attribute's value. Raises ToolError where it reaches outside."""
    if key == "href":
        if not re.fullmatch(r"#[\w.-]{1,100}", value.strip()):
            raise ToolError(f"<{name}> refers to {value.strip()[:60]!r}; only #id of an element of its own is allowed")
        return value.strip()
    if key == "id" and not _NAME.fullmatch(value):
        raise ToolError(f"{value[:60]!r} cannot be an id; take letters, digits, - and _")
    if _OUTSIDE.search(_LOCAL.sub("", value)):
        raise ToolError(f"{key} of <{name}> reaches outside: {value[:60]!r}; only url(#id) is allowed")
    return value


def _bounded(root: _Element) -> None:
    """Raise ToolError where references lead in a circle, or draw more than is bearable."""
    ids = {one.attributes["id"]: one for one in _every(root) if "id" in one.attributes}
    sizes: dict[int, int] = {}
    active: set[int] = set()

    def size(one: _Element) -> int:
        if id(one) in active:
            raise ToolError("an element of the SVG refers to itself")
        if id(one) not in sizes:
            active.add(id(one))
            inner = sum(size(part) for part in one.inside if isinstance(part, _Element))
            inner += sum(size(ids[name]) for name in _references(one) if name in ids)
            active.discard(id(one))
            sizes[id(one)] = 1 + inner
        return sizes[id(one)]

    try:
        drawn = size(root)
    except RecursionError:
        raise ToolError("the SVG's references lead too far; draw it simpler") from None
    if drawn > MAX_DRAWN:
        raise ToolError(f"with its references the SVG draws more than {MAX_DRAWN:,} elements; draw it simpler")


def _references(one: _Element) -> Iterator[str]:
    for key, value in one.attributes.items():
        if key == "href":
            yield value[1:]
        else:
            yield from (found[1] for found in re.finditer(r"url\(\s*['\"]?#([\w.-]+)", value, re.IGNORECASE))


def _every(one: _Element) -> Iterator[_Element]:
    yield one
    for part in one.inside:
        if isinstance(part, _Element):
            yield from _every(part)


def _size(root: _Element) -> tuple[float, float]:
    """Width and height in the drawing's units. Raises ToolError where they are missing or odd."""
    told = [_LENGTH.fullmatch(root.attributes.get(key, "")) for key in ("width", "height")]
    box = re.split(r"[\s,]+", root.attributes.get("viewBox", "").strip())
    try:
        if len(box) == 4:
            width, height = float(box[2]), float(box[3])
        else:
            width, height = (float(found[1]) if found else 0.0 for found in told)
    except ValueError:
        width = height = 0.0
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise ToolError('the SVG has no size; give <svg> a viewBox such as "0 0 400 300"')
    if max(width / height, height / width) > MAX_RATIO:
        raise ToolError(f"the SVG is {width:g} x {height:g}; no side may be {MAX_RATIO:g} times as long as the other")
    return width, height


def _written(one: _Element, top: bool = False) -> Iterator[str]:
    yield f"<{one.name}" + (f' xmlns="{SVG}"' if top else "")
    for key, value in one.attributes.items():
        yield f" {key}={quoteattr(value)}"
    yield ">" if one.inside else "/>"
    for part in one.inside:
        if isinstance(part, str):
            yield escape(part)
        else:
            yield from _written(part)
    if one.inside:
        yield f"</{one.name}>"
    if top:
        yield "\n"
