"""Guesses what comes next by what came after the same words before: arguments and answers copy from the context.

A guess is checked by the network in one pass and costs nothing else. Source: prompt lookup decoding (A. Saxena, 2023).
"""

from collections.abc import Sequence

LONG, SHORT = 4, 2
MOST = 16


class Lookup:
    """Of one branch. ``most`` tokens are guessed at once, more after right guesses and fewer after wrong ones."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        self.most = 4
        self.extend(ids)

    def extend(self, ids: Sequence[int]) -> None:
        """Take note of ids that came."""
        for token in ids:
            # Noted before the token is added: where the words before it ended, it came next.
            at = len(self._ids)
            for n in (LONG, SHORT):
                if at >= n:
                    self._after[tuple(self._ids[at - n :])] = at
            self._ids.append(token)

    def guess(self) -> list[int]:
        """What may come next; nothing where the last words are new."""
        for n in (LONG, SHORT):
            at = self._after.get(tuple(self._ids[-n:]))
            if at is not None:
                return self._ids[at : at + (self.most if n == LONG else min(self.most, 4))]
        return []

    def score(self, guessed: int, right: int) -> None:
        """Learn how good the last guess was."""
        if guessed:
            self.most = min(MOST, 2 * self.most) if right == guessed else max(2, right + 1, self.most // 2)
