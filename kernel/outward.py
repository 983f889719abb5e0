"""Replies with short names (see aliases) become replies with the things themselves, as they stream."""

import re
from collections.abc import Sequence
from dataclasses import replace

from llmos.kernel.aliases import Aliases
from llmos.kernel.engine import CallMade, Delta, TextDelta, ThoughtDelta


class Outward:
    """The deltas of one reply, told anew."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._held = ""  # what may be the beginning of a sign

    def feed(self, deltas: Sequence[Delta]) -> list[Delta]:
        """What can be told now."""
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta | ThoughtDelta):
                text = self._held + delta.text
                open_sign = re.search(r"[@~#&`]\d*$", text)
                cut = open_sign.start() if open_sign else len(text)
                self._held = text[cut:]
                if cut:
                    out.append(replace(delta, text=self._aliases.outward(text[:cut])))
            elif isinstance(delta, CallMade):
                out += [*self.flush(delta.branch), replace(delta, call=self._aliases.call(delta.call))]
            else:
                out.append(delta)
        return out

    def flush(self, branch: int = 0) -> list[Delta]:
        """What was held back, at the end of a text."""
        held, self._held = self._held, ""
        return [TextDelta(self._aliases.outward(held), branch)] if held else []
