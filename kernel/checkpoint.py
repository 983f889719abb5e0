"""The files of a checkpoint: JSON, tensors mapped from safetensors, and in what precision to compute.

Knows nothing of architectures. No other weight format is read: others can hold code.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from llmos.kernel.errors import ModelError

# Microseconds of all cores that may be used in a period of so many.
QUOTA = Path("/sys/fs/cgroup/cpu.max")


@contextlib.contextmanager
def tensors(folder: Path) -> Iterator[Callable[[str], Tensor]]:
    """A function from a parameter's name to its tensor, mapped from the folder's safetensors files."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"no safetensors in {folder}; llmos loads no other format")
    with contextlib.ExitStack() as stack:
        try:
            opened = [stack.enter_context(safe_open(f, framework="pt")) for f in files]
            where = {name: f for f in opened for name in f.keys()}  # noqa: SIM118 (a safe_open is no mapping)
            yield lambda name: where[name].get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"the weights in {folder} cannot be read: {error}") from error
        except KeyError as error:
            raise ModelError(f"the weights in {folder} lack {error.args[0]}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint. Raises ModelError when there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"not a checkpoint: {path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ModelError(f"not a checkpoint: {path} is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise ModelError(f"not a checkpoint: {path} is not a JSON object")
    return data


def choose_dtype(device: str, stored: torch.dtype) -> torch.dtype:
    """fp32 on CPUs without bf16 arithmetic (there bf16 is emulated, hundreds of times slower), else as stored."""
    if device != "cpu" or stored == torch.float32:
        return stored
    return stored if stored == torch.bfloat16 and cpu_has_bf16() else torch.float32


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 numbers itself."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def cores() -> int:
    """Physical cores this process may use: at most ``OMP_NUM_THREADS``, and a container's share, where it is set."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    limit = int(wanted) if wanted.isdigit() and int(wanted) else allowed
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed, limit, _share() or allowed))


def _share() -> int:
    """Cores whose time a container may use, rounded up; 0 without a limit. Threads beyond that use it up by waiting."""
    try:
        time, period = QUOTA.read_text(encoding="ascii").split()
        return -(-int(time) // int(period))
    except (OSError, ValueError):  # "max" is no number
        return 0
