"""llmos export --bare: the C program says what the engine says, and bears whatever file and text it is given."""

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from llmos.cli import run_command
from llmos.kernel.bare import CUTS, PROGRAM, export
from llmos.kernel.branches import TorchEngine
from llmos.kernel.codec import Codec
from llmos.kernel.config import WEIGHTS
from llmos.kernel.engine import Sampling
from llmos.kernel.errors import ModelError, UsageError
from llmos.kernel.lean import Lean
from llmos.kernel.local import load_wire

CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
Run = Callable[..., subprocess.CompletedProcess[str]]


def build(folder: Path, name: str, *flags: str) -> Path:
    done = subprocess.run(
        [str(CC), "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", *flags, str(PROGRAM), "-lm", "-o", name],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if flags and done.returncode and "sanitize" in done.stderr + "asan" in done.stderr:
        pytest.skip("the compiler has no sanitizers")
    assert (done.returncode, done.stderr) == (0, "")
    return folder / name


def ran(program: Path, weights: Path, *told: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """What the program says; it does not check for leaks, since it ends with all that it holds."""
    given = None if text is None else text.encode("utf-8", "surrogatepass")
    done = subprocess.run(
        [program, weights, *told], input=given, capture_output=True, timeout=120, env={"ASAN_OPTIONS": "detect_leaks=0"}
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )


def ids(done: subprocess.CompletedProcess[str]) -> list[int]:
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("plain"), "run")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the compiler's checks of memory and of undefined behaviour."""
    return build(tmp_path_factory.mktemp("checked"), "run", *SANITIZE)


def cut_like_qwen(folder: Path, normalizer: dict[str, str] | None = None, digits: int = 1) -> Path:
    """Give a checkpoint's tokenizer the pattern that run.c knows."""
    file = folder / "tokenizer.json"
    pattern = next(p for p, n in CUTS.items() if n == digits)
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    data = json.loads(file.read_text())
    data |= {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]}, "normalizer": normalizer}
    file.write_text(json.dumps(data))
    return folder


def like_llama(folder: Path) -> Path:
    """Make a Qwen 3 checkpoint one of Llama: no norms of queries and keys, biases, other positions."""
    state = {
        k: v for k, v in load_file(folder / "model.safetensors").items() if "q_norm" not in k and "k_norm" not in k
    }
    torch.manual_seed(2)
    for name in [n for n in state if "self_attn" in n]:
        state[name.replace(".weight", ".bias")] = torch.randn(state[name].shape[0])
    save_file({k: v.bfloat16() for k, v in state.items()}, folder / "model.safetensors")
    scaled = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0}
    scaled |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "llama", "attention_bias": True, "rope_parameters": scaled}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def greedy(folder: Path, prompt: Sequence[int], most: int) -> list[int]:
    """What llmos's own engine says in fp32."""
    engine = TorchEngine(Lean(folder, dtype=torch.float32))
    branch = engine.open(prompt)
    said = [s.token for s in branch.decode(Sampling(temperature=0, max_tokens=most), None, tuple(stops(folder)))]
    branch.close()
    engine.close()
    return said


def stops(folder: Path) -> list[int]:
    return sorted(load_wire(folder).form.stops)


def test_it_is_short_and_needs_the_c_library_alone() -> None:
    text = PROGRAM.read_text()
    included = {line.split()[1] for line in text.splitlines() if line.startswith("#include")}
    assert text.count("\n") <= 500
    assert included == {"<math.h>", "<stdint.h>", "<stdio.h>", "<stdlib.h>", "<string.h>"}


@needs_cc
def test_the_embedded_kernel_says_the_same(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    out = tmp_path / "bare"
    assert run_command(["export", "--bare", str(out)]) == 0
    assert f"cc -O2 {out}/run.c -lm -o {out}/run" in capsys.readouterr().out
    assert (out / "run.c").read_bytes() == PROGRAM.read_bytes()
    assert run_command(["export", "--bare", str(out)]) == 2
    assert capsys.readouterr().err == f"llmos: {out}/weights.bin is there already; give another folder\n"
    weights, codec = out / "weights.bin", Codec.load(WEIGHTS)
    words = ["who are you?", "Wer bist du? Ünïcode, 世界 🙂 и e\u0301", "plot the funding rounds " * 6, "12345 + 6"]
    said = [ids(ran(plain, weights, "--tokens", "-n", "12", text)) for text in words]
    engine = TorchEngine(Lean(WEIGHTS, dtype=torch.float32))
    from llmos.export_cli import _tools
    from llmos.kernel.types import Message, Part, Source
    from llmos.kernel.wire import render
    from llmos.prompts import load

    for text, told in zip(words, said, strict=True):
        system = Message("system", (Part(load("system.md"), Source("system")),))
        prompt = render([system, Message("user", (Part(text, Source("user")),))], _tools(tmp_path), codec)
        branch = engine.open(prompt)
        sampling = Sampling(temperature=0, max_tokens=12)
        assert told == [s.token for s in branch.decode(sampling, None, tuple(stops(WEIGHTS)))]
        assert ids(ran(plain, weights, "--tokens", "-n", "12", "--ids", str(prompt))) == told
        branch.close()
    engine.close()
    assert ran(plain, weights, "who are you?").stdout.startswith("I am llmos")
    for text in ("".join(hostile(200)), *hostile(6)):
        assert ids(ran(plain, weights, "--encode", "-", text=text)) == codec.encode(text), text


def hostile(count: int) -> list[str]:
    """Texts on which tokenizers differ."""
    draw = random.Random(7)
    parts = [
        "'S",
        "'\u017f",
        "'LL",
        "'re",
        "' d",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "\u00a0",
        "\u2003",
        "\u3000",
        "1",
        "234",
    ]
    parts += [
        "٣",
        "½",
        "ⅷ",
        "a",
        "É",
        "e\u0301",
        "世界",
        "🙂",
        "👩\u200d👩\u200d👧",
        "\u200d",
        "\u200b",
        "ن\u200cم",
        "\ufe0f",
    ]
    parts += [
        "1\ufe0f\u20e3",
        "!",
        "...",
        "<|im_start|>",
        "\x00",
        "\x1b[31m",
        "\u0085",
        "क्षि",
        "ไทย",
        "한국",
        "_",
        "{}",
    ]
    mixed = ["".join(draw.choices(parts, k=draw.randint(1, 30))) for _ in range(count)]
    wild = ["".join(chr(draw.choice([draw.randrange(32, 600), draw.randrange(0xE000, 0x110000)])) for _ in range(30))]
    return [text for text in [*mixed, *wild] if text.strip("\x00\x1b\u200b\u200d\u0085\ufe0f")]


@needs_cc
@pytest.mark.parametrize("kind", ["qwen3", "llama"])
def test_small_checkpoints_say_the_same(
    kind: str, qwen3_folder: Callable[..., Path], checked: Path, tmp_path: Path
) -> None:
    folder = cut_like_qwen(qwen3_folder(tmp_path / "tiny", tie_word_embeddings=kind == "qwen3"), digits=3)
    if kind == "llama":
        like_llama(folder)
    weights, _ = export(folder, tmp_path / "bare", "You are tiny.")
    draw, size = random.Random(3), Codec.load(folder).size
    for length in (1, 15, 16, 17, 100):
        prompt = [draw.randrange(size) for _ in range(length)]
        said = ids(ran(checked, weights, "--tokens", "-n", "20", "--ids", " ".join(map(str, prompt))))
        assert said == greedy(folder, prompt, 20)
    codec = Codec.load(folder)
    for text in hostile(20):
        assert ids(ran(checked, weights, "--encode", "-", text=text)) == codec.encode(text), text


@needs_cc
def test_composed_letters_are_asked_for(qwen3_folder: Callable[..., Path], checked: Path, tmp_path: Path) -> None:
    folder = cut_like_qwen(qwen3_folder(tmp_path / "tiny"), {"type": "NFC"})
    weights, _ = export(folder, tmp_path / "bare")
    codec = Codec.load(folder)
    for text in ("café 한국 ก็ क्षि", "ab\u0335\u0316"):
        assert ids(ran(checked, weights, "--encode", text)) == codec.encode(text)
    for text in ("cafe\u0301", "\u212b", "ab\u0316\u0335", "\u1112\u1161"):
        done = ran(checked, weights, "--encode", text)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "Unicode NFC" in done.stderr


@needs_cc
def test_what_it_cannot_do_is_one_line(qwen3_folder: Callable[..., Path], checked: Path, tmp_path: Path) -> None:
    folder = cut_like_qwen(qwen3_folder(tmp_path / "tiny", max_position_embeddings=40))
    weights, _ = export(folder, tmp_path / "bare", "You are tiny.")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(UsageError, match="empty is a file; give a folder"):
        export(folder, tmp_path / "empty", "You are tiny.")
    (tmp_path / "text").write_text("not weights, but long enough for a head" * 9)
    cases: list[tuple[tuple[Path | str, ...], str]] = [
        ((weights, ""), "the request is empty"),
        ((weights, "\u200b"), "the request is empty"),
        ((weights, "--ids", " "), "the request is empty"),
        ((weights, "why " * 30), "the window holds 40"),
        ((weights, "y" * 9000), "window of 40 tokens"),
        ((weights, "--ids", "1 2 -3"), "--ids takes numbers below"),
        ((weights, "--ids", "99999999999999999999"), "--ids takes numbers below"),
        ((weights,), "usage: run weights.bin"),
        ((weights, "a", "b"), "usage: run weights.bin"),
        ((tmp_path / "nowhere", "a"), "cannot open"),
        ((tmp_path, "a"), "cannot read"),
        ((tmp_path / "empty", "a"), "not a file of weights"),
        ((tmp_path / "text", "a"), "not a file of weights"),
    ]
    for (path, *told), line in cases:
        done = ran(checked, Path(path), *map(str, told))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert line in done.stderr
    # To the window's end and no further.
    assert len(ids(ran(checked, weights, "--tokens", "-n", "999", "--ids", "5 6 7"))) <= 37


@needs_cc
def test_a_broken_file_breaks_nothing(qwen3_folder: Callable[..., Path], checked: Path, tmp_path: Path) -> None:
    weights, _ = export(cut_like_qwen(qwen3_folder(tmp_path / "tiny")), tmp_path / "bare")
    whole, broken = weights.read_bytes(), tmp_path / "broken.bin"
    draw = random.Random(11)
    for number in range(30):
        data = bytearray(whole)
        if number < 8:
            del data[draw.randrange(len(data)) :]
        else:
            # The sizes at the head, or any of the tables behind them.
            end = 80 if number < 19 else len(data) // 3
            for _ in range(draw.randint(1, 4)):
                data[draw.randrange(8, end)] = draw.randrange(256)
        broken.write_bytes(data)
        done = ran(checked, broken, "-n", "2", "it's 12 o'clock,\r\n  über")
        assert done.returncode in ((1,) if number < 8 else (0, 1)), done.stderr
        assert done.stderr.count("\n") == done.returncode, done.stderr
    broken.write_bytes(whole + b"\0\0\0\0")
    assert "more in it than there should be" in ran(checked, broken, "a").stderr


def test_other_checkpoints_are_refused(
    qwen3_folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = qwen3_folder(tmp_path / "tiny")  # its tokenizer cuts as GPT-2 does
    with pytest.raises(ModelError, match="this checkpoint has another"):
        export(folder, tmp_path / "bare")
    assert not (tmp_path / "bare").exists()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mamba"}))
    assert run_command(["export", "--bare", str(tmp_path / "bare"), "--model", str(folder)]) == 1
    assert "only Llama, Mistral, Qwen2 and Qwen3" in capsys.readouterr().err
    assert run_command(["export"]) == 2
    assert run_command(["export", "--bare", str(tmp_path / "b"), "--model", "http://host/v1"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
