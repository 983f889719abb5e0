"""Spells the expression that answers a request, from what the ranker's encoder makes of its words.

A decoder of two layers (Vaswani et al. 2017, "Attention is all you need") that writes operators, names and numbers in
prefix order and so ends by itself (Wang et al. 2018, "Translating a math word problem to an expression tree"). It knows
only plain arithmetic (see arithmetic) and is one of two voices: the examples' votes are the other (see ranker).
Trained with the encoder by ``training.rank``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmos.kernel.arithmetic import TAKES
from llmos.kernel.minilm import HEADS, WIDTH

if TYPE_CHECKING:
    import torch

LAYERS, INNER = 2, 768
LONGEST = 20  # words of an expression
BEAMS = 6
_BEGIN = 0  # the place in the vocabulary of what stands before an expression
_EPSILON = 1e-5


class Solver:
    """The decoder. ``vocabulary``: what it can write, behind a mark for the beginning; ``weights`` by name."""

    def __init__(self, vocabulary: Sequence[str], weights: "Mapping[str, torch.Tensor]") -> None:
        self.vocabulary = list(vocabulary)
        self.places = {word: n for n, word in enumerate(self.vocabulary)}
        self.weights = weights

    @staticmethod
    def fresh(vocabulary: Sequence[str]) -> "dict[str, torch.Tensor]":
        """Weights to train, by name."""
        import torch

        def matrix(rows: int, columns: int, scale: float = 0.05) -> torch.Tensor:
            return torch.randn(rows, columns) * scale

        made = {"words": matrix(len(vocabulary), WIDTH), "places": matrix(LONGEST, WIDTH)}
        shapes = {"qkv": 3 * WIDTH, "out": WIDTH, "query": WIDTH, "held": 2 * WIDTH, "read": WIDTH, "up": INNER}
        for n in range(LAYERS):
            made |= {f"{n}.{name}": matrix(rows, WIDTH) for name, rows in shapes.items()}
            made[f"{n}.down"] = matrix(WIDTH, INNER)
            made |= {f"{n}.norm{k}": torch.ones(WIDTH) for k in (1, 2, 3)}
        made["norm"] = torch.ones(WIDTH)
        return made

    def numbers(self, words: Sequence[str]) -> list[int]:
        """The places of words in the vocabulary; nothing where one is not in it or they are too many."""
        known = [self.places[w] for w in words if w in self.places]
        return known if len(known) == len(words) <= LONGEST else []

    def held(self, states: "torch.Tensor") -> "list[torch.Tensor]":
        """Keys and values of wordpieces, ``(n, pieces, 768)`` for each layer: the same for every word that is said."""
        from torch.nn.functional import linear

        return [linear(states, self.weights[f"{n}.held"]) for n in range(LAYERS)]

    def logits(
        self,
        said: "torch.Tensor",
        states: "torch.Tensor",
        real: "torch.Tensor",
        held: "Sequence[torch.Tensor] | None" = None,
        dropped: float = 0.0,
    ) -> "torch.Tensor":
        """What comes after each word, ``(n, words, vocabulary)``.

        ``said``: places in the vocabulary, ``(n, words)``, the first the beginning; ``states``: the request's
        wordpieces, ``(n, pieces, 384)``; ``real``: which of them are there; ``held``: what :meth:`held` made of them;
        ``dropped``: the share of numbers that are left out while it learns (Srivastava et al. 2014, "Dropout").
        """
        from torch.nn.functional import dropout, gelu, layer_norm, linear, scaled_dot_product_attention

        w, (rows, length) = self.weights, said.shape
        size = WIDTH // HEADS

        def normed(x: "torch.Tensor", name: str) -> "torch.Tensor":
            return layer_norm(x, (WIDTH,), w[name], None, _EPSILON)

        def heads(x: "torch.Tensor") -> "torch.Tensor":
            return x.view(rows, x.shape[1], -1, HEADS, size).permute(2, 0, 3, 1, 4)

        def joined(x: "torch.Tensor") -> "torch.Tensor":
            return x.transpose(1, 2).reshape(rows, length, WIDTH)

        def kept(x: "torch.Tensor") -> "torch.Tensor":
            return dropout(x, dropped) if dropped else x

        states = kept(states)
        x = kept(w["words"][said] + w["places"][:length])
        for n in range(LAYERS):
            query, key, value = heads(linear(normed(x, f"{n}.norm1"), w[f"{n}.qkv"]))
            mixed = scaled_dot_product_attention(query, key, value, is_causal=True)
            x = x + kept(linear(joined(mixed), w[f"{n}.out"]))
            (query,) = heads(linear(normed(x, f"{n}.norm2"), w[f"{n}.query"]))
            key, value = heads(held[n] if held is not None else linear(states, w[f"{n}.held"]))
            mixed = scaled_dot_product_attention(query, key, value, attn_mask=real[:, None, None, :])
            x = x + kept(linear(joined(mixed), w[f"{n}.read"]))
            x = x + kept(linear(kept(gelu(linear(normed(x, f"{n}.norm3"), w[f"{n}.up"]))), w[f"{n}.down"]))
        return linear(normed(x, "norm"), w["words"])

    def likeliest(self, states: "torch.Tensor", names: int, most: int = BEAMS) -> list[tuple[tuple[str, ...], float]]:
        """The likeliest expressions for one request, ``(pieces, 384)``, and their log-probabilities, by beam search.

        ``names``: as many of ``@1``, ``@2``, … can be written.
        """
        import torch

        real = torch.ones(1, len(states), dtype=torch.bool)
        barred = [n for n, w in enumerate(self.vocabulary) if w[0] == "@" and int(w[1:]) > names]
        open_, done = [([_BEGIN], 1, 0.0)], list[tuple[list[int], float]]()
        kept = self.held(states[None])
        for _ in range(LONGEST):
            said = torch.tensor([words for words, _, _ in open_])
            held = [one.expand(len(open_), -1, -1) for one in kept]
            after = self.logits(said, states[None], real.expand(len(open_), -1), held)[:, -1].float()
            after[:, [_BEGIN, *barred]] = -torch.inf
            scores = after.log_softmax(-1)
            values, places = scores.topk(min(most, scores.shape[1]), dim=-1)
            grown = [
                ([*words, place], wanted - 1 + TAKES.get(self.vocabulary[place], 0), score + value)
                for (words, wanted, score), some, at in zip(open_, values.tolist(), places.tolist(), strict=True)
                for value, place in zip(some, at, strict=True)
                if value > -math.inf
            ]
            grown.sort(key=lambda beam: -beam[2])
            done += [(words, score) for words, wanted, score in grown[:most] if not wanted]
            worst = sorted((score for _, score in done), reverse=True)[most - 1 : most]
            open_ = [beam for beam in grown[:most] if beam[1] and (not worst or beam[2] > worst[0])]
            if not open_:
                break
        done.sort(key=lambda beam: -beam[1])
        return [(tuple(self.vocabulary[n] for n in words[1:]), score) for words, score in done[:most]]

    def score(self, states: "torch.Tensor", expressions: Sequence[Sequence[str]]) -> list[float]:
        """The log-probability of each expression for one request; minus infinity for one that cannot be written."""
        import torch

        rows = [self.numbers(words) for words in expressions]
        longest = max(map(len, rows), default=0)
        if not longest:
            return [-float("inf")] * len(rows)
        said = torch.zeros(len(rows), longest, dtype=torch.long)
        for n, row in enumerate(rows):
            said[n, 1 : len(row)] = torch.tensor(row[:-1], dtype=torch.long)
        real = torch.ones(len(rows), len(states), dtype=torch.bool)
        logits = self.logits(said, states[None].expand(len(rows), -1, -1), real).float()
        logits[..., _BEGIN] = -torch.inf
        after = logits.log_softmax(-1)
        return [
            float(sum(after[n, at, place] for at, place in enumerate(row))) if row else -float("inf")
            for n, row in enumerate(rows)
        ]
