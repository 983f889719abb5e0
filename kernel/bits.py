"""Sets of token ids as packed bits, the form in which llguidance and the sampler exchange what is allowed."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.int32]


def pack(ids: Iterable[int], vocabulary: int) -> Bits:
    """Allowed ids as packed bits, int32 of shape (ceil(vocabulary / 32),)."""
    bits = np.zeros(-(-vocabulary // 32) * 32, dtype=np.uint8)
    bits[[i for i in ids if i < vocabulary]] = 1
    packed: Bits = np.packbits(bits, bitorder="little").view(np.int32)
    return packed
