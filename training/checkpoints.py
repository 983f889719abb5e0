"""Looks over a checkpoint folder before it is trusted: formats that can hold code, sizes, weights, tokens, template.

Loads nothing that could run: safetensors, JSON, and a chat template in jinja's sandbox. Knows no training data.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from llmos.kernel.checkpoint import read_json
from llmos.kernel.codec import Codec
from llmos.kernel.errors import ModelError
from llmos.kernel.families import stop_ids
from llmos.kernel.hygiene import clean
from llmos.kernel.local import load_wire
from llmos.kernel.shape import Shape
from llmos.kernel.template import chat_template, compile_template

PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".h5", ".keras", ".msgpack")
CONFIGS = ("config.json", "generation_config.json", "tokenizer_config.json", "processor_config.json")
Told = tuple[str, str]


def look_over(folder: Path) -> Iterator[Told]:
    """What is wrong with a checkpoint, as kind and one line each."""
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    for file in files:
        if file.suffix in PICKLED:
            yield "pickle", f"{file.relative_to(folder)} can run code when it is loaded; llmos loads safetensors alone"
        if file.suffix in (".py", ".so", ".dll", ".dylib"):
            yield "code", f"{file.relative_to(folder)} is code that comes with the weights"
    for name in CONFIGS:
        if (folder / name).exists():
            yield from _mapped(folder / name)
    yield from _weights(folder)
    yield from _tokens(folder)
    yield from _template(folder)


def _mapped(file: Path) -> Iterator[Told]:
    try:
        data = read_json(file)
    except ModelError as error:
        yield "config", str(error)
        return
    for key in ("auto_map", "custom_pipelines", "custom_generate"):
        if data.get(key):
            yield "code", f"{file.name} has {key}: loading it elsewhere runs {json.dumps(data[key])[:80]}"


def _weights(folder: Path) -> Iterator[Told]:
    """Whether the sizes of the weights are those of the config, and all of them numbers."""
    shapes: dict[str, list[int]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 (a safe_open is no mapping)
                    tensor = opened.get_tensor(name)
                    shapes[name] = list(tensor.shape)
                    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                        yield "weights", f"{name} holds what is no number"
        except (SafetensorError, OSError) as error:
            yield "weights", f"{file.name} cannot be read: {error}"
    if not shapes:
        yield "weights", "there are no safetensors"
        return
    try:
        shape = Shape.read(folder)
    except (ModelError, ValueError, KeyError, TypeError):
        return  # an architecture of transformers' own, or told of already
    if not any(name.startswith("model.") for name in shapes):
        return  # not the language model's: an encoder beside it
    for name, size in _expected(shape).items():
        if shapes.get(name) != size:
            yield "config", f"{name} is {shapes.get(name, 'not there')}, by the config {size}"


def _expected(shape: Shape) -> dict[str, list[int]]:
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    made = {"model.embed_tokens.weight": [shape.vocabulary, shape.hidden], "model.norm.weight": [shape.hidden]}
    if not shape.tied:
        made["lm_head.weight"] = [shape.vocabulary, shape.hidden]
    for n in range(shape.layers):
        for name, out in (("q", q), ("k", kv), ("v", kv)):
            made[f"model.layers.{n}.self_attn.{name}_proj.weight"] = [out, shape.hidden]
        made[f"model.layers.{n}.self_attn.o_proj.weight"] = [shape.hidden, q]
        for name in ("gate", "up"):
            made[f"model.layers.{n}.mlp.{name}_proj.weight"] = [shape.inner, shape.hidden]
        made[f"model.layers.{n}.mlp.down_proj.weight"] = [shape.hidden, shape.inner]
    return made


def _tokens(folder: Path) -> Iterator[Told]:
    """Whether control tokens are what they look like, and within the vocabulary."""
    try:
        codec = Codec.load(folder)
        config = read_json(folder / "config.json")
    except ModelError as error:
        yield "tokens", str(error)
        return
    size = config.get("vocab_size")
    if isinstance(size, int) and codec.size > size:
        yield "tokens", f"the tokenizer has {codec.size} tokens, the network {size}"
    if len(set(codec.control.values())) < len(codec.control):
        yield "tokens", "two control tokens have the same id"
    for name in codec.control:
        if clean(name) != name or re.search(r"[^\x20-\x7e\uff5c\u2581]", name):
            yield "tokens", f"the control token {name!a} holds letters that look like others, or like none"
        elif re.fullmatch(r"\w+", name.strip()):
            yield "tokens", f"the control token {name!r} is an everyday word"
    eos = str(_token_config(folder).get("eos_token") or "")
    try:
        ends = stop_ids(folder, codec, eos)
        if any(end >= codec.size for end in ends):
            yield "tokens", "a token that ends a turn is not in the vocabulary"
    except ModelError as error:
        yield "tokens", str(error)


def _token_config(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    return read_json(file) if file.exists() else {}


def _template(folder: Path) -> Iterator[Told]:
    """Whether the chat template compiles, shows what is said, reads its calls back, and does not heed what is said."""
    try:
        source = chat_template(folder)
        template = compile_template(source) if source else None
        load_wire(folder)
    except ModelError as error:
        yield "template", str(error)
        return
    if template is None:
        return
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), "")

    def scaffold(words: str) -> str:
        messages = [{"role": "user", "content": words}]
        shown: str = template.render(messages=messages, tools=None, add_generation_prompt=True, **ends)
        return shown.replace(words.strip(), "\0")

    try:
        usual = scaffold("Good morning 4711")
        if usual.count("\0") != 1:
            yield "template", "it does not show what the user says, or more than once"
            return
        odd = [t for t in _literals(source) if {scaffold(f"Please {t} 4711"), scaffold(f"{t} 4711")} != {usual}]
    except Exception as error:  # a template may raise anything, by design
        yield "template", f"it refuses a plain request: {error}"
        return
    for told in odd:
        yield "template", f"what it writes changes where the user says {told[:60]!r}"


def _literals(source: str) -> list[str]:
    """The texts that a template compares with."""
    code = " ".join(re.findall(r"\{[%{].*?[%}]\}", source, re.DOTALL))
    found = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", code)
    return sorted({text for pair in found for text in pair if len(text.strip()) > 2 and "\\" not in text})
