"""Diffusers checkpoints: is one there, may it be loaded, and how it fits into this machine's memory.

Nothing is fetched here (image_fetch's is that) and no code of a checkpoint is run: weights are safetensors alone, a
pipeline and its parts are classes that diffusers and transformers have.
"""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmos.kernel import config
from llmos.kernel.errors import ModelError

EMBEDDED, PAINTER = "embedded", "PainterPipeline"
WEIGHTS = Path(__file__).parent / "weights"  # the embedded painter's, where it is shipped
MODULES = ("diffusers", "transformers", "accelerate")
INSTALL = "pip install 'llmos[image]'"
_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack", ".h5")
_PLAIN_NAME = re.compile(r"[a-z0-9_]+")
_SPARE = 1.3  # times the weights: what the pictures on their way take


def missing() -> str:
    """An empty string where this host can run such checkpoints, else one line with what mends it."""
    lacking = [name for name in MODULES if importlib.util.find_spec(name) is None]
    return f"{', '.join(lacking)} not installed: {INSTALL}" if lacking else ""


def named(given: str | None = None) -> str:
    """The checkpoint that makes pictures: the one that the user named, else the embedded painter where it is shipped,
    else an empty string."""
    return config.image_model(given) or (EMBEDDED if (WEIGHTS / "model_index.json").is_file() else "")


def find(name: str) -> Path:
    """The folder of a checkpoint: ``name`` is one, or a hub name that was fetched before, or ``embedded``. Raises
    ModelError, one line.

    What it holds is checked: a pipeline, of parts that are known, in safetensors.
    """
    folder = WEIGHTS if name == EMBEDDED else Path(name).expanduser()
    if not folder.is_dir():
        if folder.exists() or not is_hub_name(name):
            raise ModelError(f"there is no folder {name}; name a folder or a hub name such as stabilityai/sd-turbo")
        folder = _fetched(name)
    check(folder, name)
    return folder


def is_hub_name(name: str) -> bool:
    """Whether a name is the hub's kind: ``owner/name``."""
    return bool(_HUB.fullmatch(name))


def check(folder: Path, name: str) -> None:
    """Raise ModelError, one line, where this is no pipeline that may be loaded."""
    for part in check_index(folder / "model_index.json", name):
        if not (folder / part).is_dir():
            raise ModelError(f"{name} is broken: its folder {part} is missing; fetch it again")
    pickled = next(_pickled(folder), None)
    if pickled is not None:
        where = pickled.relative_to(folder)
        raise ModelError(f"{name} holds {where}, which could run code; only safetensors are loaded")
    if not any(folder.glob("*/*.safetensors")):
        raise ModelError(f"{name} holds no weights in safetensors; fetch it again or name another")


def check_index(path: Path, name: str) -> list[str]:
    """The parts of a pipeline, by its model_index.json. Raises ModelError, one line, where that may not be loaded."""
    index = _json(path, f"{name} is no diffusers checkpoint: it has no model_index.json")
    parts = {key: value for key, value in index.items() if not key.startswith("_")}
    if not isinstance(index.get("_class_name"), str) or not parts:
        raise ModelError(f"{name} is no diffusers checkpoint: its model_index.json names no pipeline")
    kinds = {key: value for key, value in parts.items() if isinstance(value, list)}  # the others are settings
    for part, kind in kinds.items():
        if len(kind) != 2 or (kind[0] is not None and not _known(kind[0])):
            raise ModelError(f"{name} wants code of its own for its {part}; only diffusers' and transformers' is run")
    return [part for part, kind in kinds.items() if kind[0] is not None]


def load(name: str) -> Any:
    """The text-to-image pipeline, on the best device, with memory saved where it is short. Raises ModelError, one line.

    Nothing is fetched.
    """
    if lacking := missing():
        raise ModelError(lacking)
    folder = find(name)
    hush()
    device, kind = _placed(_size(folder))
    try:
        made = _kind(folder).from_pretrained(
            str(folder),
            dtype=kind,
            variant=_variant(folder),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
        _settle(made, device, _size(folder))
    except (MemoryError, _full()) as error:
        raise ModelError(f"{name} needs more memory than this machine has free") from error
    except Exception as error:  # a broken checkpoint shows as whatever its reader stumbles over
        raise ModelError(f"{name} cannot be loaded: {first_line(error)}") from error
    made.set_progress_bar_config(disable=True)
    return made


def _kind(folder: Path) -> Any:
    """What reads a checkpoint: the painter's own pipeline, or diffusers' for whatever makes pictures of words."""
    if _json(folder / "model_index.json", "")["_class_name"] == PAINTER:
        from llmos.tools.painter import PainterPipeline

        return PainterPipeline
    from diffusers import AutoPipelineForText2Image

    return AutoPipelineForText2Image


def hush() -> None:
    """No bars and no advice on the terminal: what is to be told, the tool tells."""
    from diffusers.utils import logging
    from transformers.utils import logging as more

    for each in (logging, more):
        each.set_verbosity_error()
        each.disable_progress_bar()


def _settle(pipeline: Any, device: str, size: int) -> None:
    """Onto the device; parts one after another where not all fit; where memory is short, pictures decoded in pieces.

    Attention in slices saves memory on Apple's devices alone: elsewhere torch's own never holds all of it.
    """
    if device == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info()
        if size * _SPARE < free:
            pipeline.to("cuda")
        elif size * _SPARE < free * 2:
            pipeline.enable_model_cpu_offload()
        else:
            pipeline.enable_sequential_cpu_offload()
    else:
        pipeline.to(device)
    short = size * 3 > _free()
    if device == "mps" and short:
        pipeline.enable_attention_slicing()
    decoder = getattr(pipeline, "vae", None)
    for saver in ("enable_slicing", "enable_tiling"):
        if hasattr(decoder, saver) and (device == "cuda" or short):
            getattr(decoder, saver)()


def _placed(size: int) -> tuple[str, Any]:
    """The device and the numbers' type: half as long on a GPU, and where whole ones would not fit."""
    import torch

    if torch.cuda.is_available():
        return "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available():
        return "mps", torch.float16
    # A checkpoint of half-length numbers takes twice its size when they are made whole.
    return "cpu", torch.bfloat16 if size * 2 * _SPARE > _free() else torch.float32


def _full() -> type[Exception]:
    """What torch raises where a device has no memory left."""
    import torch

    return torch.OutOfMemoryError


def _free() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _variant(folder: Path) -> str | None:
    """``fp16`` where a checkpoint holds its weights half-length alone."""
    files = [file.name for file in folder.glob("*/*.safetensors")]
    return "fp16" if files and all(".fp16." in name for name in files) else None


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def _fetched(name: str) -> Path:
    """Where the hub's cache has a checkpoint: of what the hub has a part was fetched, so not all of it is asked for."""
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(name, "model_index.json")
    if not isinstance(index, str):
        raise ModelError(f"{name} is not on this machine; fetch it: llmos image use {name}")
    return Path(index).parent


def _known(module: object) -> bool:
    """Whether a part's class is one of diffusers or transformers."""
    if not isinstance(module, str) or not _PLAIN_NAME.fullmatch(module):
        return False
    return module in MODULES[:2] or importlib.util.find_spec(f"diffusers.pipelines.{module}") is not None


def _pickled(folder: Path) -> Iterator[Path]:
    """Weights that are no safetensors, in parts that have no safetensors."""
    for part in sorted(p for p in (folder, *folder.iterdir()) if p.is_dir()):
        files = [p for p in part.iterdir() if p.is_file()]
        if not any(p.suffix == ".safetensors" for p in files):
            yield from (p for p in files if p.suffix in _PICKLED)


def _json(path: Path, told: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(told) from error
    except ValueError as error:
        raise ModelError(f"{path.parent} is broken: {path.name} is no JSON; fetch it again") from error
    return found if isinstance(found, dict) else {}


def first_line(error: Exception) -> str:
    """The first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
