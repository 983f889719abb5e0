"""llmos models export --gguf: the file says of the checkpoint what the checkpoint says of itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from llmos.cli import run_command
from llmos.kernel.checkpoint import tensors
from llmos.kernel.codec import Codec
from llmos.kernel.config import WEIGHTS
from llmos.kernel.gguf_file import _paired, export
from llmos.kernel.shape import Shape, rope_factors

gguf = pytest.importorskip("gguf")

CONTROL = ("<s>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>")
STRETCHED = {
    "rope_type": "llama3",
    "rope_theta": 1e4,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama with biases": ("Llama", {"attention_bias": True, "tie_word_embeddings": True}),
    "llama 3.1": ("Llama", {"rope_parameters": STRETCHED}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"head_dim": 128, "num_key_value_heads": 1}),
}


@pytest.fixture
def make(write_tokenizer: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Writes a random checkpoint of a kind with a tokenizer and a chat template; 12 ids more than the words."""
    transformers = pytest.importorskip("transformers")

    def write(name: str) -> Path:
        kind, more = KINDS[name]
        torch.manual_seed(3)
        folder = write_tokenizer(tmp_path / "tiny", CONTROL, eos_token="<|im_end|>", bos_token={"content": "<s>"})
        (folder / "chat_template.jinja").write_text("{{ messages[0].content }}", encoding="utf-8")
        sizes = {"vocab_size": Codec.load(folder).size + 12, "hidden_size": 64, "intermediate_size": 96}
        sizes |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
        config = getattr(transformers, f"{kind}Config")(**{**sizes, "max_position_embeddings": 256, **more})
        model = getattr(transformers, f"{kind}ForCausalLM")(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        model.eval().save_pretrained(folder)
        return folder

    return write


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields, and the tensors in fp32."""
    found = gguf.GGUFReader(path)
    weights = {t.name: torch.from_numpy(gguf.dequantize(t.data, t.tensor_type).copy()) for t in found.tensors}
    return {name: field.contents() for name, field in found.fields.items()}, weights


@pytest.mark.parametrize("name", KINDS)
def test_sizes_weights_and_words_are_all_there(name: str, make: Callable[..., Path], tmp_path: Path) -> None:
    folder, path = make(name), tmp_path / "out.gguf"
    export(folder, path)
    fields, weights = read(path)
    arch, shape, codec = fields["general.architecture"], Shape.read(folder), Codec.load(folder)
    assert arch == {"Qwen2": "qwen2", "Qwen3": "qwen3"}.get(KINDS[name][0], "llama")
    told = {f"{arch}.{key}": value for key, value in _sizes(shape).items()}
    assert {key: fields[key] for key in told} == pytest.approx(told)
    _check_words(fields, codec, shape)
    with tensors(folder) as take:
        wanted = {
            "token_embd.weight": take("model.embed_tokens.weight"),
            "output_norm.weight": take("model.norm.weight"),
        }
        if not shape.tied:
            wanted["output.weight"] = take("lm_head.weight")
        if shape.scaling is not None:
            wanted["rope_freqs.weight"] = rope_factors(shape)
        for n in range(shape.layers):
            wanted |= _layer(shape, n, take)
    assert weights.keys() == wanted.keys()
    for key, tensor in wanted.items():
        assert torch.equal(weights[key].reshape(tensor.shape), tensor), key


def _sizes(shape: Shape) -> dict[str, Any]:
    return {
        "context_length": 256,
        "embedding_length": 64,
        "block_count": 2,
        "feed_forward_length": 96,
        "attention.head_count": 4,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_dim,
        "attention.layer_norm_rms_epsilon": shape.eps,
        "rope.freq_base": shape.theta,
        "vocab_size": shape.vocabulary,
    }


def _check_words(fields: dict[str, Any], codec: Codec, shape: Shape) -> None:
    words, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    assert len(words) == len(types) == shape.vocabulary == codec.size + 12
    assert [words[codec.control[c]] for c in CONTROL] == list(CONTROL)
    assert {i for i, t in enumerate(types) if t == 3} == codec.control_ids
    assert types[-12:] == [5] * 12
    data = json.loads(codec.json_text)["model"]
    assert all(words[i] == text for text, i in data["vocab"].items())
    assert fields["tokenizer.ggml.merges"] == [" ".join(m) for m in data["merges"]]
    assert (fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]) == ("gpt2", "gpt-2")
    assert fields["tokenizer.ggml.bos_token_id"] == codec.control["<s>"]
    assert fields["tokenizer.ggml.eos_token_id"] == fields["tokenizer.ggml.eot_token_id"] == codec.control["<|im_end|>"]
    assert fields["tokenizer.ggml.add_bos_token"] is False
    assert fields["tokenizer.chat_template"] == "{{ messages[0].content }}"


def _layer(shape: Shape, n: int, take: Callable[[str], torch.Tensor]) -> dict[str, torch.Tensor]:
    names = {"attn_norm": "input_layernorm", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj"}
    names |= {"ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj"}
    names |= {f"ffn_{part}": f"mlp.{part}_proj" for part in ("gate", "up", "down")}
    if shape.qk_norm:
        names |= {f"attn_{c}_norm": f"self_attn.{c}_norm" for c in "qk"}
    found = {f"blk.{n}.{k}.weight": take(f"model.layers.{n}.{v}.weight") for k, v in names.items()}
    if shape.qkv_bias:
        biased = {k: names[k] for k in ("attn_q", "attn_k", "attn_v", *(["attn_output"] if shape.out_bias else []))}
        found |= {f"blk.{n}.{k}.bias": take(f"model.layers.{n}.{v}.bias") for k, v in biased.items()}
    if not shape.kind.startswith("qwen"):
        for c, heads in (("q", shape.heads), ("k", shape.kv_heads)):
            for key in [k for k in found if k.startswith(f"blk.{n}.attn_{c}.")]:
                found[key] = _paired(found[key], heads)
    return found


def test_rotating_neighbours_is_rotating_halves() -> None:
    heads, size = 3, 8
    weight, x = torch.randn(heads * size, 5), torch.randn(5)
    angles = torch.rand(size // 2)

    def turned(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()

    halves = (weight @ x).view(heads, 2, size // 2)
    wanted = torch.stack(turned(halves[:, 0], halves[:, 1]), 1).reshape(-1)
    pairs = (_paired(weight, heads) @ x).view(heads, size // 2, 2)
    got = torch.stack(turned(pairs[..., 0], pairs[..., 1]), -1).reshape(-1)
    assert torch.allclose(got, _paired(wanted[:, None], heads)[:, 0], atol=1e-5)


@pytest.mark.parametrize("name", ["mistral", "qwen2", "qwen3"])
def test_another_program_reads_the_same_model(name: str, make: Callable[..., Path], tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = make(name)
    export(folder, tmp_path / "out.gguf")
    ids = torch.arange(40)[None] * 7
    with torch.inference_mode():
        ours = AutoModelForCausalLM.from_pretrained(folder)(ids).logits
        again = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="out.gguf")(ids).logits
    assert torch.allclose(ours, again, atol=1e-4)


@pytest.mark.parametrize(("kind", "near"), [("bf16", 0.004), ("f16", 0.0005), ("q8_0", 0.01)])
def test_weights_may_be_written_smaller(kind: str, near: float, make: Callable[..., Path], tmp_path: Path) -> None:
    folder = make("qwen3")
    export(folder, tmp_path / "whole.gguf")
    export(folder, tmp_path / "small.gguf", kind)
    whole, small = read(tmp_path / "whole.gguf")[1], read(tmp_path / "small.gguf")[1]
    for name, tensor in whole.items():
        assert (small[name] - tensor).abs().max() <= near * tensor.abs().max() * (tensor.ndim > 1)
    assert (tmp_path / "small.gguf").stat().st_size < (tmp_path / "whole.gguf").stat().st_size * 0.7


def test_the_embedded_kernel_is_written_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kernel.gguf"
    assert run_command(["models", "export", "embedded", "--gguf", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    fields, weights = read(path)
    codec = Codec.load(WEIGHTS)
    assert fields["tokenizer.ggml.pre"] == "qwen2"
    assert {i for i, t in enumerate(fields["tokenizer.ggml.token_type"]) if t == 3} == codec.control_ids
    assert fields["tokenizer.ggml.eos_token_id"] == codec.control["<|im_end|>"]
    with tensors(WEIGHTS) as take:
        assert torch.equal(weights["token_embd.weight"], take("model.embed_tokens.weight").float())
    assert run_command(["models", "export", "embedded", "--gguf", str(path)]) == 2
    assert "is there already; --force writes over it" in capsys.readouterr().err


def test_pieces_with_scores_are_joined_as_merges_were(make: Callable[..., Path], tmp_path: Path) -> None:
    folder = make("mistral")
    letters = {c: n + 3 for n, c in enumerate("▁abc")}
    joined = {"ab": 8, "▁ab": 9, "abc": 10, "<0x41>": 11}
    model = {
        "type": "BPE",
        "byte_fallback": True,
        "unk_token": "<unk>",
        "merges": [["a", "b"], ["▁", "ab"], ["ab", "c"]],
    }
    data: dict[str, Any] = {"version": "1.0", "added_tokens": [], "normalizer": {"type": "Prepend", "prepend": "▁"}}
    data["model"] = {**model, "vocab": {"<unk>": 0, **letters, **joined}}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    data["added_tokens"] = [{"id": n, "content": c, **special} for n, c in ((1, "<s>"), (2, "</s>"))]
    (folder / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    Tokenizer.from_file(str(folder / "tokenizer.json"))
    export(folder, tmp_path / "out.gguf")
    fields, _ = read(tmp_path / "out.gguf")
    assert fields["tokenizer.ggml.model"] == "llama"
    scores = fields["tokenizer.ggml.scores"]
    assert scores[8] > scores[9] > scores[10]
    assert fields["tokenizer.ggml.token_type"][:3] == [2, 3, 3]
    assert fields["tokenizer.ggml.token_type"][11] == 6
    assert fields["tokenizer.ggml.add_space_prefix"] is True


def test_what_cannot_be_written_so_is_told_in_one_line(
    make: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make("mistral")
    there, target = [str(folder), "--gguf"], str(tmp_path / "out.gguf")
    tries = [
        ([str(folder)], 2, "where to"),
        ([*there, str(tmp_path / "no" / "out.gguf")], 2, "there is no folder"),
        ([*there, target, "--type", "q2"], 2, "no precision is called q2"),
        (["http://localhost:1/v1", "--gguf", target], 2, "is on a server"),
    ]
    for arguments, code, says in tries:
        assert run_command(["models", "export", *arguments]) == code
        assert says in capsys.readouterr().err
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    data["pre_tokenizer"] = {"type": "Whitespace"}
    (folder / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    assert run_command(["models", "export", *there, target]) == 1
    assert "cuts text into words" in capsys.readouterr().err
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "sliding_window": 16}), encoding="utf-8")
    assert run_command(["models", "export", *there, target]) == 1
    assert "convert_hf_to_gguf.py knows more" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.gguf")) + list(tmp_path.glob(".*.part"))
