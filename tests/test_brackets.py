"""Citations under the grammar: whatever is sampled by whatever tokenizer, no mark has a number that was not read."""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from llmos import LLMOS
from llmos.kernel import wire
from llmos.kernel.brackets import Brackets, Limit, Spot
from llmos.kernel.citations import _CODE, MARK, citable
from llmos.kernel.codec import Codec
from llmos.kernel.engine import CallMade, Delta, Finished, Sampling, TextDelta
from llmos.kernel.grammar import Grammars
from llmos.kernel.local import LocalModel
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.types import Message, Reading, Request, Result, Source, ToolCall, ToolResult

# Trained on this, a tokenizer has tokens that hold parts of marks, and ends and beginnings of two at once.
MARKS = """It is so [1]. And so [12], [3]; then [1, 3] or [2][3] and x[0] of `a[7]` and
```
b[12] = [1, 2]
```
([4]). A list [12; 13], [10], [11]."""


def merged(folder: Path, sentencepiece: bool) -> Codec:
    """A tokenizer whose tokens are as long as they can be, of one of the two great kinds."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=sentencepiece))
    words: Any = {"max_token_length": 6, "show_progress": False}
    if sentencepiece:  # spaces are marks of their own, numbers may be of any length
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
        words["special_tokens"] = [f"<0x{b:02X}>" for b in range(256)]
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.decoder = decoders.ByteLevel()
        words["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([MARKS, MARKS[40:]] * 40, trainers.BpeTrainer(vocab_size=900, **words))
    tokenizer = Tokenizer.from_str(json.dumps({**json.loads(tokenizer.to_str()), "added_tokens": []}))
    tokenizer.add_special_tokens([AddedToken(c, special=True, normalized=False) for c in wire.CONTROL])
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return Codec.load(folder)


@pytest.fixture(scope="module", params=["plain", "bytes", "pieces"])
def grammars(request: pytest.FixtureRequest, codec: Codec, tmp_path_factory: pytest.TempPathFactory) -> Grammars:
    if request.param == "plain":
        made = codec
    else:
        made = merged(tmp_path_factory.mktemp("merged") / "it", request.param == "pieces")
        assert any(re.search(rb"\[\d", b) for b in made.bytes_of)
        assert any(re.search(rb"\d\S*[\[,]", b) for b in made.bytes_of)
    return Grammars(made, wire.EmbeddedWire(made).form, made.size)


def allowed(bits: Any) -> list[int]:
    return [int(i) for i in np.flatnonzero(np.unpackbits(np.asarray(bits).view(np.uint8), bitorder="little"))]


def cited(text: str) -> set[int]:
    """The numbers of all marks outside code, as the finished text is read."""
    code = [m.span() for m in _CODE.finditer(text)]
    found = [m for m in MARK.finditer(text) if not any(b <= m.start() < e for b, e in code)]
    return {int(n) for m in found for n in re.findall(r"\d+", m[1])}


@pytest.mark.parametrize("marks", [(), (1,), (3, 12), (2, 10, 11, 123)])
def test_only_what_was_read_is_cited_whatever_is_sampled(grammars: Grammars, marks: tuple[int, ...]) -> None:
    likely = [i for i, b in enumerate(grammars.bytes_of) if re.search(rb"[\[\]\d,;]", b) and b"`" not in b]
    met: set[int] = set()
    for seed in range(12):
        rng = random.Random(seed)
        grammar = grammars.turn([], marks=marks)
        ids: list[int] = []
        while len(ids) < 150:
            free = set(allowed(grammar.mask())) - grammars.form.stops
            # Without code: where it is cut off, by its line or by the end, it is none to whoever reads the whole.
            free = {i for i in free if grammars.bytes_of[i] and b"`" not in grammars.bytes_of[i]}
            wanted = [i for i in likely if i in free] if rng.random() < 0.8 else []
            ids.append(rng.choice(wanted or sorted(free)))
            assert grammar.accept(ids[-1])
            grammar = grammar.fork()
        text = b"".join(map(grammars.bytes_of.__getitem__, ids)).decode("utf-8", "replace")
        met |= cited(text)
        assert met <= set(marks), text
    assert met or not marks


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("so [1].", True), ("so [12], [3]", True), ("so [1, 12; 3]", True), ("so[12]", True), ("[[1]]", True),
        ("so [2]", False), ("so [1", False), ("so [13]", False), ("so [123]", False), ("so [1, 2]", False),
        ("so [1 , 2]", False), ("so [ 2]", False), ("so[2]", False), ("[[2]]", False), ("[01]", False),
        ("[12 a 99] 7 [a 9] (2) 1999", True), ("`a[2]` and ```\nb[7]\n```", True), ("``[2]", False),
        ("`a` [2]", False), ("```\n``` [2]", False), ("`a\n [2]", False), ("[link](x) [ ] 5, 7", True),
        ('[3 "of 1987, 5"]', True), ("[3]: 9, [12]; 8", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cut", [1, 2, 3, 100])
def test_a_text_is_judged_alike_however_it_is_cut_into_tokens(text: str, good: bool, cut: int) -> None:
    pieces = [text[i : i + cut].encode() for i in range(0, len(text), cut)]
    tokens = sorted({*pieces, *(bytes([b]) for b in range(256))})
    limit = Limit(Brackets(tokens, frozenset(), len(tokens)), (1, 3, 12) if text != "so [1" else (12,))
    every = np.full(-(-len(tokens) // 32), -1, np.int32)
    spot, passed = Spot(), True
    for piece in (*pieces, b"."):
        token = tokens.index(piece)
        passed = passed and token in allowed(limit.narrow(spot, every))
        spot = limit.after(spot, token)
    assert passed == good


def test_where_nothing_was_read_nothing_is_looked_at(codec: Codec) -> None:
    grammars = Grammars(codec, wire.EmbeddedWire(codec).form, codec.size)
    grammar = grammars.turn([])
    assert grammar.mask() is grammars.text
    assert "brackets" not in vars(grammars)
    assert set(allowed(grammars.turn([], marks=(5,)).mask())) <= set(allowed(grammars.text))


def result(number: int, ok: bool = True) -> Result:
    reading = Reading(number, "A page", f"http://museum.example/{number}", 1.0, "Built in 1854.")
    return Result(id="", result=ToolResult("r1", ok, "", Source("tool", "browser_open"), readings=(reading,)))


def test_what_may_be_cited_is_what_this_answer_read() -> None:
    ask = Request(id="", text="?")
    assert citable([ask]) is None
    assert citable([ask, result(1), result(4, ok=False)]) == (1,)
    assert citable([ask, result(1), ask]) == ()
    assert citable([ask, result(1), ask, result(2), result(1)]) == (1, 2)


class Asked:
    """A model that reads a page, then answers; ``marks`` is what each turn was limited to."""

    name, context_length = "asked", 4096

    def __init__(self) -> None:
        self.marks: list[tuple[int, ...] | None] = []

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        return 10

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        self.marks.append(sampling.marks)
        reads = messages[-1].role == "user" and "read" in messages[-1].text
        yield CallMade(ToolCall("1", "look", {})) if reads else TextDelta("It was built in 1854 [1].")
        yield Finished("stop")

    def close(self) -> None:
        pass


def test_a_session_tells_its_model_what_may_be_cited(tmp_path: Path) -> None:
    def look(arguments: Any, context: Any) -> ToolOutput:
        return ToolOutput("Built in 1854.", readings=(Reading(1, "Boat", "/boat.txt", text="Built in 1854."),))

    model, page = Asked(), Tool("look", "", {"type": "object"}, look, frozenset())
    with LLMOS(model=model, home=tmp_path, tools=[page]) as system, system.session() as session:
        assert "[1]" in session.run("when?").text  # no page so far: brackets are brackets
        assert session.run("read it: when?").citations[0].number == 1
        assert session.run("once more").citations == ()
    assert model.marks == [None, None, (1,), ()]


def test_a_checkpoint_that_would_cite_anything_cites_what_it_may(
    qwen3_folder: Callable[..., Path], tmp_path: Path
) -> None:
    """Its numbers and brackets are made likely: unbound it cites all kinds of things, bound what it may."""
    model = LocalModel(qwen3_folder(tmp_path / "model"))
    codec = model.wire.codec
    bias = tuple((i, 30.0) for i, b in enumerate(codec.bytes_of) if b in (b"[", b"]", b" [", b"1", b"2", b"7", b" "))

    def said(marks: tuple[int, ...] | None) -> str:
        text = ""
        for seed in range(4):
            sampling = Sampling(temperature=1.0, seed=seed, max_tokens=120, bias=bias, marks=marks)
            asked = [Message("user", ())]
            deltas = model.reply(asked, (), sampling)
            text += "".join(d.text for d in deltas if isinstance(d, TextDelta)) + "\n\n"
        return text

    assert cited(said(None)) - {12, 7}
    assert cited(said((12, 7))) <= {12, 7}
    assert cited(said((12, 7)))
    assert cited(said(())) == set()
    model.close()
