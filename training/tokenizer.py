"""Trains the byte-level BPE tokenizer: Qwen2's pre-tokenizer, one token a digit, control tokens last."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from llmos.training.corpus import SHARES, documents, packaged_text, plain_text

CONTROL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
)

# The pre-tokenizer of Qwen2 (digits stand alone).
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# Forms the kernel writes over and over; repeated in the sample so that they become single tokens.
CALL_FORMS = r"""
{"name": "python", "arguments": {"code": "df = load('data.csv')\nax = df.plot(x='year', y='price')"}}
{"name": "python", "arguments": {"code": "df = load('a.csv')\nax = df.plot(x='name', y='price', kind='bar')"}}
{"name": "python", "arguments": {"code": "ax = df.plot(x='a', y=['b', 'c'], kind='scatter', logy=True)"}}
{"name": "python", "arguments": {"code": "ax.set_yscale('log')\nax.figure"}}
{"name": "python", "arguments": {"code": "ax.set_title('New')\nax.figure"}}
{"name": "python", "arguments": {"code": "trend(ax, until='2030')\nax.figure"}}
{"name": "python", "arguments": {"code": "df = load('data.csv')\ndf['price'].mean()"}}
{"name": "python", "arguments": {"code": "df.groupby('kind')['price'].sum()"}}
{"name": "python", "arguments": {"code": "df.nlargest(3, 'price')[['name', 'price']]"}}
{"name": "python", "arguments": {"code": "ax = df[df['country'] == 'Peru'].plot(x='year', y='price')"}}
{"name": "python", "arguments": {"code": "ax = df.pivot_table(index='year', columns='name', values='b').plot()"}}
{"name": "python", "arguments": {"code": "ax = df['price'].plot(kind='hist', xlabel='price', bins=20)"}}
{"name": "python", "arguments": {"code": "x = np.linspace(-5, 5, 200)\nplt.plot(x, np.sin(x))\nprint(sum(x))"}}
{"name": "calculator", "arguments": {"expression": "15% * 2480"}}
{"name": "calculator", "arguments": {"expression": "solve(2*x + 3 = 11, x)"}}
{"name": "calculator", "arguments": {"expression": "integrate(x^2, x, 0, 3)"}}
{"name": "calculator", "arguments": {"expression": "days(2024-01-01, 2024-03-15)"}}
{"name": "calculator", "arguments": {"expression": "sqrt(2) * (3 + 4) / 5"}}
file 'rounds.csv': 6 rows
columns: 'round' (text), 'date' (month), 'amount' (number), 'sold' (year), 'sex' (text: male, female)
first rows:
"""


def sample(corpus: Path | None, seed: int, megabytes: int = 24) -> Iterator[str]:
    """Text to learn merges from: the corpus by its shares, the phrases and the forms of calls."""
    chooser = random.Random(seed)
    if corpus is not None:
        for name, share in SHARES.items():
            room = int(share * megabytes * 2**20)
            for doc in documents(corpus, name, seed):
                text = plain_text(doc)
                room -= len(text)
                if room < 0:
                    break
                yield text
    packaged = packaged_text()
    for _ in range(3):
        chooser.shuffle(packaged)
        yield from packaged
    for _ in range(400):
        yield CALL_FORMS


def train(out: Path, corpus: Path | None, vocabulary: int, seed: int) -> Tokenizer:
    """Train, write ``tokenizer.json`` and ``tokenizer_config.json`` into ``out``, and return the tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(CONTROL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=3,
    )
    tokenizer.train_from_iterator(sample(corpus, seed), trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "bos_token": None,
        "unk_token": None,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return tokenizer
