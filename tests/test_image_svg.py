"""``image_svg``: drawings are drawn as they say, and nothing in one can run, load or hang."""

import re
from pathlib import Path

import pytest
from PIL import Image

from llmos.kernel.tool import ToolContext, ToolError
from llmos.tools import image_svg
from llmos.tools.svg_check import checked

LOGO = """<?xml version="1.0"?><!-- a flag --><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" class="x">
<defs><linearGradient id="g"><stop offset="0" stop-color="#f00"/><stop offset="1" stop-color="#f00"/></linearGradient>
</defs><rect width="20" height="20" fill="url(#g)" data-x="1"/><g id="b"><circle cx="30" cy="10" r="4" fill="blue"/></g>
<use href="#b" x="-20"/><text x="2" y="19" font-size="3">A &amp; B</text></svg>"""


def svg(inside: str, head: str = 'viewBox="0 0 10 10"') -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {head}>{inside}</svg>'


@pytest.mark.skipif(bool(image_svg.missing()), reason=image_svg.missing())
def test_a_logo_becomes_an_svg_and_a_png_that_look_as_it_says(tmp_path: Path) -> None:
    tool = image_svg.make_image_svg()
    done = tool.run({"svg": LOGO, "title": "a flag"}, ToolContext(tmp_path))
    assert done.text == "[drawing-1.svg and drawing-1.png: a flag, 40 x 20]"
    assert [Path(a.path).name for a in done.artifacts] == ["drawing-1.png", "drawing-1.svg"]
    picture = Image.open(tmp_path / "drawing-1.png").convert("RGBA")
    assert picture.size == (1024, 512)
    assert picture.getpixel((50, 50)) == (255, 0, 0, 255)
    assert picture.getpixel((768, 256)) == (0, 0, 255, 255)
    assert picture.getpixel((256, 256)) == (0, 0, 255, 255)  # the circle, used again
    assert picture.getchannel("A").getpixel((1000, 20)) == 0  # see-through where nothing is
    assert any(picture.getpixel((x, y)) == (0, 0, 0, 255) for x in range(50, 300) for y in range(410, 490))  # letters
    kept = (tmp_path / "drawing-1.svg").read_text()
    assert not re.search("data-x|class|flag|<!--|<\\?", kept)
    assert tool.run({"svg": kept}, ToolContext(tmp_path)).artifacts[0].path.endswith("drawing-2.png")


USES = "".join(f'<g id="n{n}"><use href="#n{n + 1}"/><use href="#n{n + 1}"/></g>' for n in range(20)) + '<g id="n20"/>'
HOSTILE: list[tuple[str, str]] = [
    (svg("<script>alert(1)</script>"), "scripts are not allowed"),
    (svg('<rect onclick="x()"/>'), "events are not allowed; take onclick out of <rect>"),
    (svg('<rect ONLOAD="x()"/>'), "events are not allowed"),
    (svg("<foreignObject><p/></foreignObject>"), "foreign content is not allowed"),
    (svg('<image href="x.png"/>'), "pictures inside are not allowed"),
    (svg('<a href="https://example.com"><rect/></a>'), "links are not allowed"),
    (svg("<style>@import 'x'</style>"), "style sheets are not allowed"),
    (svg('<animate attributeName="href"/>'), "<animate> is not allowed"),
    (svg('<set attributeName="onload" to="x"/>'), "<set> is not allowed"),
    (svg('<use href="https://example.com/x.svg#a"/>'), "only #id of an element of its own"),
    (svg('<use xlink:href="file:///etc/passwd"/>'), "only #id of an element of its own"),
    (svg('<use href="data:image/svg+xml;base64,AAAA"/>'), "only #id of an element of its own"),
    (svg('<rect fill="url(http://example.com/x)"/>'), "fill of <rect> reaches outside"),
    (svg('<rect fill="u&#114;l(x.svg#a)"/>'), "fill of <rect> reaches outside"),
    (svg('<rect style="fill:url( &quot;//example.com/a&quot; )"/>'), "style of <rect> reaches outside"),
    (svg('<rect style="fill:\\75rl(x)"/>'), "style of <rect> reaches outside"),
    (svg('<h:script xmlns:h="http://www.w3.org/1999/xhtml"/>'), "<script> is not SVG's"),
    ('<!DOCTYPE svg [<!ENTITY a "b">]>' + svg("<text>&a;</text>"), "a document type is not allowed"),
    ('<!DOCTYPE svg SYSTEM "file:///etc/passwd">' + svg(""), "a document type is not allowed"),
    (svg("<text>&b;</text>"), "the SVG cannot be read: undefined entity in line 1"),
    (svg("<rect>"), "the SVG cannot be read: mismatched tag in line 1"),
    ("", "the SVG cannot be read: no element found in line 1"),
    ("<html/>", "<html> is not allowed"),
    ("<g/>", "the outermost element is <g>; it has to be <svg>"),
    (svg(USES), "draws more than 20,000 elements"),
    (svg('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'), "refers to itself"),
    (svg('<pattern id="p"><rect fill="url(#p)"/></pattern>'), "refers to itself"),
    (svg("".join(f'<g id="c{n}"><use href="#c{n + 1}"/></g>' for n in range(2000))), "references lead too far"),
    (svg("<g>" * 40 + "</g>" * 40), "more than 32 levels"),
    (svg("<g/>" * 5001), "more than 5,000 elements"),
    (svg(" " * 100_001), "at most 100,000"),
    (svg("", ""), 'give <svg> a viewBox such as "0 0 400 300"'),
    (svg("", 'viewBox="0 0 nan inf"'), "the SVG has no size"),
    (svg("", 'viewBox="0 0 1 100000"'), "no side may be 20 times as long"),
]


@pytest.mark.parametrize(("text", "line"), HOSTILE, ids=[line[:30] for _, line in HOSTILE])
def test_what_could_run_load_or_hang_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        image_svg.make_image_svg().run({"svg": text}, ToolContext(tmp_path))
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_words_stay_words() -> None:
    drawing = checked(svg("<text>&lt;script&gt; &quot;a&quot; <tspan>b</tspan> c</text>", 'width="30px" height="15"'))
    assert '<text>&lt;script&gt; "a" <tspan>b</tspan> c</text>' in drawing.text
    assert (drawing.width, drawing.height) == (30, 15)
    assert 'viewBox="0 0 30 15"' in drawing.text


@pytest.mark.skipif(bool(image_svg.missing()), reason=image_svg.missing())
def test_a_drawing_that_would_take_forever_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(image_svg, "_SECONDS", 0.01)
    with pytest.raises(ToolError, match="takes too long to draw"):
        image_svg.make_image_svg().run({"svg": LOGO}, ToolContext(tmp_path))
    assert list(tmp_path.iterdir()) == []
