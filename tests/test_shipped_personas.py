"""The three personas that come with llmos: packaged, whole, and able to do what they are for."""

import tomllib
from pathlib import Path

import pytest

from llmos import LLMOS, Scripted, ToolCall
from llmos.kernel import minilm
from llmos.kernel.types import Result
from llmos.memory import personas
from llmos.memory.record import Where

NAMES = ["history-buff", "marathon-coach", "math-mentor"]
needs_memory = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")


@pytest.mark.parametrize("name", NAMES)
def test_each_is_whole(name: str, tmp_path: Path) -> None:
    found = personas.find(name, tmp_path)
    assert found.slug == name
    assert found.description
    assert found.greeting
    assert len(found.starters) >= 3
    assert found.tools
    assert not found.foreign
    for path in found.files():
        text = path.read_text(encoding="utf-8")
        assert "free to use by anyone for anything (CC0)" in text
        assert "Where to check it:" in text
    with LLMOS(model=Scripted([]), home=tmp_path, remembers=bool(found.knowledge)) as system:
        assert {t.name for t in system.session(persona=name).tools} == set(found.tool_names or ())


def test_all_of_them_is_packaged() -> None:
    root = Path(__file__).parent.parent
    patterns = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
        "llmos.prompts"
    ]
    files = [
        p.relative_to(root / "prompts") for p in (root / "prompts").rglob("*") if p.suffix not in ("", ".py", ".pyc")
    ]
    deep = [(file, [p for p in patterns if p.count("/") == len(file.parts) - 1]) for file in files]
    assert [file for file, near in deep if not any(file.match(p) for p in near)] == []
    assert len([file for file in files if file.parts[0] == "personas"]) == 6


def calculate(expression: str) -> ToolCall:
    return ToolCall("x", "calculator", {"expression": expression})


def test_the_coach_works_out_a_pace_and_draws(tmp_path: Path) -> None:
    """The formula that it is told is right: 3:45 needs 319.9 seconds a kilometre, rounded up 5:20."""
    draw = ToolCall("x", "python", {"code": "plt.plot([1, 2, 3], [14, 16, 18])"})
    model = Scripted([calculate("(3*3600 + 45*60) / 42.195"), "5:20 /km.", draw, "Here it is."])
    with LLMOS(model=model, home=tmp_path, persona="marathon-coach") as system, system.session() as session:
        session.run("What pace do I need for a marathon in 3:45?")
        (result,) = [e.result.preview for e in session.events() if isinstance(e, Result)]
        assert 319 < float(result.split()[-1]) < 320
        answer = session.run("draw my long runs")
        assert [a.mime for a in answer.artifacts] == ["image/png"]
    assert "never estimate one" in model.seen[0][0].text
    assert model.offered[0] == ["calculator", "python"]


def test_the_mentor_checks_a_step_and_has_no_python(tmp_path: Path) -> None:
    model = Scripted([calculate("diff(x^2*sin(x), x)"), "Not yet: which rule is for a product?"])
    with LLMOS(model=model, home=tmp_path, persona="math-mentor") as system, system.session() as session:
        session.run("Is the derivative of x^2 sin(x) equal to 2x cos(x)?")
        (result,) = [e.result.preview for e in session.events() if isinstance(e, Result)]
    assert "cos(x)" in result
    assert "2*x*sin(x)" in result.replace(" ", "")
    assert "do not give the answer away" in model.seen[0][0].text
    assert model.offered[0] == ["calculator"]


QUESTIONS = [
    ("Who commanded the first ship around the world when it came home?", "Elcano"),
    ("How many men came home on the Victoria?", "18 men"),
    ("When was the Gutenberg Bible printed, and how many copies were made?", "About 180 copies"),
    ("Who set up the first printing press in England?", "Caxton"),
    ("When was the Suez Canal opened?", "17 November 1869"),
    ("How many people died in the French attempt at Panama?", "22,000"),
    ("Who was the first woman to go around the world?", "Jeanne Baret"),
]


@needs_memory
def test_the_history_buff_finds_and_cites_its_sources(tmp_path: Path) -> None:
    minilm.Embedder.load()
    question = "When did the Panama Canal open?"
    said = 'It opened on 15 August 1914: "with the passage of the steamer Ancon" [1].'
    model = Scripted([ToolCall("x", "recall", {"query": question}), said])
    with LLMOS(model=model, home=tmp_path, persona="history-buff") as system:
        answer = system.run(question)
        buff = personas.find("history-buff", tmp_path)
        where = Where(persona=buff.key)
        for asked, fact in QUESTIONS:
            found = [hit.chunk.text for hit in system.memory.search(asked, 5, where)]
            assert any(fact in text for text in found), asked
    assert model.offered[0] == ["calculator", "recall", "open_file"]
    (citation,) = answer.citations
    assert citation.title == "canals.md"
    assert citation.quote == "with the passage of the steamer Ancon"
