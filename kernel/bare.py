"""Writes a checkpoint as two files that run without llmos: its weights in one, and ``run.c``, which reads them.

Knows the checkpoint's shape, its tokenizer and its prompt; the form of the file is told in ``run.c``. What is not the
network's is not in it: tools, grammar, the names and examples that the embedded kernel is given with a request.
"""

import json
import re
import struct
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, pre_tokenizers
from torch import Tensor

from llmos.kernel import hygiene
from llmos.kernel.checkpoint import tensors
from llmos.kernel.codec import Codec
from llmos.kernel.errors import ModelError, UsageError
from llmos.kernel.holds import common_prefix
from llmos.kernel.local import load_wire
from llmos.kernel.shape import Shape, frequencies
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message, Part, Source
from llmos.kernel.wire import EmbeddedWire, Wire, render

PROGRAM = Path(__file__).parent / "run.c"
MAGIC = b"LLMOSB01"
QK_NORM, TIED, WHOLE_WORDS, COMPOSED = 1, 2, 4, 8  # flags
LETTER, NUMBER, SPACE, UNSEEN, JOINS, VARIES = 1, 2, 4, 8, 16, 32  # kinds of characters
NOT_COMPOSED = 255  # in place of a combining class
# How the texts of Qwen 2 and Llama 3 are cut, which is what run.c does; of a number, so many digits stand together.
_CUT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CUTS = {_CUT.replace("DIGITS", r"\p{N}"): 1, _CUT.replace("DIGITS", r"\p{N}{1,3}"): 3}


@dataclass(frozen=True, slots=True)
class Prompt:
    """The ids around a request, and those that end a turn."""

    before: Sequence[int]
    after: Sequence[int]
    stops: Sequence[int]


def export(folder: Path, out: Path, system: str = "", tools: Sequence[Tool] = ()) -> list[Path]:
    """Write ``weights.bin`` and ``run.c`` for a checkpoint into the folder ``out``; their paths.

    ``system`` and ``tools`` are what each request stands behind. Raises ModelError for a checkpoint that ``run.c`` does
    not know, UsageError where the files are there already or cannot be written.
    """
    try:
        shape = Shape.read(folder)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"only Llama, Mistral, Qwen2 and Qwen3 checkpoints can be exported: {error}") from error
    wire = load_wire(folder)
    prompt = around(wire, system, tools)
    tables, sizes = _tables(wire.codec, shape, prompt)
    made = [out / "weights.bin", out / PROGRAM.name]
    if there := next((path for path in made if path.exists()), None):
        raise UsageError(f"{there} is there already; give another folder")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; give a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        made[1].write_bytes(PROGRAM.read_bytes())
        with made[0].open("xb") as file, tensors(folder) as take:
            bf16 = take("model.embed_tokens.weight").dtype == torch.bfloat16
            file.write(MAGIC + struct.pack("<17If", int(bf16), *sizes, shape.eps))
            file.writelines(map(_whole, tables))
            file.writelines(_whole(part) for part in _weights(take, shape, bf16))
    except (OSError, ModelError) as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, ModelError):
            raise
        raise UsageError(f"cannot write to {out}: {error.strerror}") from error
    return made


def around(wire: Wire, system: str, tools: Sequence[Tool]) -> Prompt:
    """The prompt around any request. Raises ModelError where a template changes the words that it is given."""

    def rendered(text: str) -> list[int]:
        told = [Message("system", (Part(system, Source("system")),))] if system else []
        messages = [*told, Message("user", (Part(text, Source("user")),))]
        # The embedded kernel's words as they are, without its short names and examples.
        return render(messages, tools, wire.codec) if isinstance(wire, EmbeddedWire) else wire.render(messages, tools)

    one, other = rendered("7"), rendered("What?")
    start = common_prefix(one, other)
    end = common_prefix(one[start:][::-1], other[start:][::-1])
    before, after = one[:start], one[len(one) - end :]
    for text in ("two words", " Ünï - 12.5%\n\n'll\t", "x"):
        if rendered(text) != [*before, *wire.codec.encode(text), *after]:
            raise ModelError("the chat template changes the words of a request; run.c cannot do that")
    return Prompt(before, after, sorted(wire.form.stops))


def _tables(codec: Codec, shape: Shape, prompt: Prompt) -> tuple[list[bytes], list[int]]:
    """What stands in the file before the weights, and the sizes at its head from the vocabulary on, without eps."""
    flags, digits, merges = _tokenizer(codec)
    if codec.size > shape.vocabulary:
        raise ModelError(f"the tokenizer has {codec.size} tokens, the network {shape.vocabulary}")
    names = {i: name.encode() for name, i in codec.control.items()}
    texts = [names.get(i) or codec.bytes_of[i] for i in range(codec.size)] + [b""] * (shape.vocabulary - codec.size)
    offsets = [0]
    for text in texts:
        offsets.append(offsets[-1] + len(text))
    single = {text[0]: i for i, text in enumerate(codec.bytes_of) if len(text) == 1}
    if len(single) < 256:
        raise ModelError("the tokenizer lacks tokens for some bytes; run.c needs a byte-level one")
    ranges = characters(bool(flags & COMPOSED))
    flags |= (QK_NORM if shape.qk_norm else 0) | (TIED if shape.tied else 0)
    heads = [shape.layers, shape.heads, shape.kv_heads, shape.head_dim]
    sizes = [shape.vocabulary, shape.hidden, shape.inner, *heads, shape.window, flags, digits, len(ranges), len(merges)]
    sizes += [len(prompt.before), len(prompt.after), len(prompt.stops), offsets[-1]]
    tables = [
        _floats(frequencies(shape)),
        _words(single[b] for b in range(256)),
        _words(offsets),
        _words(n for one in ranges for n in one),
        _words(n for one in merges for n in one),
        *map(_words, (prompt.before, prompt.after, prompt.stops)),
        b"".join(texts),
    ]
    return tables, sizes


def _tokenizer(codec: Codec) -> tuple[int, int, list[tuple[int, int, int, int]]]:
    """Flags, digits that stand together, and merges (left, right, rank, made), sorted. Raises ModelError for others."""
    data = json.loads(codec.json_text)
    model, normalizer = data["model"], data.get("normalizer")
    steps = data.get("pre_tokenizer") or {}
    steps = steps.get("pretokenizers", [steps])
    pattern = steps[0].get("pattern", {}).get("Regex", "") if steps else ""
    level = steps[1] if len(steps) == 2 else {}
    plain = model.get("type") == "BPE" and not any(
        model.get(key) for key in ("dropout", "byte_fallback", "continuing_subword_prefix", "end_of_word_suffix")
    )
    bytewise = (
        level.get("type") == "ByteLevel" and not level.get("add_prefix_space") and level.get("use_regex") is False
    )
    if not plain or not bytewise or pattern not in CUTS or (normalizer or {"type": "NFC"})["type"] != "NFC":
        raise ModelError("run.c knows the tokenizers of Qwen 2, Qwen 3 and Llama 3 alone; this checkpoint has another")
    vocabulary: dict[str, int] = model["vocab"]
    merges = []
    for rank, pair in enumerate(model["merges"]):
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        merges.append((vocabulary[left], vocabulary[right], rank, vocabulary[left + right]))
    whole = bool(model.get("ignore_merges"))
    cut = pre_tokenizers.Split(Regex(pattern), "isolated")
    spelled = codec.control_ids & {made for *_, made in merges}
    if spelled or (whole and any(len(cut.pre_tokenize_str(name)) == 1 for name in codec.control)):
        raise ModelError("the tokenizer spells control tokens as text, which run.c does not keep apart")
    return (WHOLE_WORDS if whole else 0) | (COMPOSED if normalizer else 0), CUTS[pattern], sorted(merges)


@cache
def characters(composed: bool) -> tuple[tuple[int, int, int], ...]:
    """First, last and kind of each run of characters of one kind; ``composed`` adds what Unicode's check for NFC asks.

    Letters, numbers and space are what the tokenizers library takes for them.
    """
    # Unicode's other planes have no characters, or private ones, which are of no kind.
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xE1000)]))
    kinds = np.zeros(0x110000, dtype=np.int64)
    # A run of them in a row is one piece; none goes over the gap of the surrogates.
    for bit, pattern in ((LETTER, r"\p{L}+"), (NUMBER, r"\p{N}+"), (SPACE, r"\s+")):
        split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        for text, _ in split.pre_tokenize_str(every):
            kinds[ord(text[0]) : ord(text[-1]) + 1] |= bit
    for bit, class_ in ((UNSEEN, hygiene.UNSEEN), (JOINS, hygiene.JOINS), (VARIES, hygiene.VARIES)):
        for found in re.finditer(f"[{class_}]+", every):
            kinds[ord(found[0][0]) : ord(found[0][-1]) + 1] |= bit
    for c, combining in _combining() if composed else ():
        kinds[ord(c)] |= combining << 8
    starts = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
    return tuple((first, after - 1, int(kinds[first])) for first, after in pairwise(starts) if kinds[first])


def _combining() -> Iterator[tuple[str, int]]:
    """The combining class of each character that has one; :data:`NOT_COMPOSED` of those that NFC may change."""
    seconds = set()
    for c in map(chr, range(0x110000)):
        parts = unicodedata.decomposition(c).split()
        if len(parts) == 2 and not parts[0].startswith("<") and unicodedata.normalize("NFC", c) == c:
            seconds.add(chr(int(parts[1], 16)))
    hangul = {chr(n) for n in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    for c in map(chr, (*range(0xD800), *range(0xE000, 0x110000))):
        if c in seconds or c in hangul or unicodedata.normalize("NFC", c) != c:
            yield c, NOT_COMPOSED
        elif unicodedata.combining(c):
            yield c, unicodedata.combining(c)


def _weights(take: Callable[[str], Tensor], shape: Shape, bf16: bool) -> Iterator[bytes]:
    """The weights in the file's order."""

    def matrix(*names: str) -> bytes:
        joint = torch.cat([take(f"{name}.weight") for name in names])
        return joint.bfloat16().view(torch.int16).numpy().tobytes() if bf16 else _floats(joint)

    def bias(there: bool, sizes: Iterable[int], *names: str) -> bytes:
        return _floats(torch.cat([take(f"{n}.bias") for n in names]) if there else torch.zeros(sum(sizes)))

    yield matrix("model.embed_tokens")
    if not shape.tied:
        yield matrix("lm_head")
    yield _floats(take("model.norm.weight"))
    for n in range(shape.layers):
        name = f"model.layers.{n}."
        three = [f"{name}self_attn.{p}_proj" for p in "qkv"]
        heads = [count * shape.head_dim for count in (shape.heads, shape.kv_heads, shape.kv_heads)]
        yield _floats(take(f"{name}input_layernorm.weight"))
        yield matrix(*three)
        yield bias(shape.qkv_bias, heads, *three)
        for p in "qk":
            yield _floats(take(f"{name}self_attn.{p}_norm.weight")) if shape.qk_norm else b""
        yield matrix(f"{name}self_attn.o_proj")
        yield bias(shape.out_bias, [shape.hidden], f"{name}self_attn.o_proj")
        yield _floats(take(f"{name}post_attention_layernorm.weight"))
        for p in ("gate", "up", "down"):
            yield matrix(f"{name}mlp.{p}_proj")


def _floats(tensor: Tensor) -> bytes:
    return tensor.float().numpy().astype("<f4").tobytes()


def _words(numbers: Iterable[int]) -> bytes:
    listed = list(numbers)
    return struct.pack(f"<{len(listed)}I", *listed)


def _whole(part: bytes) -> bytes:
    """Filled up to a multiple of 4 bytes."""
    return part + b"\0" * (-len(part) % 4)
