"""A prompt as the painter reads it: the states that all-MiniLM gives its wordpieces, and what they say together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmos.kernel.minilm import WIDTH, Embedder

if TYPE_CHECKING:
    from torch import Tensor

LENGTH = 40  # wordpieces of a prompt that are read


def read(prompts: list[str]) -> "tuple[Tensor, Tensor]":
    """The states of the prompts' wordpieces ``(n, longest, 384)``, and which of them are no padding. Raises ModelError
    where the encoder is not installed."""
    import torch

    encoder = Embedder.load()
    with torch.inference_mode():
        states, real = encoder.states(cut(encoder.wordpieces(prompts)))
    return states.clone(), real


def cut(rows: Sequence[list[int]]) -> list[list[int]]:
    """Wordpieces of prompts, at most what the painter reads of each, its end mark kept."""
    return [[*row[: LENGTH - 1], row[-1]] if len(row) > LENGTH else row for row in rows]


def gist(states: "Tensor", real: "Tensor") -> "Tensor":
    """What each prompt says as a whole ``(n, 384)``: the mean of its states, on one scale."""
    from torch.nn.functional import layer_norm

    there = real[..., None].to(states.dtype)
    return layer_norm((states * there).sum(1) / there.sum(1), (WIDTH,))
