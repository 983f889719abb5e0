"""A checkpoint as a GGUF file, for llama.cpp and what is built on it: sizes, weights, tokenizer and chat template.

Takes what the lean forward takes (Llama, Mistral, Qwen2, Qwen3). Needs the ``gguf`` extra. A file that would be read
otherwise than the checkpoint is (an unknown way to cut text into words, for one) is refused, not written.
"""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from llmos.kernel.checkpoint import read_json, tensors
from llmos.kernel.codec import Codec
from llmos.kernel.config import WEIGHTS
from llmos.kernel.errors import ModelError, UsageError
from llmos.kernel.shape import Shape, rope_factors
from llmos.kernel.template import chat_template

# Precisions by the name of the option; a matrix that does not divide into blocks of 32 stays f16 under q8_0.
KINDS = ("bf16", "f16", "f32", "q8_0")
STORED = {torch.bfloat16: "bf16", torch.float16: "f16", torch.float32: "f32"}
BLOCK = 32
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# How text is cut into words, by the names that llama.cpp has for it.
CUTS = {_WORDS % "": "qwen2", _WORDS % "{1,3}": "llama-bpe"}
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TURN_ENDS = ("<|im_end|>", "<|eot_id|>")
_NORMAL, _UNKNOWN, _CONTROL, _ADDED, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6


def export(folder: Path, target: Path, kind: str = "", force: bool = False) -> None:
    """Write ``target``; ``kind`` is one of :data:`KINDS`, by default what is stored.

    Raises ModelError for a checkpoint that cannot be written so, UsageError for a target that is there already unless
    ``force``, or a kind that is none.
    """
    if kind and kind not in KINDS:
        raise UsageError(f"no precision is called {kind}: take {', '.join(KINDS)}")
    if target.exists() and not force:
        raise UsageError(f"{target} is there already; --force writes over it")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}")
    try:
        import gguf
    except ImportError as error:
        raise ModelError("writing GGUF needs a package: pip install 'llmos[gguf]'") from error
    try:
        shape = Shape.read(folder)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder} is not written as GGUF here ({error}); llama.cpp's convert_hf_to_gguf.py knows more kinds"
        ) from error
    half = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        # Mistral goes by the name of Llama there.
        arch = shape.kind if shape.kind.startswith("qwen") else "llama"
        writer = gguf.GGUFWriter(half, arch)
        _sizes(writer, shape, folder)
        _tokenizer(writer, shape, folder)
        with tensors(folder) as take:
            kind = kind or STORED.get(take("model.embed_tokens.weight").dtype, "f16")
            writer.add_file_type({"bf16": 32, "f16": 1, "f32": 0, "q8_0": 7}[kind])
            _write(writer, gguf, list(_weights(shape, take)), kind)
        os.replace(half, target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        half.unlink(missing_ok=True)


def _sizes(writer: Any, shape: Shape, folder: Path) -> None:
    writer.add_name("llmos kernel" if folder == WEIGHTS else folder.resolve().name)
    writer.add_context_length(shape.window)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.theta)
    writer.add_layer_norm_rms_eps(shape.eps)
    writer.add_vocab_size(shape.vocabulary)


def _weights(shape: Shape, take: Callable[[str], Tensor]) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Names in the file, and what gives each tensor: one at a time is in memory."""
    yield "token_embd.weight", lambda: take("model.embed_tokens.weight")
    yield "output_norm.weight", lambda: take("model.norm.weight")
    if not shape.tied:
        yield "output.weight", lambda: take("lm_head.weight")
    if shape.scaling is not None:
        yield "rope_freqs.weight", lambda: rope_factors(shape)
    # Queries and keys of a Llama are rotated otherwise there than in a checkpoint; those of a Qwen are not.
    turned = {} if shape.kind.startswith("qwen") else {"attn_q": shape.heads, "attn_k": shape.kv_heads}
    biased = {name for name in ("attn_q", "attn_k", "attn_v") if shape.qkv_bias}
    biased |= {"attn_output"} if shape.out_bias else set()
    for n in range(shape.layers):
        for theirs, ours in LAYER.items():
            if theirs.endswith("_norm") and ours.startswith("self_attn") and not shape.qk_norm:
                continue
            for part in ("weight", "bias") if theirs in biased else ("weight",):
                source, heads = f"model.layers.{n}.{ours}.{part}", turned.get(theirs, 0)
                yield f"blk.{n}.{theirs}.{part}", partial(_taken, take, source, heads)


def _taken(take: Callable[[str], Tensor], source: str, heads: int) -> Tensor:
    return _paired(take(source), heads) if heads else take(source)


def _paired(weight: Tensor, heads: int) -> Tensor:
    """Rows of a Llama's queries or keys as llama.cpp rotates them: neighbours, where the checkpoint has halves."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.transpose(1, 2).reshape(weight.shape).contiguous()


def _write(writer: Any, gguf: Any, weights: list[tuple[str, Callable[[], Tensor]]], kind: str) -> None:
    """First what there will be, then one tensor after the other."""
    for name, give in weights:
        shape = give().shape
        made = _type(gguf, shape, kind)
        size = gguf.quant_shape_to_byte_shape(tuple(shape), made)
        writer.add_tensor_info(name, size, np.dtype(np.uint8), int(np.prod(size)), raw_dtype=made)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, give in weights:
        tensor = give()
        data = tensor.to(torch.float32).contiguous().numpy()
        writer.write_tensor_data(gguf.quantize(data, _type(gguf, tensor.shape, kind)))
    writer.close()


def _type(gguf: Any, shape: Any, kind: str) -> Any:
    types = gguf.GGMLQuantizationType
    if len(shape) == 1:
        return types.F32
    if kind == "q8_0" and shape[-1] % BLOCK:
        return types.F16
    return types[kind.upper()]


def _tokenizer(writer: Any, shape: Shape, folder: Path) -> None:
    codec = Codec.load(folder)
    data = json.loads(codec.json_text)
    if data["model"].get("type") != "BPE":
        raise ModelError(f"{folder}: a tokenizer of the kind {data['model'].get('type')} is not written as GGUF here")
    size = max(shape.vocabulary, codec.size)
    tokens = [f"[PAD{i}]" for i in range(size)]
    types = [_UNUSED] * size
    for text, i in data["model"]["vocab"].items():
        tokens[i], types[i] = text, _NORMAL
    for token in data["added_tokens"]:
        tokens[token["id"]], types[token["id"]] = token["content"], _CONTROL if token["special"] else _ADDED
    if data["model"].get("byte_fallback"):
        _pieces(writer, data, tokens, types)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_cut(folder, data))
        writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]])
    writer.add_token_list([t.encode("utf-8") for t in tokens])
    writer.add_token_types(types)
    _ends(writer, folder, codec)
    template = chat_template(folder)
    if template:
        writer.add_chat_template(template)


def _cut(folder: Path, data: dict[str, Any]) -> str:
    """llama.cpp's name for how this tokenizer cuts text into words."""
    pre = data.get("pre_tokenizer") or {}
    steps = pre.get("pretokenizers", [pre])
    patterns = [s.get("pattern", {}).get("Regex") for s in steps if s.get("type") == "Split"]
    if [s.get("type") for s in steps] == ["ByteLevel"] and steps[0].get("use_regex", True):
        return "gpt-2"
    if len(patterns) == 1 and patterns[0] in CUTS and steps[-1].get("type") == "ByteLevel":
        return CUTS[patterns[0]]
    raise ModelError(
        f"{folder}: how its tokenizer cuts text into words has no name here; "
        "llama.cpp's convert_hf_to_gguf.py may know it"
    )


def _pieces(writer: Any, data: dict[str, Any], tokens: list[str], types: list[int]) -> None:
    """A tokenizer of SentencePiece's kind: pieces are joined by their scores, which the order of merges gives."""
    where = {text: i for i, text in enumerate(tokens)}
    scores = [0.0] * len(tokens)
    merges = [m.split(" ") if isinstance(m, str) else m for m in data["model"]["merges"]]
    for rank, pair in reversed(list(enumerate(merges))):
        scores[where["".join(pair)]] = -float(rank + 1)
    for i, text in enumerate(tokens):
        if types[i] == _NORMAL and len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            types[i] = _BYTE
    unknown = where.get(data["model"].get("unk_token") or "", -1)
    if unknown >= 0:
        types[unknown] = _UNKNOWN
        writer.add_unk_token_id(unknown)
    told = json.dumps([data.get("normalizer"), data.get("pre_tokenizer")])
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_scores(scores)
    writer.add_add_space_prefix(any(mark in told for mark in ('"Prepend"', '"first"', '"always"')))


def _ends(writer: Any, folder: Path, codec: Codec) -> None:
    """Which ids begin and end a text and a turn."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer_config.json"
    config = read_json(path) if path.exists() else {}
    for name, add in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("pad", writer.add_pad_token_id),
    ):
        given = config.get(f"{name}_token")
        text = given.get("content") if isinstance(given, dict) else given
        if text in codec.control:
            add(codec.control[text])
            if name == "bos":
                first = Tokenizer.from_str(codec.json_text).encode("x").ids[:1]
                writer.add_add_bos_token(first == [codec.control[text]])
    ends = [codec.control[name] for name in TURN_ENDS if name in codec.control]
    if ends:
        writer.add_eot_token_id(ends[0])
