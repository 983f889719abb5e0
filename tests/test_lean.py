"""The lean forward pass against transformers' own, on a tiny random checkpoint of each architecture that it takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from llmos.kernel.attend import Piece, attend, merge
from llmos.kernel.branches import TorchEngine
from llmos.kernel.engine import Sampling
from llmos.kernel.lean import Lean
from llmos.kernel.local import load_net
from llmos.kernel.matrix import Matrix
from llmos.kernel.shape import Shape

STRETCHED = {
    "rope_type": "llama3",
    "rope_theta": 1e4,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("Llama", {}),
    ("Llama", {"attention_bias": True, "num_key_value_heads": 4, "tie_word_embeddings": True}),
    ("Llama", {"rope_parameters": STRETCHED}),
    ("Mistral", {"sliding_window": None}),
    ("Qwen2", {"tie_word_embeddings": True}),
    ("Qwen3", {"head_dim": 24, "num_key_value_heads": 1}),
]
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("Mistral", {"sliding_window": 16}),
    ("Llama", {"mlp_bias": True}),
    ("Llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}}),
]


def theirs(kind: str, more: dict[str, Any], folder: Path) -> Any:
    """transformers' model with random weights, saved into ``folder``."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    sizes = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}
    model = getattr(transformers, f"{kind}ForCausalLM")(getattr(transformers, f"{kind}Config")(**{**sizes, **more}))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.eval().save_pretrained(folder)
    return model


@pytest.mark.parametrize(("kind", "more"), KINDS, ids=[f"{k} {' '.join(m)}" for k, m in KINDS])
def test_each_architecture_computes_what_transformers_does(kind: str, more: dict[str, Any], tmp_path: Path) -> None:
    model = theirs(kind, more, tmp_path)
    net = load_net(tmp_path, "cpu")
    assert isinstance(net, Lean)
    ids = torch.randint(0, 300, (90,), generator=torch.Generator().manual_seed(2)).tolist()
    with torch.inference_mode():
        wanted = model(torch.tensor([ids])).logits[0]

    def close(got: torch.Tensor, start: int) -> None:
        torch.testing.assert_close(got, wanted[start : start + len(got)], atol=1e-4, rtol=1e-4)

    rows = net.rows()
    row = rows.take()
    close(net.run([Piece(row, ids[:40])], rows)[0], 39)
    close(net.run([Piece(row, ids[40:41])], rows)[0], 40)
    close(net.run([Piece(row, ids[41:60], every=True)], rows)[0], 41)
    # Many in one pass: on a shared path or with all of their own, with one id or several.
    run = rows.read(row, 0, 50, net.dtype)
    halves = (run[..., :20, :].contiguous(), run[..., 20:, :].contiguous())
    own, one, two, three = (rows.take() for _ in range(4))
    rows.append(own, run)
    with torch.inference_mode():
        for at in (50, 51):
            out = net.run(
                [Piece(n, ids[at : at + 1], path) for n, path in ((own, ()), (one, (run,)), (two, halves))]
                + [Piece(three, ids[at + 3 * (at - 50) :][: 4 - (at - 50)], (run,), every=True)],
                rows,
            )
            for logits in out[:3]:
                close(logits, at)
            close(out[3], at + 3 * (at - 50))


@pytest.mark.parametrize(("kind", "more"), OTHERS, ids=[f"{k} {' '.join(m)}" for k, m in OTHERS])
def test_any_other_variant_goes_to_transformers_and_works(kind: str, more: dict[str, Any], tmp_path: Path) -> None:
    model = theirs(kind, more, tmp_path)
    net = load_net(tmp_path, "cpu")
    assert net.info.notes[0] == "transformers"
    prompt = list(range(20, 60))
    made = model.generate(torch.tensor([prompt]), max_new_tokens=5, do_sample=False, eos_token_id=None, pad_token_id=0)
    steps = TorchEngine(net).open(prompt).decode(Sampling(max_tokens=5))
    assert [s.token for s in steps] == made[0, 40:].tolist()


def test_what_is_not_llama_like_is_refused() -> None:
    with pytest.raises(ValueError, match="no lean forward for gpt2"):
        Shape.of({"model_type": "gpt2"})


def test_attention_in_parts_is_attention_over_all() -> None:
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, 8, generator=random) for n in (3, 50, 50))
    parts = [attend(q, k[:, a:b], v[:, a:b]) for a, b in ((0, 7), (7, 30), (30, 50))]
    out, total = merge(merge(parts[0], parts[1]), parts[2])
    torch.testing.assert_close(out, torch.nn.functional.scaled_dot_product_attention(q, k, v))
    torch.testing.assert_close(total, (q @ k.transpose(1, 2) / 8**0.5).logsumexp(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("int8", [False, True])
def test_a_matrix_multiplies_however_it_is_kept(dtype: torch.dtype, int8: bool) -> None:
    if int8 and dtype == torch.float32:
        pytest.skip("bytes go with bf16")
    random = torch.Generator().manual_seed(0)
    weight, bias, x, plus = (torch.randn(*s, generator=random).to(dtype) for s in ((48, 32), (48,), (5, 32), (5, 48)))
    wanted = x.float() @ weight.float().t() + bias.float() + plus.float()
    for rows in (1, 5):
        got = Matrix(weight, bias, int8)(x[:rows], plus[:rows])
        torch.testing.assert_close(got.float(), wanted[:rows], atol=0.25 if int8 else 0.1, rtol=0.05)


def test_weights_of_a_byte_each_say_nearly_the_same(qwen3_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = qwen3_folder(tmp_path)
    logits = []
    for int8 in (False, True):
        net = Lean(folder, dtype=torch.bfloat16, int8=int8)
        rows = net.rows()
        logits.append(net.run([Piece(rows.take(), list(range(30)))], rows)[0][0])
    assert net.info.dtype == "int8"
    assert torch.cosine_similarity(logits[0], logits[1], dim=0) > 0.99
