"""How a fresh model starts: word vectors as the embedding, and attention that already looks back and copies.

Small models need a long while to find the two-step circuit that copies from the context (Olsson et al. 2022,
"In-context learning and induction heads"). Here it is laid into the first two layers: heads of layer 0 bring each
token the ones before it, heads of layer 1 look for the place where the same tokens stood before and bring what came
next. Training takes it from there. In the spirit of Trockman & Kolter 2023, "Mimetic initialization of self-attention
layers".
"""

import torch
from torch import Tensor

from llmos.kernel.qwen3 import Attention, Block, Qwen3

OUTPUT = 3.0  # weight of the last norm: what was copied outweighs what was not
SHARP = 2.0  # weight of the query and key norms where a circuit needs decided attention
NEAR = 4  # rotary frequencies, from the fastest, that tell neighbouring positions apart
MATCH = 32  # head features, of the slowest frequencies, in which tokens are compared whatever their distance


def start(model: Qwen3, words: Tensor, seed: int) -> None:
    """Fill a fresh model's weights in place. ``words`` are the embedding's rows, (vocabulary, hidden)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                p.zero_()
            elif p.ndim == 2:
                p.normal_(std=0.02, generator=generator)
        basis = torch.linalg.qr(torch.randn(words.shape[1], words.shape[1], generator=generator))[0]
        model.model.embed_tokens.weight.copy_(with_constant(words, basis[0]))
        model.model.norm.weight.fill_(OUTPUT)
        look_back(model, basis)
        copy_what_followed(model, basis)


def layer_attention(model: Qwen3, layer: int) -> Attention:
    """The attention of a layer."""
    block = model.model.layers[layer]
    assert isinstance(block, Block)
    return block.self_attn


def with_constant(words: Tensor, direction: Tensor, share: float = 0.4) -> Tensor:
    """The rows with the same component along ``direction``, their lengths kept: what lets a head ignore the token."""
    norms = words.norm(dim=1, keepdim=True)
    rest = words - (words @ direction)[:, None] * direction
    rest = rest * (norms * (1 - share**2) ** 0.5 / rest.norm(dim=1, keepdim=True).clamp(min=1e-6))
    made: Tensor = rest + norms * share * direction
    return made


def codes(basis: Tensor, size: int) -> tuple[Tensor, list[Tensor]]:
    """The directions in which a token is coded, and for each of three places before it where its code is kept.

    Each of shape (size, hidden), rows orthonormal.
    """
    rest = basis[1:]
    room = (rest.shape[0] - size) // 3
    places = [rest[i * room : i * room + min(size, room)] for i in range(3)]
    return rest[-size:], places


def slow(head: int) -> list[int]:
    """The head features that the rotary embedding turns least."""
    half = MATCH // 2
    return [*range(head // 2 - half, head // 2), *range(head - half, head)]


def look_back(model: Qwen3, basis: Tensor) -> None:
    """Layer 0: head h attends to the token h + 1 places back and keeps its code."""
    config, attention = model.config, layer_attention(model, 0)
    size, heads = config.head_dim, min(3, config.num_attention_heads)
    near = [*range(NEAR), *range(size // 2, size // 2 + NEAR)]
    attention.q_norm.weight[near] = attention.k_norm.weight[near] = SHARP
    code, places = codes(basis, size)
    angles = config.rope_theta ** (-torch.arange(NEAR) * 2.0 / size)
    for h in range(heads):
        rows = slice(h * size, (h + 1) * size)
        query, key = torch.zeros(size), torch.zeros(size)
        query[:NEAR] = 1.0
        # A key turned by h + 1 places agrees most with the query that stands as many places on.
        key[:NEAR] = torch.cos((h + 1) * angles)
        key[size // 2 : size // 2 + NEAR] = torch.sin((h + 1) * angles)
        attention.q_proj.weight[rows] = torch.outer(query, basis[0])
        attention.k_proj.weight[rows] = torch.outer(key, basis[0])
        place = places[h]
        attention.v_proj.weight[rows] = code * 0.02
        attention.o_proj.weight[:, rows] = 0.0
        attention.o_proj.weight[:, h * size : h * size + len(place)] = place.T


def copy_what_followed(model: Qwen3, basis: Tensor) -> None:
    """Layer 1: find where the last two tokens stood before, and add the token that followed them to what comes next."""
    config, attention = model.config, layer_attention(model, 1)
    size = config.head_dim
    dims = slow(size)
    attention.q_norm.weight[dims] = attention.k_norm.weight[dims] = SHARP
    code, places = codes(basis, size)
    now, before = 20, MATCH - 20
    width = places[0].shape[0]
    for h in range(config.num_attention_heads):
        rows = slice(h * size, (h + 1) * size)
        query, key = torch.zeros(size, config.hidden_size), torch.zeros(size, config.hidden_size)
        first = torch.tensor([(h * now + i) % width for i in range(now)])
        second = torch.tensor([(h * before + i) % width for i in range(before)])
        query[dims] = torch.cat([code[first], places[0][second]])
        key[dims] = torch.cat([places[0][first], places[1][second]])
        attention.q_proj.weight[rows] = query
        attention.k_proj.weight[rows] = key
        carried = basis[h * size : (h + 1) * size]
        attention.v_proj.weight[rows] = carried * 0.02
        attention.o_proj.weight[:, rows] = 2.0 * carried.T
