"""A session as a page, as Markdown, as a notebook: whole, harmless, and shown by a real browser."""

import base64
import html
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llmos import LLMOS, Budget, Scripted, ToolCall, UsageError, treepage
from llmos.cli import run_command
from llmos.export import Files, tell
from llmos.hypertext import hypertext
from llmos.kernel.types import Answer, Artifact, Explored, Result, Started
from llmos.page import page
from llmos.trees import searches
from llmos.written import fenced

HOSTILE = """Here **it** is, see [bank.com](http://evil.example/x) and ![pic](http://PIXEL/pixel.png).
<img src="http://PIXEL/pixel2.png" onerror="alert(1)"><script>fetch('http://PIXEL/pixel3')</script>
[click](javascript:alert(1)) <iframe src="http://PIXEL/frame"></iframe><style>@import url(http://PIXEL/css)</style>

| a | b |
|---|---|
| 1 | <b>2</b> |

```python
print("</pre><script>alert(2)</script>")
```
"""
CODE = "t = load('rounds.csv')\nprint(len(t), 'rows')\nax = t.plot(x='year', y='amount')"
RED = "plt.figure(facecolor='red', figsize=(4, 4)).text(0, 0, '')"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-example-7Qp2Zx9LmT4v")
    (tmp_path / "rounds.csv").write_text("year,amount\n2019,5\n2020,9\n2021,20\n")
    python = [ToolCall("x", "python", {"code": c}) for c in (CODE, "1 / 0", RED)]
    model = Scripted([python[0], "Three <rows>.", python[1], "That failed.", "wrong", python[2], HOSTILE])
    with LLMOS(model=model, home=tmp_path / "home") as system, system.session() as made:
        made.run("plot <b>rounds</b>", files=[tmp_path / "rounds.csv"])
        made.run("divide")
        made.run("say something")
        list(made.retry())
        made.judge("good", "<i>fine</i>")
        yield made


class Loads(HTMLParser):
    """What a page would load, and what it must not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "background") or (tag == "link" and name == "href"):
                self.loads.append(value or "")
            if name.startswith("on") or (name == "href" and not re.match(r"#|https?://", value or "")):
                self.handlers.append(f"{tag} {name}={value}")


def test_a_page_holds_all_and_loads_nothing(session: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    assert run_command(["show", session.id, "--html", str(out)]) == 0
    text = out.read_text()
    found = Loads()
    found.feed(text)
    assert found.loads
    assert all(load.startswith("data:image/png;base64,") for load in found.loads)
    for load in found.loads:
        assert Image.open(io.BytesIO(base64.b64decode(load.partition(",")[2]))).width > 100
    assert not found.tags & {"script", "iframe", "object", "embed", "link", "base", "form"}
    assert found.handlers == []
    assert "default-src 'none'" in text
    for part in ("plot &lt;b&gt;rounds", "ZeroDivisionError", "Three &lt;rows&gt;.", "<td>2021</td>", "undone"):
        assert part in text
    assert "[leads to evil.example]" in text
    assert "good: &lt;i&gt;fine&lt;/i&gt;" in text
    assert run_command(["show", session.id, "--html", str(out)]) == 2
    assert run_command(["show", session.id, "--html", str(tmp_path / "out.md")]) == 2


def test_a_real_browser_shows_the_page_and_asks_for_nothing_more(act: Any, site: Any, session: Any) -> None:
    from llmos.page import page

    host = f"localhost:{site.server_port}"
    site.pages_extra["told.html"] = page(tell(session.events(), session.workspace)).replace("PIXEL", host)
    before = len(site.hits)
    shown = act("open", url=site.url("extra/told.html"))
    assert "Three <rows>." in shown
    assert "ZeroDivisionError" in shown
    assert [hit for hit in site.hits[before:] if "favicon" not in hit] == ["/extra/told.html"]
    act("screenshot")
    data = next((a.path for a in act.last.artifacts), "")
    image = Image.open(io.BytesIO(Path(data).read_bytes())).convert("RGB")
    assert image.width > 300


def test_a_notebook_runs_and_gives_the_same(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_client.manager import start_new_kernel

    out = tmp_path / "nb" / "out.ipynb"
    out.parent.mkdir()
    assert run_command(["show", session.id, "--ipynb", str(out)]) == 0
    book = json.loads(out.read_text())
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    cells = [c for c in book["cells"] if c["cell_type"] == "code"]
    assert ["".join(c["source"]) for c in cells[1:]] == [CODE, RED]  # what failed is text
    assert len({c["id"] for c in book["cells"]}) == len(book["cells"])
    assert any(o["output_type"] == "display_data" for o in cells[1]["outputs"])
    assert "ZeroDivisionError" in json.dumps([c for c in book["cells"] if c["cell_type"] == "markdown"])
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(out.parent))
    said: list[str] = []
    try:
        for cell in cells:
            reply = client.execute_interactive(
                "".join(cell["source"]),
                timeout=120,
                output_hook=lambda m: said.append(m["content"].get("text", "")),
            )
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "3 rows" in "".join(said)
    assert (out.parent / f"llmos-{session.id}" / "data" / "rounds.csv").exists()


def test_markdown_and_secrets(session: Any, tmp_path: Path) -> None:
    (session.workspace / "data" / "rounds.csv").write_text("year,amount\n2019,sk-example-7Qp2Zx9LmT4v\n")
    for ending in ("md", "html", "ipynb"):
        out = tmp_path / f"out.{ending}"
        assert run_command(["show", "last", f"--{ending}", str(out)]) == 0
        text = out.read_text()
        assert "7Qp2Zx9LmT4v" not in text
        if ending == "md":
            assert "## say something (undone)" in text
            assert f"```python\n{CODE}\n```" in text
            assert "![" in text
        elif ending == "ipynb":
            files = re.findall(r'"([A-Za-z0-9+/=]{20,})"', "".join(json.loads(text)["cells"][1]["source"]))
            assert files
            assert not any(b"7Qp2Zx" in base64.b64decode(one) for one in files)


def test_files_are_read_from_the_workspace_alone(tmp_path: Path) -> None:
    inside = tmp_path / "workspace"
    inside.mkdir()
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
    (inside / "good.csv").write_text("a\n1\n")
    files = Files(inside, str)
    assert files.table("good.csv") == [["a"], ["1"]]
    for name in ("link.csv", "../secret.csv", str(tmp_path / "secret.csv"), "gone.csv", "good.txt"):
        assert files.table(name) == []
    assert files.picture(Artifact(str(tmp_path / "secret.csv"), "image/png")) == ""


def test_marks_of_markdown() -> None:
    shown = hypertext("# A **b**\n\n- one `<c>`\n- two\n\n1. x\n\n> said\n\n2 * 3 * 4 and *so*\n```\nfence")
    for part in ("<h3>A <strong>b</strong></h3>", "<li>one <code>&lt;c&gt;</code></li>", "<ol><li>x</li></ol>"):
        assert part in shown
    assert "2 * 3 * 4 and <em>so</em>" in shown
    assert "<blockquote>said</blockquote>" in shown
    assert "<pre>fence</pre>" in shown
    assert hypertext("![a](http://x.example/y)").count("<") == 2
    assert fenced("a\n```\nb").startswith("````\n")


def test_nothing_is_exported_of_an_empty_session(tmp_path: Path) -> None:
    started = Started(id="e1", session="s", model="m")
    with pytest.raises(UsageError, match="nothing to export"):
        tell([started], tmp_path)


def test_a_page_shows_what_was_thought(tmp_path: Path) -> None:
    script: list[Any] = [ToolCall("x", "calculator", {"expression": f"{n} + <2>"}) for n in range(9)]
    model = Scripted([*script, *["4"] * 9], context_length=10_000)
    with LLMOS(model=model, home=tmp_path) as system, system.session() as session:
        session.run("two and two?", think=5)
        told = tell(session.events(), session.workspace)
    assert "two and two?" in told.thoughts
    shown = page(told)
    assert "what was thought" in shown
    assert "&lt;2&gt;" in shown
    assert "<2>" not in shown


def test_the_events_are_all_told(session: Any) -> None:
    told = tell(session.events(), session.workspace)
    assert [t.kept for t in told.turns] == [True, True, False, True]
    steps = [p for t in told.turns for p in t.parts if hasattr(p, "result")]
    assert len(steps) == sum(isinstance(e, Result) for e in session.events())
    assert sum(isinstance(t.end, Answer) for t in told.turns) == 4


def thought(tmp_path: Path) -> Any:
    script: list[Any] = [ToolCall("x", "calculator", {"expression": f"{n} + <b>2"}) for n in range(3)]
    script += [ToolCall("x", "calculator", {"expression": "2 + 2"}), "<img src=http://PIXEL/tree.png>", "4"]
    with LLMOS(model=Scripted(script), home=tmp_path / "home") as system, system.session() as session:
        system.budget = Budget(tokens=512 * 6)
        session.run("two <i>and</i> two?", think=30)
        return session.id, session.events()


def test_a_tree_is_a_page_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    name, kept = thought(tmp_path)
    out = tmp_path / "tree.html"
    assert run_command(["show", name, "--tree-html", str(out)]) == 0
    text = out.read_text()
    found = Loads()
    found.feed(text)
    assert (found.loads, found.handlers) == ([], [])
    assert not found.tags & {"script", "iframe", "object", "embed", "link", "base", "form", "img", "b"}
    assert "default-src 'none'" in text
    thoughts = [e for e in kept if isinstance(e, Explored) and e.node]
    assert len({e.node for e in thoughts}) > 3
    for one in thoughts:
        assert html.escape(one.text) in text
    # Why one died, and what another came to.
    assert text.count('<li class="dead">') == 3
    assert all(html.escape(e.why) in text for e in thoughts if e.fate == "dead")
    assert "&rArr; 4" in text
    assert run_command(["show", name, "--tree-html", str(out)]) == 2
    assert run_command(["show", name, "--tree-html", str(tmp_path / "tree.txt")]) == 2
    with pytest.raises(UsageError, match="nothing was thought"):
        treepage.write([], tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()
    # However deep it is.
    deep = {n: Explored(id="", node=n, under=n - 1, text=f"thought {n} ends") for n in range(3000)}
    assert "thought 2999 ends" in treepage.treepage([("?", deep)])


def test_a_real_browser_shows_a_tree(act: Any, site: Any, tmp_path: Path) -> None:
    _, kept = thought(tmp_path)
    host = f"localhost:{site.server_port}"
    deep = [Explored(id="", node=0, text="deep")]
    deep += [Explored(id="", node=n + 1, under=n, text=f"thought {n + 1} ends", value=0.5) for n in range(12)]
    site.pages_extra["tree.html"] = treepage.treepage(searches([*kept, *deep])).replace("PIXEL", host)
    before = len(site.hits)
    shown = act("open", url=site.url("extra/tree.html"))
    for part in ("two <i>and</i> two?", "calculator 2 + 2", "12 thoughts, 12 deep", "thought 12 ends"):
        assert part in shown
    assert [hit for hit in site.hits[before:] if "favicon" not in hit] == ["/extra/tree.html"]
