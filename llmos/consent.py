"""Whether a call may happen, asked inside a conversation: yes, always for this session, no, or show it once more.

What was allowed for the session is a tool together with the rule that asked. In sight of others' text there is no
always: such a call is asked about each time, as it is whatever was allowed beforehand. Knows not what calls do.
"""

import json
from collections.abc import Callable

from llmos.kernel.dispatch import Asked
from llmos.render import Screen, asking

CHOICES = "Allow it? [y]es, [a]lways in this session, [N]o, [s]how: "
ONCE = "Allow it, this once? [y]es, [N]o, [s]how: "


class Consent:
    """Asks about calls on a screen, and keeps what was allowed until :meth:`forget`."""

    def __init__(self, screen: Callable[[], Screen]) -> None:
        self._screen = screen
        self._always: set[tuple[str, str]] = set()

    def __call__(self, call: Asked) -> bool:
        """Whether the user lets this call happen; whatever is no clear yes is a no."""
        if call.yes and (call.name, call.rule) in self._always:
            return True
        choices = CHOICES if call.yes else ONCE
        question = f"{asking(call)}\n{choices}"
        while True:
            said = self._screen().question(question)
            if said in ("s", "show"):
                question = f"{exactly(call)}\n{choices}"
                continue
            if said in ("a", "always") and call.yes:
                self._always.add((call.name, call.rule))
                return True
            return said in ("y", "yes")

    def forget(self) -> None:
        """Ask about everything again: another session began."""
        self._always.clear()


def exactly(call: Asked) -> str:
    """A call to the last letter, each that is not ASCII as its number, and the rule that asks."""
    told = json.dumps(dict(call.arguments), ensure_ascii=True, indent=2, sort_keys=True)
    return f"tool: {ascii(call.name)[1:-1]}\narguments: {told}\nrule: {call.rule}"
