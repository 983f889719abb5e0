"""The fast forward pass for Qwen3 checkpoints: fused matrices, preallocated keys and values, no module overhead.

Computes what ``qwen3.Qwen3`` computes (tests hold it to that), one sequence at a time. Knows nothing of text, sampling
or branches. Source: Qwen3 technical report, arXiv:2505.09388.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor

from llmos.kernel.engine import EngineInfo
from llmos.kernel.errors import ModelError
from llmos.kernel.qwen3 import Qwen3Config, rope_tables

# Below this many parameters one core does all: two are hardly faster, and 18 times slower when another process keeps
# one of them busy (measured: 700 tokens in 2.58 s against 0.14 s), because each small step waits for both.
LIGHT = 60_000_000
# Tokens a forward pass takes at once: bounds the memory of a long prompt.
CHUNK = 512


class LeanStore:
    """Keys and values of ``length`` tokens: a tensor of shape (2, kv heads, room, head_dim) a layer; room doubles."""

    def __init__(self, layers: list[Tensor], length: int = 0) -> None:
        self.layers = layers
        self.length = length

    def reserve(self, length: int) -> None:
        """Make room for ``length`` tokens in all."""
        for n, old in enumerate(self.layers):
            if length > old.shape[2]:
                new = old.new_empty(2, old.shape[1], max(length, 2 * old.shape[2]), old.shape[3])
                new[:, :, : self.length] = old[:, :, : self.length]
                self.layers[n] = new

    def copy(self, length: int) -> "LeanStore":
        """An independent store of the first ``length`` tokens."""
        made = LeanStore([torch.empty_like(t) for t in self.layers], length)
        for new, old in zip(made.layers, self.layers, strict=True):
            new[:, :, :length] = old[:, :, :length]
        return made

    def truncate(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        self.length = min(self.length, length)


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: Tensor  # (heads + 2 kv heads) * head_dim rows, the norm before it folded in
    qk_norm: Tensor  # (heads + kv heads, head_dim)
    out: Tensor
    gate_up: Tensor  # 2 * intermediate rows, the norm before it folded in
    down: Tensor


class Lean:
    """A Qwen3 checkpoint folder, ready to run. Raises ModelError when its files cannot be used.

    ``device`` and ``dtype`` as torch names them; see :func:`choose_dtype` for the default.
    """

    rewindable = True

    def __init__(self, folder: Path, device: str = "cpu", dtype: torch.dtype | None = None) -> None:
        self.config = config = read_config(folder)
        self.cores = cores()
        light = sum(f.stat().st_size for f in folder.glob("*.safetensors")) < 2 * LIGHT
        torch.set_num_threads(1 if light else self.cores)
        with _tensors(folder) as take:
            self.dtype = dtype or choose_dtype(device, take("model.embed_tokens.weight").dtype)
            to: dict[str, Any] = {"device": device, "dtype": self.dtype}
            self.layers = [_layer(take, f"model.layers.{n}.", config, to) for n in range(config.num_hidden_layers)]
            self.embed = take("model.embed_tokens.weight").to(**to)
            self.norm = take("model.norm.weight").to(**to)
            self.head = self.embed if config.tie_word_embeddings else take("lm_head.weight").to(**to)
        cos, sin = rope_tables(config)
        # A half turn of the head's features times this sine is the rotation: the sign lives in the table.
        sin[:, : config.head_dim // 2] *= -1
        self.cos, self.sin = cos.to(**to), sin.to(**to)
        self.scalar_norm = device == "cpu" and self.dtype == torch.float32
        sizes = [t.numel() for one in self.layers for t in (one.qkv, one.out, one.gate_up, one.down)]
        count = sum(sizes) + self.embed.numel() + (0 if config.tie_word_embeddings else self.head.numel())
        kind = str(self.dtype).removeprefix("torch.")
        self.info = EngineInfo(config.vocab_size, config.max_position_embeddings, count, device, kind, ("lean",))

    def store(self, room: int = 512) -> LeanStore:
        """An empty store with room for ``room`` tokens."""
        c = self.config
        shape = (2, c.num_key_value_heads, room, c.head_dim)
        make = range(c.num_hidden_layers)
        return LeanStore([torch.empty(shape, device=self.embed.device, dtype=self.dtype) for _ in make])

    @torch.inference_mode()
    def run(self, ids: Sequence[int], store: LeanStore) -> Tensor:
        """Append one or more ``ids`` to ``store``; the last position's logits, fp32 of shape (vocabulary,), on CPU."""
        if self.embed.device.type == "cpu":
            torch.set_num_threads(1 if self.info.parameters < LIGHT else self.cores)
        store.reserve(store.length + len(ids))
        for i in range(0, len(ids), CHUNK):
            x = self._chunk(torch.tensor(ids[i : i + CHUNK], device=self.embed.device), store)
        return F.linear(self._norm(x[-1:]) * self.norm, self.head)[0].float().cpu()

    def _norm(self, x: Tensor) -> Tensor:
        if self.scalar_norm and x.shape[0] == 1:
            # One dot product and a Python number: a quarter of the time of rms_norm at this size.
            flat = x[0]
            mean = torch.dot(flat, flat).item() / flat.shape[0]
            return x * float((mean + self.config.rms_norm_eps) ** -0.5)
        normed: Tensor = F.rms_norm(x, (x.shape[-1],), None, self.config.rms_norm_eps)
        return normed

    def _chunk(self, ids: Tensor, store: LeanStore) -> Tensor:
        """Features (tokens, hidden) before the final norm; keys and values go into ``store``."""
        c, tokens, start = self.config, len(ids), store.length
        end = start + tokens
        cos, sin = self.cos[start:end, None], self.sin[start:end, None]
        mask = None
        if tokens > 1 and start:
            mask = torch.ones(tokens, end, dtype=torch.bool, device=ids.device).tril(start)
        x: Tensor = self.embed[ids]
        for layer, kv in zip(self.layers, store.layers, strict=True):
            y = self._attend(layer, self._norm(x), kv, (start, end), (cos, sin), mask)
            x = torch.addmm(x, y, layer.out.t())
            gate_up = F.linear(self._norm(x), layer.gate_up)
            inner = F.silu(gate_up[:, : c.intermediate_size]) * gate_up[:, c.intermediate_size :]
            x = torch.addmm(x, inner, layer.down.t())
        # Only now: an interrupted pass leaves the store as it was.
        store.length = end
        return x

    def _attend(
        self,
        layer: _Layer,
        x: Tensor,
        kv: Tensor,
        span: tuple[int, int],
        rope: tuple[Tensor, Tensor],
        mask: Tensor | None,
    ) -> Tensor:
        c, (start, end), (cos, sin) = self.config, span, rope
        heads, groups, tokens = c.num_attention_heads, c.num_key_value_heads, x.shape[0]
        qkv = F.linear(x, layer.qkv).view(tokens, -1, c.head_dim)
        qk: Tensor = F.rms_norm(qkv[:, : heads + groups], (c.head_dim,), None, c.rms_norm_eps) * layer.qk_norm
        qk = torch.addcmul(qk * cos, qk.roll(c.head_dim // 2, -1), sin)
        kv[0, :, start:end] = qk[:, heads:].transpose(0, 1)
        kv[1, :, start:end] = qkv[:, heads + groups :].transpose(0, 1)
        keys, values = kv[:1, :, :end], kv[1:, :, :end]
        if tokens == 1:
            # The heads of a group are as many queries on the same keys.
            q = qk[:, :heads].view(1, groups, -1, c.head_dim)
            one: Tensor = F.scaled_dot_product_attention(q, keys, values)
            return one.reshape(1, -1)
        q = qk[:, :heads].transpose(0, 1)[None]
        y: Tensor = F.scaled_dot_product_attention(
            q, keys, values, attn_mask=mask, is_causal=mask is None, enable_gqa=heads != groups
        )
        joint: Tensor = y[0].transpose(0, 1).reshape(tokens, -1)
        return joint


def _layer(take: Any, name: str, config: Qwen3Config, to: dict[str, Any]) -> _Layer:
    def fused(norm: str, *names: str) -> Tensor:
        joint = torch.cat([take(f"{name}{n}.weight") for n in names]).float()
        folded: Tensor = joint * take(f"{name}{norm}.weight").float()
        return folded.to(**to)

    q_norm, k_norm = (take(f"{name}self_attn.{n}_norm.weight").to(**to) for n in "qk")
    return _Layer(
        qkv=fused("input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        qk_norm=torch.cat(
            [q_norm.expand(config.num_attention_heads, -1), k_norm.expand(config.num_key_value_heads, -1)]
        ),
        out=take(f"{name}self_attn.o_proj.weight").to(**to),
        gate_up=fused("post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj"),
        down=take(f"{name}mlp.down_proj.weight").to(**to),
    )


@contextlib.contextmanager
def _tensors(folder: Path) -> Iterator[Any]:
    """A function from a parameter's name to its tensor, mapped from the folder's safetensors files."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"no safetensors in {folder}; llmos loads no other format")
    with contextlib.ExitStack() as stack:
        try:
            opened = [stack.enter_context(safe_open(f, framework="pt")) for f in files]
            where = {name: f for f in opened for name in f.keys()}  # noqa: SIM118 (a safe_open is no mapping)
            yield lambda name: where[name].get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"the weights in {folder} cannot be read: {error}") from error
        except KeyError as error:
            raise ModelError(f"the weights in {folder} lack {error.args[0]}") from error


def read_config(folder: Path) -> Qwen3Config:
    """``config.json`` of a plain Qwen3. Raises ModelError when it cannot be read, ValueError for another model."""
    return Qwen3Config.from_json(read_json(folder / "config.json"))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint. Raises ModelError when there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"not a checkpoint: {path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ModelError(f"not a checkpoint: {path} is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise ModelError(f"not a checkpoint: {path} is not a JSON object")
    return data


def choose_dtype(device: str, stored: torch.dtype) -> torch.dtype:
    """fp32 on CPUs without bf16 arithmetic (there bf16 is emulated, hundreds of times slower), else as stored."""
    if device != "cpu" or stored == torch.float32:
        return stored
    return stored if stored == torch.bfloat16 and _cpu_has_bf16() else torch.float32


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def cores() -> int:
    """Physical cores this process may use."""
    import os

    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed))
