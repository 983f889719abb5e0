"""The plain tokens of a tokenizer by their bytes: which begin, go on with or end what a call may name.

Knows neither requests nor tables.
"""

import re
from collections.abc import Callable, Sequence

from llmos.kernel.bits import Bits, pack

# How what follows a verb begins.
_BEGINS = dict.fromkeys("xnc", b"#") | {"v": rb"['@~\d]", "k": rb"[@~\d]", "t": b"'"}


class Vocabulary:
    """The plain tokens of a tokenizer, by their bytes. Shared by all replies of a model."""

    def __init__(self, bytes_of: Sequence[bytes], control: frozenset[int]) -> None:
        self.ids = {b: i for i, b in enumerate(bytes_of) if b and i not in control}
        self.size = len(bytes_of)
        self._signless: dict[str, Bits] = {}
        self.ending = {c: [(b, i) for b, i in self.ids.items() if c in b] for c in (b"'", b'"')}
        self.ending[b" "] = [(b, i) for b, i in self.ids.items() if re.fullmatch(rb"[a-z]* ['#@~]?", b)]
        self.digits = {chr(b[0]): i for b, i in self.ids.items() if len(b) == 1 and b.isdigit()}
        self.point = self.ids.get(b".")
        # Tokens that do not go on with a number.
        self.others = self.without(lambda b: b[:1].isdigit() or b[:1] == b".")
        self.named = pack((i for b, i in self.ids.items() if re.fullmatch(rb"`\d?", b)), self.size)
        self.begins = {
            (role, spaced): self._beginning(form, spaced) for role, form in _BEGINS.items() for spaced in (False, True)
        }
        self.ends = pack((i for b, i in self.ids.items() if b[:1] == b'"'), self.size)
        self.digit = pack(self.digits.values(), self.size)

    def _beginning(self, form: bytes, spaced: bool) -> Bits:
        whole = re.compile(b" (?:" + form + b")?" if spaced else form)
        return pack((i for b, i in self.ids.items() if whole.fullmatch(b)), self.size)

    def without(self, unwanted: Callable[[bytes], bool]) -> Bits:
        """The plain tokens but these."""
        return pack((i for b, i in self.ids.items() if not unwanted(b)), self.size)

    def signless(self, signs: str) -> Bits:
        """The plain tokens without these signs."""
        if signs not in self._signless:
            self._signless[signs] = self.without(lambda b: any(s.encode() in b for s in signs))
        return self._signless[signs]
