"""Word statistics as a start for the embedding: PPMI co-occurrence of tokens, reduced by SVD.

A small model sees too little text in its training time to learn which words are alike; counting sees the whole
corpus in a minute. Source: Levy & Goldberg 2014, "Neural word embedding as implicit matrix factorization".
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from llmos.training.corpus import SHARES, documents, packaged_text, plain_text
from llmos.training.device import device


def corpus_ids(tokenizer: Tokenizer, corpus: Path | None, seed: int) -> NDArray[np.uint16]:
    """All token ids of the corpus in one array, files one after the other."""
    texts = packaged_text()
    for name in SHARES if corpus is not None else ():
        assert corpus is not None
        texts += [plain_text(doc) for doc in documents(corpus, name, seed)]
    parts = []
    for i in range(0, len(texts), 4096):
        for encoding in tokenizer.encode_batch_fast(texts[i : i + 4096], add_special_tokens=False):
            parts.append(np.array(encoding.ids, dtype=np.uint16))
    return np.concatenate(parts)


def cooccurrence(ids: NDArray[np.uint16], vocabulary: int, window: int = 4) -> NDArray[np.float32]:
    """Symmetric counts of shape (vocabulary, vocabulary), nearer neighbours weighing more (1/distance)."""
    size = vocabulary * vocabulary
    counts = torch.zeros(size, device=device())
    for start in range(0, len(ids), 20_000_000):
        piece = torch.from_numpy(ids[start : start + 20_000_000].astype(np.int64)).to(device())
        for distance in range(1, window + 1):
            pairs = piece[:-distance] * vocabulary + piece[distance:]
            counts += torch.bincount(pairs, minlength=size).float() / distance
    square: NDArray[np.float32] = counts.view(vocabulary, vocabulary).cpu().numpy()
    return square + square.T


def ppmi(counts: NDArray[np.float32], smoothing: float = 0.75) -> NDArray[np.float32]:
    """Positive pointwise mutual information, contexts smoothed by a power (Levy et al. 2015)."""
    rows = counts.sum(1) + 1e-9
    contexts = rows**smoothing
    contexts = contexts / contexts.sum()
    np.divide(counts, rows[:, None], out=counts)
    np.divide(counts, contexts[None, :], out=counts)
    np.maximum(counts, 1.0, out=counts)
    return np.log(counts, out=counts)


def word_vectors(tokenizer: Tokenizer, corpus: Path | None, size: int, seed: int, std: float = 0.02) -> Tensor:
    """Embedding rows of shape (vocabulary, size) with entries of deviation ``std``; tokens never seen get noise."""
    return vectors(corpus_ids(tokenizer, corpus, seed), tokenizer.get_vocab_size(), size, seed, std)


def vectors(ids: NDArray[np.uint16], vocabulary: int, size: int, seed: int, std: float = 0.02) -> Tensor:
    """The same from tokens that are given, in the order of the text."""
    torch.manual_seed(seed)
    matrix = torch.from_numpy(ppmi(cooccurrence(ids, vocabulary)))
    left, values, _ = torch.svd_lowrank(matrix.to(device()), q=size, niter=2)
    found = (left * values.sqrt()).cpu()
    found = found[:, torch.randperm(size)] @ torch.linalg.qr(torch.randn(size, size))[0]
    norms = found.norm(dim=1, keepdim=True)
    unit = torch.where(
        norms > 1e-6, found / norms.clamp(min=1e-6), torch.nn.functional.normalize(torch.randn_like(found))
    )
    scaled: Tensor = unit * std * size**0.5
    return scaled
