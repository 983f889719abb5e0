"""The fast forward pass for Llama-like checkpoints: fused matrices, preallocated keys and values, no module overhead.

Takes Llama, Mistral without a sliding window, Qwen2 and Qwen3; computes what transformers computes for them (tests hold
it to that), for many branches in one pass. Knows nothing of text, sampling or the ids that branches share.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from llmos.kernel.attend import Piece, Plan
from llmos.kernel.checkpoint import choose_dtype, cores, tensors
from llmos.kernel.engine import EngineInfo
from llmos.kernel.matrix import Matrix
from llmos.kernel.native import LEVELS, Library, library
from llmos.kernel.native_net import NativeNet, Weights, suits
from llmos.kernel.rows import Rows
from llmos.kernel.shape import Shape, rope_tables
from llmos.kernel.steady import Steady, Still, recorder

# Below this many parameters one core does all, and below so many times the tokens of a pass: two are hardly faster, and
# 18 times slower when another process keeps one of them busy (measured: 700 tokens in 2.58 s against 0.14 s), as each
# small step waits for both.
SMALL, WORK = 15_000_000, 400_000_000
# Compiled kernels that oneDNN keeps: those of single tokens, and of the last few lengths of a prompt.
KERNELS = "24"


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: Matrix  # (heads + 2 kv heads) * head_dim rows, the norm before it folded in
    qk_norm: Tensor | None  # (heads + kv heads, head_dim)
    out: Matrix
    gate_up: Matrix  # 2 * inner rows, the norm before it folded in
    down: Matrix


class Lean:
    """A checkpoint folder, ready to run. Raises ModelError when its files cannot be used, ValueError for other kinds.

    ``device`` and ``dtype`` as torch names them; see :func:`~llmos.kernel.checkpoint.choose_dtype` for the default.
    ``int8`` halves the bytes of bf16 weights, at a small loss.
    """

    rewindable = True

    def __init__(self, folder: Path, device: str = "cpu", dtype: torch.dtype | None = None, int8: bool = False) -> None:
        shape = Shape.read(folder)
        with tensors(folder) as take:
            self._load(shape, take, device, dtype, int8)

    @classmethod
    def of(
        cls, shape: Shape, take: Callable[[str], Tensor], device: str = "cpu", dtype: torch.dtype | None = None
    ) -> "Lean":
        """A network of that shape; ``take`` gives a parameter by its name in a checkpoint."""
        made = cls.__new__(cls)
        made._load(shape, take, device, dtype, int8=False)
        return made

    def _load(
        self, shape: Shape, take: Callable[[str], Tensor], device: str, dtype: torch.dtype | None, int8: bool
    ) -> None:
        self.shape, self.cores = shape, cores()
        embed = take("model.embed_tokens.weight")
        self.dtype = torch.bfloat16 if int8 else dtype or choose_dtype(device, embed.dtype)
        if device == "cpu" and self.dtype == torch.bfloat16:
            keep_few_kernels()
        load = _Loader(take, shape, device, self.dtype, int8)
        self.embed = load.cast(embed)
        found = library() if device == "cpu" and self.dtype == torch.bfloat16 and not int8 and suits(shape) else None
        self.native = None if found is None else load.native(found, self.embed)
        if self.native is None:
            self.layers = [load.layer(f"model.layers.{n}.") for n in range(shape.layers)]
            self.norm, self.head = load.tensor("model.norm.weight"), load.matrix(load.head, bias=False)
            self.cos, self.sin = (t.to(device=device, dtype=self.dtype) for t in rope_tables(shape))
        # On a CPU torch's attention in bf16 takes five times as long as in fp32; the numbers it is given are the same.
        self.kv_dtype = torch.float32 if device == "cpu" and self.native is None else self.dtype
        self._scalar_norm = device == "cpu"
        # Without a graph, a device waits for Python more than it computes.
        self.steady = Steady(self, recorder()) if self.embed.is_cuda else None
        kind = "int8" if int8 else str(self.dtype).removeprefix("torch.")
        notes = ("lean", shape.kind, *(() if found is None else (f"native {LEVELS[found.level]}",)))
        self.info = EngineInfo(shape.vocabulary, shape.window, parameters(shape), device, kind, notes)

    @property
    def exact(self) -> bool:
        """Whether a token's logits are the same, to the bit, whatever else a pass computes."""
        return self.native is not None

    def rows(self) -> Rows:
        """Room for the keys and values of branches."""
        return Rows(self.shape, str(self.embed.device), self.kv_dtype)

    @torch.inference_mode()
    def run(self, pieces: Sequence[Piece], rows: Rows) -> list[Tensor]:
        """Append each piece's ids to its row; its logits, fp32, (1 or as many as its ids, vocabulary).

        An interrupted pass leaves ``rows`` as they were.
        """
        if self.steady is not None and (found := self.steady.run(pieces, rows)) is not None:
            for piece in pieces:
                rows.lengths[piece.row] += 1
            return list(torch.split(found, 1))
        if self.native is not None:
            made = self.native.run(pieces, rows, self.cores)
            for piece in pieces:
                rows.lengths[piece.row] += len(piece.ids)
            return made
        plan = Plan(pieces, rows, self.embed.device)
        if self.embed.device.type == "cpu":
            light = self.info.parameters < SMALL or self.info.parameters * len(plan.ids) < WORK
            torch.set_num_threads(1 if light else self.cores)
        x = self.body(plan)[plan.wanted]
        logits = self.head(self.normed(x) * self.norm).float()
        for piece, past in zip(pieces, plan.past, strict=True):
            rows.lengths[piece.row] = past + len(piece.ids)
        return list(torch.split(logits, plan.counts))

    def body(self, plan: Plan | Still) -> Tensor:
        """Features (tokens, hidden) before the final norm; keys and values go into the plan's rows."""
        inner = self.shape.inner
        cos, sin = self.cos[plan.positions][:, None], self.sin[plan.positions][:, None]
        x: Tensor = self.embed[plan.ids]
        for n, layer in enumerate(self.layers):
            y = self._attend(n, layer, self.normed(x), (cos, sin), plan)
            x = layer.out(y, x)
            gate_up = layer.gate_up(self.normed(x))
            x = layer.down(F.silu(gate_up[:, :inner]) * gate_up[:, inner:], x)
        return x

    def _attend(self, n: int, layer: _Layer, x: Tensor, rope: tuple[Tensor, Tensor], plan: Plan | Still) -> Tensor:
        shape, (cos, sin) = self.shape, rope
        qkv = layer.qkv(x).view(x.shape[0], -1, shape.head_dim)
        qk = qkv[:, : shape.heads + shape.kv_heads]
        if layer.qk_norm is not None:
            qk = F.rms_norm(qk, (shape.head_dim,), None, shape.eps) * layer.qk_norm
        qk = torch.addcmul(qk * cos, qk.roll(shape.head_dim // 2, -1), sin)
        return plan.attend(n, qk, qkv[:, shape.heads + shape.kv_heads :])

    def normed(self, x: Tensor) -> Tensor:
        """Through RMSNorm without a weight."""
        if self._scalar_norm and x.shape[0] == 1:
            # One dot product and a Python number: less than half the time of rms_norm at this size.
            flat = x[0].float()
            mean = torch.dot(flat, flat).item() / flat.shape[0]
            return x * float((mean + self.shape.eps) ** -0.5)
        normed: Tensor = F.rms_norm(x, (x.shape[-1],), None, self.shape.eps)
        return normed


def keep_few_kernels() -> None:
    """Have oneDNN keep few of the kernels that it compiles, unless the environment says how many. Before the first use.

    In bf16 it compiles some for each length of a prompt, of half a megabyte each, and keeps a thousand for each thread.
    """
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(name, KERNELS)


class _Loader:
    """Takes a checkpoint's tensors and joins them as a pass wants them."""

    def __init__(
        self, take: Callable[[str], Tensor], shape: Shape, device: str, dtype: torch.dtype, int8: bool
    ) -> None:
        self._take, self._shape, self._device, self._dtype, self._int8 = take, shape, device, dtype, int8

    def tensor(self, name: str) -> Tensor:
        """One tensor, where and as it is computed with."""
        return self.cast(self._take(name))

    @property
    def head(self) -> str:
        """The name of the last matrix."""
        return "model.embed_tokens" if self._shape.tied else "lm_head"

    def matrix(self, *names: str, bias: bool, norm: str = "") -> Matrix:
        """Matrices one below the other, the norm before them folded in."""
        return Matrix(*self.joint(*names, bias=bias, norm=norm), self._int8)

    def joint(self, *names: str, bias: bool = False, norm: str = "") -> tuple[Tensor, Tensor | None]:
        """As :meth:`matrix`, the weight and the bias."""
        joint = [self._take(f"{name}.weight") for name in names]
        whole = joint[0] if len(joint) == 1 else torch.cat(joint)
        if norm:
            whole = whole.float() * self._take(f"{norm}.weight").float()
        added = torch.cat([self._take(f"{name}.bias") for name in names]) if bias else None
        return self.cast(whole), None if added is None else self.cast(added)

    def cast(self, tensor: Tensor) -> Tensor:
        """Where and as it is computed with."""
        return tensor.to(device=self._device, dtype=self._dtype)

    def layer(self, name: str) -> _Layer:
        """The layer whose parameters begin with ``name``."""
        shape, attention = self._shape, f"{name}self_attn."
        qk_norm = None
        if shape.qk_norm:
            q, k = (self.tensor(f"{attention}{n}_norm.weight") for n in "qk")
            qk_norm = torch.cat([q.expand(shape.heads, -1), k.expand(shape.kv_heads, -1)])
        projections = [f"{attention}{n}_proj" for n in "qkv"]
        return _Layer(
            qkv=self.matrix(*projections, bias=shape.qkv_bias, norm=f"{name}input_layernorm"),
            qk_norm=qk_norm,
            out=self.matrix(f"{attention}o_proj", bias=shape.out_bias),
            gate_up=self.matrix(
                f"{name}mlp.gate_proj", f"{name}mlp.up_proj", bias=False, norm=f"{name}post_attention_layernorm"
            ),
            down=self.matrix(f"{name}mlp.down_proj", bias=False),
        )

    def native(self, library: Library, embed: Tensor) -> NativeNet:
        """The network packed for the native library."""
        layers = (self._weights(f"model.layers.{n}.") for n in range(self._shape.layers))
        norm, (head, _) = self.tensor("model.norm.weight"), self.joint(self.head)
        return NativeNet(library, self._shape, embed, layers, norm, head)

    def _weights(self, name: str) -> Weights:
        shape, attention, inner = self._shape, f"{name}self_attn.", f"{name}post_attention_layernorm"
        projections = [f"{attention}{n}_proj" for n in "qkv"]
        norms = [self.tensor(f"{attention}{n}_norm.weight") if shape.qk_norm else None for n in "qk"]
        gate, up, down = (self.joint(f"{name}mlp.{n}_proj", norm=inner if n != "down" else "")[0] for n in _MLP)
        return Weights(
            self.joint(*projections, bias=shape.qkv_bias, norm=f"{name}input_layernorm"),
            self.joint(f"{attention}o_proj", bias=shape.out_bias),
            *(gate, up, down),
            *norms,
        )


_MLP = ("gate", "up", "down")


def parameters(shape: Shape) -> int:
    """Numbers in the matrices of a network."""
    heads, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    layer = shape.hidden * (2 * heads + 2 * kv + 3 * shape.inner)
    return shape.layers * layer + shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
