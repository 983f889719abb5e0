"""A weight matrix in the form in which this machine multiplies it fastest. Knows nothing of layers or models."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class Matrix:
    """Calling it multiplies features (tokens, in) to (tokens, out), plus ``plus``, a tensor of that shape.

    On a CPU the weight is laid out once for the kernel that reads it (a third to a half of the time of a plain
    product with one token). ``int8`` keeps bf16's range in half the bytes, a scale a row: faster where memory is what
    one waits for, and not the same numbers.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, int8: bool = False) -> None:
        self.bias = bias
        self.size = weight.numel()
        self._weight: Any = weight
        self._scale: Tensor | None = None
        self._packed = False
        if int8:
            scale = weight.float().abs().amax(1).clamp_min(1e-12) / 127
            self._weight = (weight.float() / scale[:, None]).round().to(torch.int8).contiguous()
            self._scale = scale.to(weight.dtype)
        elif weight.device.type == "cpu" and _packs(weight.dtype):
            self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), 1)
            self._packed = True

    @property
    def plain(self) -> bool:
        """Whether it is kept as torch has it: (out, in), in its own precision."""
        return not self._packed and self._scale is None

    @property
    def weight(self) -> Tensor:
        """As it is kept."""
        kept: Tensor = self._weight
        return kept

    def __call__(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        made: Tensor
        if self._packed:
            op = torch.ops.mkldnn._linear_pointwise
            if plus is None:
                made = op.default(x, self._weight, self.bias, "none", [], "")
            else:
                made = op.binary(x, plus, self._weight, self.bias, "add")
            return made
        if self._scale is not None:
            made = torch._weight_int8pack_mm(x, self._weight, self._scale)
            made = made if self.bias is None else made + self.bias
        else:
            made = F.linear(x, self._weight, self.bias)
        return made if plus is None else made + plus


_works: dict[torch.dtype, bool] = {}


def _packs(dtype: torch.dtype) -> bool:
    """Whether this build of torch has the packed product for ``dtype``, and it is right: tried once."""
    if dtype not in _works:
        try:
            weight, x = torch.randn(16, 8).to(dtype), torch.randn(3, 8).to(dtype)
            packed = torch.ops.mkldnn._reorder_linear_weight(weight, 1)
            got = torch.ops.mkldnn._linear_pointwise.binary(x, torch.ones(3, 16, dtype=dtype), packed, None, "add")
            _works[dtype] = torch.allclose(got, F.linear(x, weight) + 1, atol=0.1, rtol=0.1)
        except (RuntimeError, AttributeError):
            _works[dtype] = False
    return _works[dtype]
