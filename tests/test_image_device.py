"""How a checkpoint is fitted into memory, on devices that are not there: what is asked of a pipeline, and how long its
numbers are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmos.kernel.errors import ModelError
from llmos.tools import image_checkpoint

pytestmark = pytest.mark.skipif(
    bool(image_checkpoint.missing()), reason=f"diffusers is not installed: {image_checkpoint.INSTALL}"
)
GB = 10**9


class Pipeline:
    """Keeps what is asked of it, and of its decoder."""

    def __init__(self) -> None:
        self.asked = list[str]()
        self.vae = SimpleNamespace(
            enable_slicing=lambda: self.asked.append("slices"), enable_tiling=lambda: self.asked.append("tiles")
        )

    def to(self, device: str) -> None:
        self.asked.append(device)

    def enable_model_cpu_offload(self) -> None:
        self.asked.append("part by part")

    def enable_sequential_cpu_offload(self) -> None:
        self.asked.append("layer by layer")

    def enable_attention_slicing(self) -> None:
        self.asked.append("attention in slices")

    def set_progress_bar_config(self, **how: object) -> None:
        self.asked.append("no bar")


def host(monkeypatch: pytest.MonkeyPatch, device: str, free: int, memory: int = 64 * GB, bfloat16: bool = True) -> None:
    """A machine with a device of ``free`` bytes, and ``memory`` beside it."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 80 * GB))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: device == "mps")
    monkeypatch.setattr(image_checkpoint, "_free", lambda: memory)


FITS = [
    ("cuda", 80 * GB, 64 * GB, ["cuda", "slices", "tiles"]),
    ("cuda", 12 * GB, 64 * GB, ["part by part", "slices", "tiles"]),
    ("cuda", 6 * GB, 64 * GB, ["layer by layer", "slices", "tiles"]),
    ("mps", 0, 64 * GB, ["mps"]),
    ("mps", 0, 16 * GB, ["mps", "attention in slices", "slices", "tiles"]),
    ("cpu", 0, 64 * GB, ["cpu"]),
    ("cpu", 0, 16 * GB, ["cpu", "slices", "tiles"]),
]


@pytest.mark.parametrize(("device", "free", "memory", "asked"), FITS)
def test_ten_gigabytes_of_weights_are_fitted_into_what_there_is(
    device: str, free: int, memory: int, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import diffusers

    host(monkeypatch, device, free, memory)
    made, given = Pipeline(), dict[str, Any]()

    def read(folder: str, **how: object) -> Pipeline:
        given.update(how)
        return made

    monkeypatch.setattr(image_checkpoint, "find", Path)
    monkeypatch.setattr(image_checkpoint, "_json", lambda path, told: {"_class_name": "FluxPipeline"})
    monkeypatch.setattr(image_checkpoint, "_size", lambda folder: 10 * GB)
    monkeypatch.setattr(diffusers.AutoPipelineForText2Image, "from_pretrained", read)
    assert image_checkpoint.load("somewhere") is made
    assert made.asked == [*asked, "no bar"]
    assert (given["use_safetensors"], given["local_files_only"], given["trust_remote_code"]) == (True, True, False)


@pytest.mark.parametrize(
    ("device", "memory", "bfloat16", "length"),
    [
        ("cuda", 64 * GB, True, "bfloat16"),
        ("cuda", 64 * GB, False, "float16"),
        ("mps", 64 * GB, True, "float16"),
        ("cpu", 64 * GB, True, "float32"),
        ("cpu", 16 * GB, True, "bfloat16"),
    ],
)
def test_numbers_are_half_length_on_a_device_and_where_whole_ones_would_not_fit(
    device: str, memory: int, bfloat16: bool, length: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host(monkeypatch, device, 80 * GB, memory, bfloat16)
    placed, kind = image_checkpoint._placed(10 * GB)
    assert (placed, str(kind)) == (device, f"torch.{length}")


def test_a_device_that_runs_full_while_loading_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import diffusers
    import torch

    def full(folder: str, **how: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20.00 MiB.")

    host(monkeypatch, "cuda", 80 * GB)
    monkeypatch.setattr(image_checkpoint, "find", Path)
    monkeypatch.setattr(image_checkpoint, "_json", lambda path, told: {"_class_name": "FluxPipeline"})
    monkeypatch.setattr(diffusers.AutoPipelineForText2Image, "from_pretrained", full)
    with pytest.raises(ModelError, match="needs more memory than this machine has free") as error:
        image_checkpoint.load(str(tmp_path))
    assert "\n" not in str(error.value)
