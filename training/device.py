"""Where training runs: on one CUDA GPU where there is one, else on the processor."""

import os
from functools import cache

import torch


@cache
def device() -> torch.device:
    """What models and batches are moved to."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    # Masked attention: cuDNN plans anew for each shape, and fp32 products need no more than what tf32 keeps.
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")


def accelerated() -> bool:
    """Whether that is a GPU."""
    return device().type == "cuda"


def writers() -> int:
    """Processes that make dialogues; their number changes which ones are made."""
    return max(2, (os.cpu_count() or 2) - 2) if accelerated() else 2


def moved(tensor: torch.Tensor) -> torch.Tensor:
    """A batch's tensor on the device, without waiting for what the device still does."""
    return tensor.pin_memory().to(device(), non_blocking=True) if accelerated() else tensor
