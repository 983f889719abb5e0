"""A checkpoint from a hub on loopback: fetched when the user names it, never by a call; refused ones leave nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fake_hub
import pytest

from llmos.kernel.errors import ModelError
from llmos.tools import image_checkpoint, image_fetch

pytestmark = pytest.mark.skipif(
    bool(image_checkpoint.missing()), reason=f"diffusers is not installed: {image_checkpoint.INSTALL}"
)

UNET = "unet/diffusion_pytorch_model.safetensors"
# One process for all of them: each loads diffusers anew otherwise.
PROGRAM = """
import contextlib, io, json, sys
from llmos import cli
for line in sys.stdin:
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        code = cli.run_command(json.loads(line))
    print(json.dumps([code, told.getvalue().strip().splitlines()[-1]]), flush=True)
"""


@dataclass
class Place:
    """A hub, and a program of its own whose hub it is."""

    base: Path
    hub: fake_hub.Hub
    program: subprocess.Popen[str]

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code and the last line that is told."""
        assert self.program.stdin
        assert self.program.stdout
        self.hub.asked.clear()
        print(json.dumps(words), file=self.program.stdin, flush=True)
        code, told = json.loads(self.program.stdout.readline())
        return code, told

    def make(self, model: str) -> tuple[int, str]:
        small = ["--width", "64", "--height", "64", "--steps", "2", "--out", str(self.base / "out")]
        return self.run("image", "make", "a red circle", "--model", model, *small)

    def kept(self, name: str) -> list[Path]:
        """What the hub's cache has of a repository."""
        folder = self.base / "cache" / "hub" / f"models--owner--{name}"
        return list(folder.rglob("*")) if folder.exists() else []


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    import tiny_checkpoints

    base = tmp_path_factory.mktemp("hub")
    plain = tiny_checkpoints.make("sd", base / "made")
    repositories = {name: base / "repositories" / "owner" / name for name in ("whole", "code", "half", "bin", "fp16")}
    for folder in repositories.values():
        shutil.copytree(plain, folder)
    (repositories["whole"] / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"never asked for")
    index = repositories["code"] / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "unet": ["evil", "Code"]}))
    for file in repositories["bin"].glob("*/*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    for file in repositories["fp16"].glob("*/*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    (base / "repositories" / "owner" / "words").mkdir()
    (base / "repositories" / "owner" / "words" / "config.json").write_text("{}")
    with fake_hub.hub(base / "repositories") as hub:
        hub.breaks = f"owner/half/{UNET}"
        more = {"HF_ENDPOINT": hub.address, "HF_HOME": str(base / "cache"), "LLMOS_HOME": str(base / "home")}
        own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LLMOS_"))}
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**own, **more, "NO_PROXY": "*"},
        )
        with program:
            yield Place(base, hub, program)
            assert program.stdin
            program.stdin.close()


def test_a_call_fetches_nothing_and_a_choice_does_once(place: Place) -> None:
    code, told = place.make("owner/whole")
    assert (code, told) == (2, "llmos: owner/whole is not on this machine; fetch it: llmos image use owner/whole")
    assert place.hub.asked == []
    assert place.kept("whole") == []
    assert place.run("image", "use", "owner/whole")[0] == 0
    assert UNET in place.hub.sent("owner/whole")
    assert not any(file.endswith(".bin") for file in place.hub.sent("owner/whole"))
    assert all("owner/whole" in line for line in place.hub.asked)  # the client asks for nothing of its own
    code, told = place.make("owner/whole")
    assert (code, told) == (0, str(place.base / "out" / "image-1.png"))
    assert Path(told).read_bytes()[:4] == b"\x89PNG"
    assert place.hub.asked == []


REFUSED = [
    ("code", "owner/code wants code of its own for its unet; only diffusers' and transformers' is run"),
    ("bin", "owner/bin has its weights in files that could run code; only safetensors are loaded"),
    ("words", "owner/words is no diffusers checkpoint: it has no model_index.json"),
    ("none", "owner/none cannot be fetched: the hub has no such model, or wants a login for it"),
]


@pytest.mark.parametrize(("name", "line"), REFUSED)
def test_what_may_not_be_loaded_is_one_line_and_its_weights_are_not_asked_for(
    name: str, line: str, place: Place
) -> None:
    assert place.run("image", "use", f"owner/{name}") == (1, f"llmos: {line}")
    assert place.kept(name) == []
    assert not any(file.endswith((".safetensors", ".bin")) for file in place.hub.sent(f"owner/{name}"))


def test_what_broke_off_leaves_nothing(place: Place) -> None:
    code, told = place.run("image", "use", "owner/half")
    assert UNET in place.hub.sent("owner/half")
    assert code == 1
    assert told.startswith("llmos: owner/half cannot be fetched: ")
    assert place.kept("half") == []
    assert place.make("owner/half")[1].startswith("llmos: owner/half is not on this machine")
    place.hub.breaks = ""
    assert place.run("image", "use", "owner/half")[0] == 0
    assert place.make("owner/half")[0] == 0


def test_half_length_weights_are_fetched_where_there_are_no_others(place: Place) -> None:
    assert place.run("image", "use", "owner/fp16")[0] == 0
    assert UNET.replace(".safe", ".fp16.safe") in place.hub.sent("owner/fp16")
    assert place.make("owner/fp16")[0] == 0


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ModelError("refused"), OSError("no space\nleft")])
def test_what_was_there_before_stays(stop: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "models--owner--name"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("old")
    (place / "snapshots" / "old").mkdir(parents=True)
    (place / "snapshots" / "old" / "model_index.json").write_text("{}")

    def downloaded(name: str) -> Any:
        (place / "refs" / "main").write_text("new")
        (place / "snapshots" / "new" / "unet").mkdir(parents=True)
        (place / "snapshots" / "new" / "unet" / "weights.incomplete").write_text("half")
        raise stop

    monkeypatch.setattr(image_fetch, "_place", lambda name: place)
    monkeypatch.setattr(image_fetch, "_downloaded", downloaded)
    with pytest.raises(type(stop) if not isinstance(stop, OSError) else ModelError) as error:
        image_fetch.fetch("owner/name")
    assert "\n" not in str(error.value)
    left = {path.relative_to(place): path.read_text() for path in place.rglob("*") if path.is_file()}
    assert left == {Path("refs/main"): "old", Path("snapshots/old/model_index.json"): "{}"}
    assert not (place / "snapshots" / "new").exists()


def test_where_no_hub_answers_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    def downloaded(name: str) -> Any:
        raise LocalEntryNotFoundError("An error happened while trying to locate the file on the Hub")

    monkeypatch.setattr(image_fetch, "_place", lambda name: tmp_path)
    monkeypatch.setattr(image_fetch, "_downloaded", downloaded)
    with pytest.raises(ModelError, match="owner/name is not here and the hub cannot be reached"):
        image_fetch.fetch("owner/name")
