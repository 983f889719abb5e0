"""A prompt as the painter reads it: what goes without saying is added; then the states that all-MiniLM gives its
wordpieces, and what they say together."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmos.kernel.minilm import WIDTH, Embedder

if TYPE_CHECKING:
    from torch import Tensor

LENGTH = 40  # wordpieces of a prompt that are read

# What is said of the sky makes a landscape of a picture, and the painter was told of each where it is and when.
_MOON = re.compile(r"\b(?:under|beneath|below|with|by|in) (?:(?:a|the) )?(?:(?:full|crescent) )?(?:moon|moonlight)\b")
_SKY = re.compile(
    r"\b(?:at|by|in) (?:the )?(?:night|sunset|sunrise|dusk|dawn|evening|morning|midnight|daylight|day)\b|\bsky\b"
    r"|\bin the rain\b|\bit (?:rains|snows)\b|\bsnow falling\b|\bwith clouds\b|\b(?:with|under|in) the sun\b"
)
_NIGHT = re.compile(r"\b(?:night|midnight|sunset|sunrise|dusk|dawn|evening|morning|day|daylight)\b")
_PLACE = re.compile(
    r"\b(?:sea|ocean|coast|beach|shore|water|lake|harbou?r|meadow|fields?|grass|hills?|desert|dunes?|in the snow|snowy"
    r"|mountains?|city|town|skyline|street|forest|woods?|landscape|view|garden|park|island|road|space)\b"
)
_AT_HOME = (
    (re.compile(r"\b(?:lighthouse|boat|ship|sailboat|fish)\b"), "by the sea"),
    (re.compile(r"\bcactus\b"), "in the desert"),
    (re.compile(r"\bsnowman\b"), "in the snow"),
    (re.compile(r""), "in the hills"),
)


def completed(prompt: str) -> str:
    """The prompt, and where it tells of the sky, also the place and the night that it leaves unsaid."""
    words = prompt.lower()
    moon = _MOON.search(words)
    if not (moon or _SKY.search(words)):
        return prompt
    more = [] if _PLACE.search(words) else [next(place for thing, place in _AT_HOME if thing.search(words))]
    if moon and not _NIGHT.search(words):
        more.append("at night")
    return " ".join((prompt, *more))


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
