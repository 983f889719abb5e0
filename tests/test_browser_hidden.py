"""Text that a person cannot see does not reach the model; text that they can see does. In real Chromium."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("chromium")

# Each hides its %s from a person. One word each, so that all can stand on one page.
TRICKS = {
    "white on white": '<p style="color:#fff">%s</p>',
    "nearly white": '<p style="color:#fdfdfd">%s</p>',
    "transparent colour": '<p style="color:transparent">%s</p>',
    "colour without alpha": '<p style="color:rgba(0,0,0,.02)">%s</p>',
    "fill colour": '<p style="-webkit-text-fill-color:#fff">%s</p>',
    "black on black": '<div style="background:#000"><p style="color:#010101">%s</p></div>',
    "gradient of its own colour": '<p style="background:linear-gradient(#eee,#eee);color:#eee">%s</p>',
    "positioned over its own colour": '<div style="position:relative;height:30px"><div style="background:#0a5;position:absolute;inset:0"></div><p style="position:absolute;color:#0a5;margin:0">%s</p></div>',
    "size zero": '<p style="font-size:0">%s</p>',
    "one pixel": '<p style="font-size:1px">%s</p>',
    "scaled down": '<p style="transform:scale(.01)">%s</p>',
    "scaled to nothing": '<p style="transform:scale(0)">%s</p>',
    "turned on edge": '<p style="transform:rotateY(90deg)">%s</p>',
    "back side": '<div style="transform:rotateY(180deg);backface-visibility:hidden">%s</div>',
    "display none": '<p style="display:none">%s</p>',
    "visibility": '<p style="visibility:hidden">%s</p>',
    "collapsed": '<p style="visibility:collapse">%s</p>',
    "hidden attribute": "<p hidden>%s</p>",
    "opacity": '<p style="opacity:0">%s</p>',
    "little opacity": '<div style="opacity:.2"><div style="opacity:.2"><p style="opacity:.5">%s</p></div></div>',
    "filter": '<p style="filter:opacity(0)">%s</p>',
    "blurred": '<p style="filter:blur(12px)">%s</p>',
    "far left": '<p style="position:absolute;left:-9999px">%s</p>',
    "far up": '<p style="position:absolute;top:-5000px">%s</p>',
    "far right": '<div style="overflow:hidden;width:300px;position:relative;height:30px"><p style="position:absolute;left:4000px">%s</p></div>',
    "fixed out of view": '<p style="position:fixed;right:-600px;top:10px;width:300px">%s</p>',
    "text indent": '<p style="text-indent:-9999px">%s</p>',
    "translated away": '<p style="transform:translateX(-5000px)">%s</p>',
    "box of no height": '<div style="height:0;overflow:hidden"><p>%s</p></div>',
    "box of one pixel": '<div style="width:1px;height:1px;overflow:hidden">%s</div>',
    "scrollable but tiny": '<div style="width:2px;height:2px;overflow:auto">%s</div>',
    "cut after the edge": '<div style="width:90px;overflow:hidden;white-space:nowrap">Short words and then more %s</div>',
    "clip": '<p style="position:absolute;clip:rect(0,0,0,0)">%s</p>',
    "clip-path inset": '<p style="clip-path:inset(100%%)">%s</p>',
    "clip-path circle": '<p style="clip-path:circle(0)">%s</p>',
    "clip-path polygon": '<p style="clip-path:polygon(0 0,0 0,0 0)">%s</p>',
    "mask": '<p style="-webkit-mask-image:linear-gradient(transparent,transparent)">%s</p>',
    "covered": '<div style="position:relative;height:40px"><p style="margin:0">%s</p><div style="position:absolute;inset:0;background:#fff"></div></div>',
    "covered by what lets clicks through": '<div style="position:relative;height:40px"><p style="margin:0">%s</p><div style="position:absolute;inset:0;background:#fff;pointer-events:none"></div></div>',
    "behind a lower layer": '<div style="position:relative;z-index:0;background:#fff;height:30px"><div style="position:relative;z-index:-1;height:30px"><p style="margin:0">%s</p></div><div style="position:absolute;inset:0;background:#eef"></div></div>',
    "closed details": "<details><summary>Details</summary><p>%s</p></details>",
    "closed dialog": "<dialog><p>%s</p></dialog>",
    "comment": "<!-- %s -->",
    "alternative text": '<img alt="%s" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7" width=40 height=20>',
    "title": '<p title="%s">A plain paragraph.</p>',
    "aria label": '<button aria-label="%s">OK</button>',
    "aria description": '<p aria-description="%s">Another plain paragraph.</p>',
    "data attribute": '<p data-note="%s">A third.</p>',
    "hidden field": '<input type=hidden value="%s">',
    "template": "<template><p>%s</p></template>",
    "noscript": "<noscript>%s</noscript>",
    "script": '<script type="text/plain">%s</script>',
    "style sheet": "<style>/* %s */</style>",
    "meta": '<meta name=description content="%s">',
    "only in print": "<style>@media screen{.print{display:none}}</style><p class=print>%s</p>",
    "skipped content": '<div style="content-visibility:hidden;height:10px">%s</div>',
    "letters drawn together": '<p style="letter-spacing:-1em">%s and many more letters that all lie on each other</p>',
    "hidden frame": '<iframe style="display:none" srcdoc="%s"></iframe>',
    "frame of no size": '<iframe width=0 height=0 style="border:0" srcdoc="%s"></iframe>',
    "svg title": "<svg width=20 height=20><title>%s</title><rect width=20 height=20 /></svg>",
    "svg description": "<svg width=20 height=20><desc>%s</desc><rect width=20 height=20 /></svg>",
    "unslotted": "<div id=host>%s</div><script>document.getElementById('host').attachShadow({mode:'open'}).innerHTML='<b>host</b>'</script>",
    "generated and pale": '<style>.g::after{content:"%s";color:#fff}</style><p class=g>Generated:</p>',
    "generated and away": '<style>.h::before{content:"%s";position:absolute;left:-999px}</style><p class=h>Here.</p>',
    "table row": "<table><tr><td>a<td>b<tr><td>c<td>d<tr hidden><td>%s<td>e</table>",
    "hidden option": "<select><option>one<option hidden>%s</select>",
    "list of proposals": "<input list=dl><datalist id=dl><option value='%s'></datalist>",
    "unloaded fallback": "<object data='data:text/html,x' width=1 height=1>%s</object>",
    "canvas fallback": "<canvas width=30 height=10>%s</canvas>",
    "video fallback": "<video width=30 height=10>%s</video>",
}
# What looks odd to a program and is there for a person.
PLAIN = {
    "white on dark": '<div style="background:#123"><p style="color:#fff">%s</p></div>',
    "white on a picture": '<div style="background:url(\'data:image/svg+xml,%%3Csvg xmlns=%%22http://www.w3.org/2000/svg%%22/%%3E\') #234"><p style="color:#fff">%s</p></div>',
    "white on a dark gradient": '<p style="background:linear-gradient(#036,#000);color:#fff">%s</p>',
    "grey": '<p style="color:#999">%s</p>',
    "small print": '<p style="font-size:9px">%s</p>',
    "gradient letters": '<p style="background:linear-gradient(red,blue);-webkit-background-clip:text;color:transparent">%s</p>',
    "shadowed": '<p style="color:#fff;text-shadow:0 0 3px #000">%s</p>',
    "behind a clear sheet": '<div style="position:relative"><p>%s</p><a href="/x" style="position:absolute;inset:0"></a></div>',
    "under a fixed bar": "<p>%s</p>",
    "in a scroll box": '<div style="height:60px;overflow:auto"><div style="height:300px">Above</div><p>%s</p></div>',
    "in a wide scroll box": '<div style="width:200px;overflow:auto"><div style="width:900px;text-align:right">%s</div></div>',
    "open details": "<details open><summary>Open</summary><p>%s</p></details>",
    "turned": '<p style="transform:rotate(3deg)">%s</p>',
    "vertical": '<p style="writing-mode:vertical-rl;height:120px">%s</p>',
    "two columns": '<div style="columns:2"><p>%s</p><p>Other column.</p></div>',
    "visible child of a hidden one": '<div style="visibility:hidden">x<b style="visibility:visible">%s</b></div>',
    "generated": '<style>.p::before{content:"%s"}</style><p class=p> generated</p>',
    "svg text": "<svg width=300 height=30><text x=5 y=20>%s</text></svg>",
    "over a picture": '<div style="position:relative"><img width=200 height=40 src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"><p style="position:absolute;top:0;left:5px;color:#111">%s</p></div>',
    "display contents": '<div style="display:contents"><span>%s</span></div>',
    "placeholder": '<input placeholder="%s">',
    "value": '<input value="%s">',
    "broken picture": '<img src="/missing.png" alt="%s" width=300 height=40>',
    "sticky": '<div style="position:sticky;top:0">%s</div>',
    "inline pieces": "<p><b>%s</b> and <i>more</i></p>",
    "half clear": '<p style="opacity:.6">%s</p>',
    "coloured alike in lightness": '<div style="background:#0a0"><p style="color:#f22">%s</p></div>',
}
BAR = '<div style="position:fixed;top:0;left:0;right:0;height:40px;background:#fff">bar</div>'


def words(table: dict[str, str], stem: str) -> dict[str, str]:
    return {f"{stem}{i:02}X": name for i, name in enumerate(table)}


@pytest.fixture(scope="module")
def seen(act: Any, site: Any) -> str:
    """All tricks and all plain pieces on one page, as the model is shown it."""
    pieces = [html % word for word, html in zip(words(TRICKS, "HIDE"), TRICKS.values(), strict=True)]
    pieces += [html % word for word, html in zip(words(PLAIN, "SHOW"), PLAIN.values(), strict=True)]
    page = f"<!doctype html><title>Tricks</title><body style='padding-top:50px'>{BAR}" + "".join(
        f"<section><h3>Part {i}</h3>{piece}</section>" for i, piece in enumerate(pieces)
    )
    site.pages_extra = {"tricks": page}
    act("open", url=site.url("extra/tricks"))
    text: str = act.web.page.text
    for table in act.workspace.glob("table-*.csv"):
        text += table.read_text()
    return text


def test_nothing_hidden_reaches_the_model(seen: str) -> None:
    reached = {name for word, name in words(TRICKS, "HIDE").items() if word in seen}
    assert len(TRICKS) >= 60
    assert reached == set()


def test_nothing_visible_is_lost(seen: str) -> None:
    lost = {name for word, name in words(PLAIN, "SHOW").items() if word not in seen}
    assert lost == set()


def test_what_is_left_out_is_counted(seen: str, act: Any) -> None:
    told = next(note for note in act.web.page.notes if "left out" in note)
    numbers = [int(n) for n in re.findall(r"(\d+) [a-z]", told)]
    assert sum(numbers) > 40
    assert "same colour as what is behind it" in told


def test_a_page_cannot_change_how_it_is_read(act: Any, site: Any) -> None:
    site.pages_extra = {
        "liar": """<title>Liar</title><p>The fee is 12 crowns.</p><p id=x style="opacity:0">HIDELIE</p><script>
        const real = getComputedStyle; window.getComputedStyle = e => ({...real(e), opacity: '1', display: 'block'});
        Element.prototype.getBoundingClientRect = () => ({width: 100, height: 20, left: 0, top: 0, right: 100, bottom: 20});
        Range.prototype.getClientRects = () => [{width: 100, height: 20, left: 0, top: 0, right: 100, bottom: 20}];
        Element.prototype.checkVisibility = () => true; document.elementsFromPoint = () => [document.getElementById('x')];
        globalThis.__llmos = {snapshot: () => ({blocks: [{t: 'p', s: 'HIDELIE'}]})};
        Object.defineProperty(document, 'title', {get: () => 'Liar'});</script>"""
    }
    shown = act("open", url=site.url("extra/liar"))
    assert "The fee is 12 crowns." in shown
    assert "HIDELIE" not in shown


def test_a_sheet_over_all_hides_what_is_under_it_until_it_is_closed(act: Any, site: Any) -> None:
    site.pages_extra = {
        "sheet": """<title>Sheet</title><p>UNDERSHEET</p><div id=s style="position:fixed;inset:0;background:#fff">
        <button onclick="document.getElementById('s').remove()">Enter</button></div>"""
    }
    shown = act("open", url=site.url("extra/sheet"))
    assert "UNDERSHEET" not in shown
    number = re.search(r"Enter button\]\{(\d+)\}", shown)
    assert number
    assert "UNDERSHEET" in act("click", ref=int(number[1]))
