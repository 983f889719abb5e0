"""A tokenizer and checkpoints small enough to be made on the spot; a site on loopback and a browser to read it."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from llmos.kernel.codec import Codec
from llmos.kernel.tool import ToolContext
from llmos.kernel.wire import CONTROL
from llmos.training.site import Site

# How long an example takes is measured elsewhere: on a busy machine it says nothing.
settings.register_profile("llmos", deadline=None)
settings.load_profile("llmos")

SAMPLE = """You are llmos. # Tools calculator(expression: string): exact arithmetic python(code: string): runs code
{"name": "calculator", "arguments": {"expression": "15% * 2480"}} {"name": "python", "arguments": {"code": "x = 1"}}
The answer is 372. What is the mean of the price? naïve café 世界 über <tool_call> im_start im_end"""


def make_tokenizer(folder: Path, control: tuple[str, ...] = CONTROL, **config: Any) -> Path:
    """Write tokenizer files with the given control tokens; returns the folder."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [SAMPLE] * 3, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_special_tokens([AddedToken(c, special=True, normalized=False) for c in control])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def write_tokenizer() -> Callable[..., Path]:
    """:func:`make_tokenizer`."""
    return make_tokenizer


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded kind of tokenizer: about 500 tokens, control tokens last."""
    return make_tokenizer(tmp_path_factory.mktemp("tokenizer"), eos_token="<|im_end|>")


@pytest.fixture(scope="session")
def codec(tokenizer_folder: Path) -> Codec:
    """The same, loaded."""
    return Codec.load(tokenizer_folder)


@pytest.fixture(scope="session")
def qwen3_folder(tokenizer_folder: Path, codec: Codec) -> Callable[..., Path]:
    """Writes a random Qwen3 checkpoint into a folder; keywords are sizes of Qwen3Config."""

    def make(folder: Path, **sizes: Any) -> Path:
        import torch
        from safetensors.torch import save_file

        from llmos.kernel.qwen3 import Qwen3, Qwen3Config

        small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 16}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512}
        config = Qwen3Config(**{**small, **heads, "vocab_size": codec.size, **sizes})
        torch.manual_seed(1)
        model = Qwen3(config)
        for p in model.parameters():
            torch.nn.init.normal_(p, std=0.3) if p.ndim > 1 else torch.nn.init.uniform_(p, 0.5, 1.5)
        state = {k: v.clone() for k, v in model.state_dict().items()}
        if config.tie_word_embeddings:
            del state["lm_head.weight"]
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(config.to_json()), encoding="utf-8")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((tokenizer_folder / name).read_bytes())
        return folder

    return make


PAGES = Path(__file__).parent / "web"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The test site, running."""
    server = Site(PAGES)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> None:
    """Skips where this host has no browser."""
    from llmos.tools.browser_check import self_test

    if problem := self_test():
        pytest.skip(problem)


Act = Callable[..., str]


@pytest.fixture(scope="module")
def act(chromium: None, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Act]:
    """Does an act of a browser that is shared by the module: ``act("open", url=…)`` gives what the model is shown.

    ``act.web`` is the session's Web, ``act.last`` the last output.
    """
    from llmos.tools.browser import BrowserTools
    from llmos.tools.browser_make import check
    from llmos.tools.marks import Marks

    workspace = tmp_path_factory.mktemp("workspace")
    gate, engine = check([site.host], [], f"site:{site.url()}")

    def keep(name: str, body: bytes) -> str:
        (workspace / name).write_bytes(body)
        return name

    made = BrowserTools(workspace, gate, engine, keep, Marks())
    tools = {tool.name: tool for tool in made.tools()}

    def run(name: str, **arguments: Any) -> str:
        run.last = tools[f"browser_{name}"].run(arguments, ToolContext(workspace))  # type: ignore[attr-defined]
        return run.last.preview or run.last.text  # type: ignore[attr-defined,no-any-return]

    run.web, run.workspace, run.tools = made.web, workspace, made  # type: ignore[attr-defined]
    yield run
    made.web.close()
