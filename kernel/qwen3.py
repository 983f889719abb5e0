"""The Qwen3 architecture as a lean torch module: trained by ``training``, run by ``local``.

Parameter names are those of the transformers checkpoint, so safetensors load as they are. Knows nothing of text,
sampling or sessions. Source: Qwen3 technical report, arXiv:2505.09388 (RMSNorm, SwiGLU, RoPE, per-head QK norm).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Qwen3Config:
    """The sizes of a Qwen3 checkpoint (a subset of its ``config.json``); lengths in tokens, sizes in features."""

    vocab_size: int = 8192
    hidden_size: int = 256
    intermediate_size: int = 704
    num_hidden_layers: int = 8
    num_attention_heads: int = 4
    num_key_value_heads: int = 4
    head_dim: int = 64
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = True

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Qwen3Config":
        """Read a ``config.json``. Raises ValueError when it is not a plain Qwen3."""
        if data.get("model_type") != "qwen3" or data.get("use_sliding_window") or data.get("attention_bias"):
            raise ValueError("not a plain Qwen3 checkpoint")
        names = {f.name for f in fields(cls)}
        values = {k: v for k, v in data.items() if k in names}
        rope = data.get("rope_parameters") or data.get("rope_scaling") or {}
        if rope.get("rope_type", "default") != "default":
            raise ValueError("Qwen3 with scaled RoPE")
        if "rope_theta" in rope:
            values["rope_theta"] = float(rope["rope_theta"])
        values.setdefault("head_dim", data["hidden_size"] // data["num_attention_heads"])
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """The ``config.json`` that transformers and vLLM read."""
        extra = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_act": "silu"}
        rope = {"rope_type": "default", "rope_theta": self.rope_theta}
        return {**extra, **asdict(self), "rope_parameters": rope, "attention_bias": False, "use_cache": True}


class KVCache:
    """Keys and values of the tokens seen: per layer two tensors of shape (batch, kv heads, room, head_dim).

    ``length`` tokens are filled. ``room`` grows by doubling, so that appending is cheap.
    """

    def __init__(self, config: Qwen3Config, batch: int = 1, room: int = 256) -> None:
        shape = (batch, config.num_key_value_heads, room, config.head_dim)
        layers = range(config.num_hidden_layers)
        self.keys = [torch.empty(shape) for _ in layers]
        self.values = [torch.empty(shape) for _ in layers]
        self.length = 0

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store new tokens' keys and values; return all of the layer's so far (:meth:`advance` moves ``length``)."""
        end = self.length + key.shape[2]
        if end > self.keys[layer].shape[2]:
            self._grow(layer, end)
        self.keys[layer][:, :, self.length : end] = key
        self.values[layer][:, :, self.length : end] = value
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]

    def advance(self, tokens: int) -> None:
        """Count the tokens that every layer has stored."""
        self.length += tokens

    def truncate(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        self.length = min(self.length, length)

    def _grow(self, layer: int, needed: int) -> None:
        for store in (self.keys, self.values):
            old = store[layer]
            new = old.new_empty(old.shape[0], old.shape[1], max(needed, 2 * old.shape[2]), old.shape[3])
            new[:, :, : self.length] = old[:, :, : self.length]
            store[layer] = new


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last dimension."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding of (batch, heads, tokens, head_dim) by tables of shape (tokens, head_dim)."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


class Attention(nn.Module):
    """Causal self-attention with grouped keys and values and per-head QK norm."""

    def __init__(self, config: Qwen3Config, layer: int) -> None:
        super().__init__()
        self.layer, self.config = layer, config
        width, kv = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, width, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, kv, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, kv, bias=False)
        self.o_proj = nn.Linear(width, config.hidden_size, bias=False)
        self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None, mask: Tensor | None = None) -> Tensor:
        batch, tokens, _ = x.shape
        split = (batch, tokens, -1, self.config.head_dim)
        q = rotate(self.q_norm(self.q_proj(x).view(split)).transpose(1, 2), cos, sin)
        k = rotate(self.k_norm(self.k_proj(x).view(split)).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(split).transpose(1, 2)
        past = 0
        if cache is not None:
            past = cache.length
            k, v = cache.append(self.layer, k, v)
        if past and tokens > 1:
            mask = torch.ones(tokens, past + tokens, dtype=torch.bool, device=x.device).tril(past)
        grouped = k.shape[1] != q.shape[1]
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=tokens > 1 and mask is None, enable_gqa=grouped
        )
        out: Tensor = self.o_proj(y.transpose(1, 2).reshape(batch, tokens, -1))
        return out


class MLP(nn.Module):
    """SwiGLU feed-forward."""

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    """One layer: attention and feed-forward, each behind a norm, each added to the residual stream."""

    def __init__(self, config: Qwen3Config, layer: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config, layer)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None, mask: Tensor | None = None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, cache, mask)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Trunk(nn.Module):
    """Embedding, layers and final norm (``model.`` in the checkpoint)."""

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Qwen3(nn.Module):
    """A causal language model. ``forward`` maps ids (batch, tokens) to logits (batch, tokens, vocabulary).

    With a cache, ``ids`` continue the ``cache.length`` tokens already stored, and ``last`` computes only the last
    position's logits. ``hidden`` gives the normed features instead, for losses over a few positions.
    """

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        self.config = config
        self.model = Trunk(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        cos, sin = rope_tables(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.cos: Tensor
        self.sin: Tensor

    def hidden(
        self, ids: Tensor, cache: KVCache | None = None, mask: Tensor | None = None, position: Tensor | None = None
    ) -> Tensor:
        """Features after the final norm, of shape (batch, tokens, hidden).

        ``mask`` (batch, 1, tokens, tokens), true where attended, keeps packed documents apart in training;
        ``position`` (batch, tokens) says where in its document each token stands.
        """
        past = cache.length if cache is not None else 0
        tokens = ids.shape[1]
        if position is None:
            cos, sin = self.cos[past : past + tokens], self.sin[past : past + tokens]
        else:
            cos, sin = self.cos[position][:, None], self.sin[position][:, None]
        x = self.model.embed_tokens(ids)
        for block in self.model.layers:
            x = block(x, cos, sin, cache, mask)
        if cache is not None:
            cache.advance(tokens)
        out: Tensor = self.model.norm(x)
        return out

    def forward(self, ids: Tensor, cache: KVCache | None = None, last: bool = False) -> Tensor:
        x = self.hidden(ids, cache)
        out: Tensor = self.lm_head(x[:, -1:] if last else x)
        return out


def rope_tables(config: Qwen3Config) -> tuple[Tensor, Tensor]:
    """Cosine and sine tables of shape (max positions, head_dim) in fp32."""
    inverse = 1.0 / config.rope_theta ** (torch.arange(0, config.head_dim, 2).float() / config.head_dim)
    angles = torch.outer(torch.arange(config.max_position_embeddings).float(), inverse)
    both = torch.cat((angles, angles), dim=-1)
    return both.cos(), both.sin()
