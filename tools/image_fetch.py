"""Brings a diffusers checkpoint from the hub, when the user names it: nothing else of pictures reaches the network.

What it is, is looked at before its weights are asked for; what was fetched of one that is refused, or that broke off,
is taken out of the hub's cache again. Knows the hub's cache; what may be loaded is image_checkpoint's.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmos.kernel.errors import ModelError
from llmos.tools import image_checkpoint


def fetch(name: str) -> Path:
    """A checkpoint that the user named, from the hub where it is no folder. Raises ModelError, one line; then nothing
    is left of it but what was there before."""
    if Path(name).expanduser().exists() or not image_checkpoint.is_hub_name(name):
        return image_checkpoint.find(name)
    _hush()
    place = _place(name)
    before = _files(place)
    try:
        folder = _downloaded(name)
        image_checkpoint.check(folder, name)
    except BaseException as error:  # Ctrl-C too
        _forget(place, before)
        if isinstance(error, ModelError) or not isinstance(error, Exception):
            raise
        raise ModelError(_told(name, error)) from error
    return folder


def _downloaded(name: str) -> Path:
    """What the hub has, half-length weights where there are no others. Raises whatever its client does."""
    from diffusers import DiffusionPipeline
    from huggingface_hub import hf_hub_download

    image_checkpoint.check_index(Path(hf_hub_download(name, "model_index.json")), name)
    wanted: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False}
    try:
        return Path(DiffusionPipeline.download(name, **wanted))
    except OSError as error:
        if not _unsafe(error):
            raise
        return Path(DiffusionPipeline.download(name, variant="fp16", **wanted))


def _hush() -> None:
    """The client asks for the checkpoint's files and for nothing of its own."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging

    constants.HF_HUB_DISABLE_TELEMETRY = True
    logging.set_verbosity_error()
    image_checkpoint.hush()


def _unsafe(error: Exception) -> bool:
    """Whether diffusers found weights, but none in safetensors."""
    return "necessary `safetensors` weights" in str(error)


def _told(name: str, error: Exception) -> str:
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    if isinstance(error, LocalEntryNotFoundError):  # a kind of the next, by which the client tells that nobody answered
        return f"{name} is not here and the hub cannot be reached; is this machine online?"

    if isinstance(error, RepositoryNotFoundError):
        return f"{name} cannot be fetched: the hub has no such model, or wants a login for it"
    if isinstance(error, EntryNotFoundError):
        return f"{name} is no diffusers checkpoint: it has no model_index.json"
    if _unsafe(error):
        return f"{name} has its weights in files that could run code; only safetensors are loaded"
    return f"{name} cannot be fetched: {image_checkpoint.first_line(error)}"


def _place(name: str) -> Path:
    """The folder of the hub's cache for a name."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"


def _files(place: Path) -> Mapping[Path, bytes]:
    """What is there: its files, with what stands in those that may be written anew, the names of versions."""
    found = (path for path in place.rglob("*") if path.is_symlink() or path.is_file())
    return {path: path.read_bytes() if path.parent.name == "refs" else b"" for path in found}


def _forget(place: Path, before: Mapping[Path, bytes]) -> None:
    """Make the folder what it was; trouble with it is no reason to hide why."""
    try:
        for path in sorted(place.rglob("*"), reverse=True):  # what a folder holds comes before it
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in before:
                path.unlink()
            elif before[path]:
                path.write_bytes(before[path])
        if not before and place.is_dir():
            place.rmdir()
    except OSError:
        return
