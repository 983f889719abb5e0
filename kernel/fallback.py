"""Any causal checkpoint that transformers knows, as a network for the engine: slower than ``lean``, same answers.

Safetensors only, no remote code. Needs the ``models`` extra. Knows nothing of text, sampling or branches.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llmos.kernel.checkpoint import choose_dtype, cores, read_json
from llmos.kernel.engine import EngineInfo
from llmos.kernel.errors import ModelError

# Tokens a forward pass takes at once: bounds the memory of a long prompt.
CHUNK = 512
# Layers that fold the past into one state, which cannot be taken back.
_ONE_WAY = ("linear_attention", "mamba", "recurrent", "conv")


class TransformersStore:
    """A transformers cache and how many tokens it holds."""

    def __init__(self, cache: Any, length: int = 0) -> None:
        self.cache = cache
        self.length = length

    def copy(self, length: int) -> "TransformersStore":
        """An independent cache of the first ``length`` tokens."""
        made = TransformersStore(copy.deepcopy(self.cache), self.length)
        made.truncate(length)
        return made

    def truncate(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        # Measured by what it holds, not by what we counted: an interrupted pass may have left more.
        surplus = int(self.cache.get_seq_length()) - length
        if surplus > 0:
            self.cache.crop(-surplus)
        self.length = length


class TransformersNet:
    """A checkpoint folder loaded with transformers. Raises ModelError when it, or transformers, cannot be used."""

    def __init__(self, folder: Path, device: str = "cpu", dtype: torch.dtype | None = None) -> None:
        try:
            from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache
            from transformers.utils import logging
        except ImportError as error:
            raise ModelError("this checkpoint needs transformers: pip install 'llmos[models]'") from error
        logging.disable_progress_bar()
        self._cache = DynamicCache
        try:
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            stored = getattr(config, "dtype", None) or torch.float32
            self.dtype = dtype or choose_dtype(device, stored)
            model = AutoModelForCausalLM.from_pretrained(
                folder, config=config, dtype=self.dtype, use_safetensors=True, trust_remote_code=False
            )
        except Exception as error:  # transformers raises whatever it likes for a checkpoint that it cannot read
            line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(f"transformers cannot load {folder}: {line}") from error
        self.model = model.to(device).eval()
        text = config.get_text_config()
        kinds = " ".join(map(str, getattr(text, "layer_types", None) or []))
        self.rewindable = not any(k in f"{kinds} {text.model_type}" for k in _ONE_WAY)
        self.info = EngineInfo(
            vocabulary=int(text.vocab_size),
            context_length=int(getattr(text, "max_position_embeddings", 0) or 4096),
            parameters=sum(p.numel() for p in model.parameters()),
            device=device,
            dtype=str(self.dtype).removeprefix("torch."),
            notes=("transformers", str(config.model_type)),
        )

    def store(self) -> TransformersStore:
        """An empty cache; plain layers even for sliding windows (the mask slides), so that it can be cropped."""
        return TransformersStore(self._cache() if self.rewindable else self._cache(config=self.model.config))

    @torch.inference_mode()
    def run(self, ids: Sequence[int], store: TransformersStore) -> Tensor:
        """Append ``ids`` to ``store``; the last position's logits, fp32 of shape (vocabulary,), on CPU."""
        if self.info.device == "cpu":
            torch.set_num_threads(cores())
        for i in range(0, len(ids), CHUNK):
            piece = torch.tensor([ids[i : i + CHUNK]], device=self.info.device)
            out = self.model(piece, past_key_values=store.cache, use_cache=True, logits_to_keep=1)
            store.length += piece.shape[1]
        logits: Tensor = out.logits[0, -1].float().cpu()
        return logits

    @torch.inference_mode()
    def scores(self, ids: Sequence[int]) -> list[float]:
        """The log-probability (nats) of each id after the first, given those before it."""
        if self.info.device == "cpu":
            torch.set_num_threads(cores())
        told = torch.tensor([ids], device=self.info.device)
        logits = self.model(told, use_cache=False).logits[0, :-1].float()
        found: list[float] = logits.log_softmax(-1).gather(-1, told[0, 1:, None])[:, 0].tolist()
        return found


def is_checkpoint(folder: Path) -> bool:
    """Whether ``folder`` holds a ``config.json`` that names an architecture."""
    return (folder / "config.json").is_file() and "model_type" in read_json(folder / "config.json")
