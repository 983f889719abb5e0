"""A tokenizer and checkpoints small enough to be made on the spot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from llmos.kernel.codec import Codec
from llmos.kernel.wire import CONTROL

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
