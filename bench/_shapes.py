"""Random checkpoints of given shapes, for measuring speed: their words mean nothing, their sizes do."""

import json
from pathlib import Path
from typing import Any

LLAMA_30M: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 8192,
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "dtype": "bfloat16",
}


def write(folder: Path, config: dict[str, Any] = LLAMA_30M) -> Path:
    """A checkpoint folder (bf16, no tokenizer) of a Llama or Qwen3 shape; returns it."""
    import torch
    from safetensors.torch import save_file

    random = torch.Generator().manual_seed(0)

    def matrix(*size: int) -> Any:
        return (torch.randn(*size, generator=random) * 0.02).bfloat16()

    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    width, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    weights = {
        "model.embed_tokens.weight": matrix(config["vocab_size"], hidden),
        "model.norm.weight": torch.ones(hidden).bfloat16(),
    }
    for n in range(config["num_hidden_layers"]):
        name = f"model.layers.{n}."
        sizes = {"q": (width, hidden), "k": (kv, hidden), "v": (kv, hidden), "o": (hidden, width)}
        weights |= {f"{name}self_attn.{k}_proj.weight": matrix(*size) for k, size in sizes.items()}
        weights |= {f"{name}mlp.{k}_proj.weight": matrix(inner, hidden) for k in ("gate", "up")}
        weights[f"{name}mlp.down_proj.weight"] = matrix(hidden, inner)
        norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden}
        if config["model_type"] == "qwen3":
            norms |= {"self_attn.q_norm": head, "self_attn.k_norm": head}
        weights |= {f"{name}{k}.weight": torch.ones(size).bfloat16() for k, size in norms.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
