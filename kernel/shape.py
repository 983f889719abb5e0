"""The sizes of a Llama-like checkpoint, as the lean forward pass needs them. Knows nothing of weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llmos.kernel.checkpoint import read_json

# Architectures that differ from one another by biases and by a norm on queries and keys alone.
KINDS = ("llama", "mistral", "qwen2", "qwen3")


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes in features, lengths in tokens. ``scaling``: the rope parameters where they are Llama 3's."""

    kind: str
    vocabulary: int
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    window: int
    eps: float
    tied: bool
    qkv_bias: bool
    out_bias: bool
    theta: float
    scaling: Mapping[str, Any] | None = None

    @property
    def qk_norm(self) -> bool:
        """Whether each head's queries and keys are normed."""
        return self.kind == "qwen3"

    @classmethod
    def read(cls, folder: Path) -> "Shape":
        """Of a folder's ``config.json``. Raises ModelError when it cannot be read, ValueError for what is not lean."""
        return cls.of(read_json(folder / "config.json"))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Shape":
        """Of a parsed ``config.json``. Raises ValueError for an architecture, or a variant, that is not known here."""
        kind = data.get("model_type")
        if kind not in KINDS or data.get("hidden_act", "silu") != "silu" or data.get("mlp_bias"):
            raise ValueError(f"no lean forward for {kind}")
        slides = data.get("sliding_window") and (kind == "mistral" or data.get("use_sliding_window"))
        if slides or "quantization_config" in data:
            raise ValueError("sliding windows and quantised weights have no lean forward")
        rope = data.get("rope_parameters") or data.get("rope_scaling") or {}
        scaled = rope.get("rope_type", rope.get("type", "default"))
        if scaled not in ("default", "llama3"):
            raise ValueError(f"no lean forward for {scaled} positions")
        heads = data["num_attention_heads"]
        bias = bool(data.get("attention_bias"))
        return cls(
            kind=kind,
            vocabulary=data["vocab_size"],
            hidden=data["hidden_size"],
            inner=data["intermediate_size"],
            layers=data["num_hidden_layers"],
            heads=heads,
            kv_heads=data.get("num_key_value_heads") or heads,
            head_dim=data.get("head_dim") or data["hidden_size"] // heads,
            window=data["max_position_embeddings"],
            eps=data["rms_norm_eps"],
            # Absent, it is what transformers takes for this kind.
            tied=bool(data.get("tie_word_embeddings", False)),
            qkv_bias=kind == "qwen2" or bias,
            out_bias=kind in ("llama", "qwen3") and bias,
            theta=float(rope.get("rope_theta") or data.get("rope_theta") or 10000.0),
            scaling=rope if scaled == "llama3" else None,
        )


def rope_tables(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosine and sine tables of shape (window, head_dim) in fp32. The first half of the sines is negative.

    With that a rotation is ``x * cos + roll(x, half) * sin``.
    """
    angles = torch.outer(torch.arange(shape.window).float(), frequencies(shape))
    return torch.cat((angles, angles), -1).cos(), torch.cat((-angles, angles), -1).sin()


def frequencies(shape: Shape) -> Tensor:
    """By how many radians each pair of features turns from one position to the next, (head_dim / 2,) in fp32."""
    plain = _plain(shape)
    return plain if shape.scaling is None else _stretched(plain, shape.scaling)


def rope_factors(shape: Shape) -> Tensor:
    """By how much each frequency is slowed, (head_dim / 2); ones without scaling."""
    return _plain(shape) / frequencies(shape)


def _plain(shape: Shape) -> Tensor:
    return 1.0 / shape.theta ** (torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)


def _stretched(inverse: Tensor, scaling: Mapping[str, Any]) -> Tensor:
    """Llama 3's frequencies: slow ones slowed by ``factor``, fast ones as they are, a smooth way between."""
    old = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = old * inverse / (2 * math.pi)
    smooth = ((turns - low) / (high - low)).clamp(0, 1)
    slowed: Tensor = inverse * (smooth + (1 - smooth) / scaling["factor"])
    return slowed
