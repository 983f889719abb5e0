"""Bits per byte of text that was never trained on: what the network alone makes of plain English and of tables.

The packaged text was written for this and is under llmos's own licence; ``--text FILE`` takes any other. Beside it
stands what xz makes of the same bytes, all pieces together, which knows nothing but them.
"""

import json
import lzma
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmos.kernel.engine import Model
from llmos.kernel.errors import ModelError, UsageError
from llmos.training.evaluate import Progress
from llmos.training.suites.measured import Measured, resampled

FILE = Path(__file__).parent.parent / "held" / "plain.jsonl"
WINDOW = 512  # tokens that are read at once


@dataclass(frozen=True, slots=True)
class Scored:
    """A text's bytes, and the log-probability (nats) of each of its tokens."""

    size: int
    logprobs: tuple[float, ...]


def scorer(model: Model) -> Callable[[str], Scored] | None:
    """What scores a text as it stands, from its first token on; None for a model that cannot."""
    engine, wire = getattr(model, "engine", None), getattr(model, "wire", None)
    if engine is None or wire is None:
        return None
    codec = wire.codec
    begin = codec.control.get("<|endoftext|>", min(codec.control_ids))
    window = min(WINDOW, model.context_length - 1)

    def score(text: str) -> Scored:
        ids = codec.encode(text)
        told: list[float] = []
        for at in range(0, len(ids), window):
            told += engine.scores([begin, *ids[at : at + window]])
        return Scored(len(text.encode()), tuple(told))

    return score


def pieces(file: Path | None) -> dict[str, list[str]]:
    """The texts by their kind; a file of one's own is cut at its empty lines. Raises UsageError."""
    if file is None:
        rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
        return {kind: [r["text"] for r in rows if r["kind"] == kind] for kind in ("english", "tables")}
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    found = [part.strip() for part in text.split("\n\n") if part.strip()]
    if not found:
        raise UsageError(f"{file} holds no text")
    return {"text": found}


def bits(model: Model, progress: Progress, file: Path | None = None) -> Measured:
    """Score every piece. Raises ModelError for a model that tells no log-probabilities."""
    texts = pieces(file)
    tell = scorer(model)
    scored: dict[str, list[Scored]] = {}
    count = sum(map(len, texts.values()))
    for kind, some in texts.items():
        scored[kind] = []
        for text in some:
            one = tell(text) if tell else Scored(0, ())
            if not one.logprobs:
                raise ModelError(f"{model.name} tells no log-probabilities of a text")
            scored[kind].append(one)
            done = sum(map(len, scored.values()))
            progress(done, count, done)
    values: dict[str, tuple[float, tuple[float, float] | None]] = {}
    for kind, some_scored in scored.items():
        values[f"bits_per_byte.{kind}"] = per_byte(some_scored), resampled(len(some_scored), _of(some_scored))
        tokens = sum(len(s.logprobs) for s in some_scored)
        values[f"bytes_per_token.{kind}"] = sum(s.size for s in some_scored) / tokens, None
        whole = "\n\n".join(texts[kind]).encode()
        values[f"xz_bits_per_byte.{kind}"] = 8 * len(lzma.compress(whole, preset=9)) / len(whole), None
    return Measured("bits", model.name, {}, values, {"bytes": {k: sum(s.size for s in v) for k, v in scored.items()}})


def per_byte(scored: Sequence[Scored]) -> float:
    """Bits a byte over all of them."""
    return -sum(sum(s.logprobs) for s in scored) / math.log(2) / sum(s.size for s in scored)


def _of(scored: Sequence[Scored]) -> Callable[[Sequence[int]], float]:
    return lambda numbers: per_byte([scored[n] for n in numbers])
