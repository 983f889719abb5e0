"""Text to token ids and back, such that outside text can never become a control token.

A second tokenizer with its added tokens taken out encodes all text; control tokens are reached by name alone.
Knows nothing of turns, tools or models. Source: SECURITY.md section 2 (what held in the experiment).
"""

import codecs
import json
import re
import secrets
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from llmos.kernel.errors import ModelError
from llmos.kernel.hygiene import clean

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Codec:
    """A tokenizer split in two: ``encode`` for text, ``control`` (name to id) for the kernel's own use.

    ``json_text`` is the content of a ``tokenizer.json``. Raises ModelError when it cannot be read.
    """

    def __init__(self, json_text: str) -> None:
        try:
            data: dict[str, Any] = json.loads(json_text)
            self.control: dict[str, int] = {t["content"]: t["id"] for t in data["added_tokens"]}
            bare = {**data, "added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
            self._plain = Tokenizer.from_str(json.dumps(bare))
        except Exception as error:  # the tokenizers library raises bare Exception
            raise ModelError(f"tokenizer.json cannot be read: {error}") from error
        self.json_text = json_text
        self.control_ids = frozenset(self.control.values())

    @classmethod
    def load(cls, path: str | Path) -> "Codec":
        """Read ``tokenizer.json`` at ``path``, or in the folder ``path``. Raises ModelError when it is not there."""
        file = Path(path)
        file = file / "tokenizer.json" if file.is_dir() else file
        try:
            return cls(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(f"no tokenizer at {file}: {error.strerror}") from error

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``, cleaned of invisible characters; none of them is a control id, whatever it says."""
        ids: list[int] = self._plain.encode(clean(text), add_special_tokens=False).ids
        if self.control_ids.isdisjoint(ids):
            return ids
        # Some families keep control strings in the base vocabulary too; letter by letter they cannot form.
        pieces = (self._plain.encode(c, add_special_tokens=False).ids for c in clean(text))
        return [i for piece in pieces for i in piece if i not in self.control_ids]

    def unspellable(self) -> str:
        """The tokenizer's JSON with control tokens under names no text holds, so that a grammar meets them by id alone.

        Else a library that tokenizes a forced text takes ``<|im_end|>`` in it for the control token, and one that the
        family does not flag special (``<tool_call>`` in Qwen) for a piece of a string.
        """
        data = json.loads(self.json_text)
        mark = secrets.token_hex(8)
        for token in data["added_tokens"]:
            token |= {"content": f"<|{mark}-{token['id']}|>", "special": True, "normalized": False}
        return json.dumps({**data, "post_processor": None})

    def id(self, name: str) -> int:
        """The id of the control token ``name``. Raises ModelError when the tokenizer lacks it."""
        if name not in self.control:
            raise ModelError(f"the tokenizer has no control token {name}")
        return self.control[name]

    @cached_property
    def size(self) -> int:
        """One more than the highest id."""
        return max(max(self._plain.get_vocab().values()), *self.control_ids, 0) + 1

    @cached_property
    def bytes_of(self) -> list[bytes]:
        """The bytes of each id, by id; control tokens have none."""
        table = [b""] * self.size
        spell = _byte_level() if '"ByteLevel"' in self.json_text else None
        for token, i in self._plain.get_vocab().items():
            table[i] = _bytes(token, spell)
        for i in self.control_ids:
            table[i] = b""
        return table

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids`` without control tokens; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(map(self.bytes_of.__getitem__, ids)).decode("utf-8", "replace")

    def stream(self) -> "TextStream":
        """A decoder that takes ids one by one and never cuts a character."""
        return TextStream(self)


class TextStream:
    """Ids in, text out: bytes of an unfinished character wait for the next id."""

    def __init__(self, codec: Codec) -> None:
        self._bytes_of = codec.bytes_of
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        """The text that is complete with this token; empty in the middle of a character."""
        return self._decoder.decode(self._bytes_of[token])

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character that never came whole."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest


def _bytes(token: str, spell: dict[str, int] | None) -> bytes:
    if spell is not None and all(c in spell for c in token):
        return bytes(spell[c] for c in token)
    found = _BYTE.fullmatch(token)
    return bytes([int(found[1], 16)]) if found else token.replace("▁", " ").encode("utf-8", "replace")


def _byte_level() -> dict[str, int]:
    """GPT-2's letters for the 256 bytes: printable ones stand for themselves, the others follow U+0100."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    spell = {chr(b): b for b in own}
    for n, b in enumerate(b for b in range(256) if b not in own):
        spell[chr(256 + n)] = b
    return spell
