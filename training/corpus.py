"""Plain English for pretraining: reads ``--corpus DIR`` (JSON lines, xz), or falls back to what the package ships.

Each row becomes one document of text pieces and control tokens. Knows nothing of tools; dialogues for
fine-tuning come from ``dialogues``.
"""

import json
import lzma
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Share of the pretraining tokens by file. Talk, questions and requests count more than their size.
SHARES = {
    "dialogues": 0.16,
    "qa": 0.16,
    "math": 0.14,
    "intents": 0.10,
    "prose": 0.10,
    "wiki": 0.12,
    "books": 0.08,
    "facts": 0.06,
    "sentences": 0.03,
    "code": 0.05,
}

SLOT = re.compile(r"\{\w+\}")

Turn = tuple[str, str]
Document = str | list[Turn]


def rows(corpus: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of ``name`` in the corpus folder; nothing when the file is not there."""
    path = corpus / f"{name}.jsonl.xz"
    if not path.exists():
        return
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def document(name: str, row: dict[str, Any]) -> Document:
    """A row as running text, or as (role, text) turns where it is a question with its answer or a talk."""
    if name == "dialogues":
        return [(m["role"], m["content"]) for m in row["messages"]]
    if name == "qa":
        question = row["prompt"] + ("\n" + row["input"] if row.get("input") else "")
        return [("user", question), ("assistant", row["response"])]
    if name == "math":
        steps = row.get("expression") or row.get("solution") or ""
        return [("user", row["question"]), ("assistant", f"{steps}\n{row['answer']}".strip())]
    if name == "facts":
        joint = ": " if row["kind"] != "fact" else " - "
        return f"{row['term']}{joint}{row['text']}"
    if name == "wiki":
        return f"{row['title']}\n{row['text']}"
    return str(row["text"])


def documents(corpus: Path, name: str, seed: int) -> list[Document]:
    """All documents of one file, shuffled; short lines (intents, facts, sentences) joined, a dozen a document."""
    made = [document(name, row) for row in rows(corpus, name)]
    random.Random(f"{name}-{seed}").shuffle(made)
    if name not in ("intents", "facts", "sentences"):
        return made
    lines = [m for m in made if isinstance(m, str)]
    return ["\n".join(lines[i : i + 12]) for i in range(0, len(lines), 12)]


def plain_text(doc: Document) -> str:
    """A document without its turns, for the tokenizer and the word statistics."""
    return doc if isinstance(doc, str) else "\n".join(text for _, text in doc)


def packaged_text() -> list[str]:
    """The packaged training phrases without their slots, so that the recipe runs without a corpus."""
    folder = Path(__file__).parent / "phrases"
    lines = [line for path in sorted(folder.iterdir()) for line in path.read_text(encoding="utf-8").splitlines()]
    return [SLOT.sub("", line) for line in lines]
