"""Two models or personas on the same requests: who did better, votes kept as pairs for fine-tuning, and ratings.

An item whose outcome can be checked is judged by it; others by a judge who does not know whose answer is which.
Ratings are on Elo's scale: the strengths that make the votes likeliest (Bradley and Terry), with one draw of each
player against a player of 1000, so that they are finite; intervals from votes drawn again. Knows systems and items,
not the screen.
"""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from llmos.app import LLMOS
from llmos.kernel.errors import UsageError
from llmos.kernel.types import Failure
from llmos.training.evaluate import Item, read_items, run_item

Side = Literal["left", "right", "tie", "skip", "quit"]
Judge = Callable[[Item, Item], Side]
"""Sees the item as the left and the right player did it, without names."""
MIDDLE, SCALE = 1000.0, 400.0
DRAWS, ROUNDS = 1000, 100


@dataclass(frozen=True, slots=True)
class Vote:
    """``winner`` is the name of one of the two, or empty for a tie; ``by`` is ``check`` or ``user``."""

    a: str
    b: str
    item: str
    winner: str
    by: str


@dataclass(frozen=True, slots=True)
class Rating:
    """A player's Elo with its 95% interval, and its votes."""

    name: str
    elo: float
    low: float
    high: float
    won: int
    lost: int
    tied: int


@dataclass(frozen=True, slots=True)
class Played:
    """What a round came to: votes given, items that were judged before, skipped, or that nobody could judge."""

    voted: int = 0
    before: int = 0
    skipped: int = 0
    unjudged: int = 0


class Board:
    """The arena's folder: ``votes.jsonl``, ``pairs.jsonl`` and ``ratings.json``. ``hide`` takes out secrets."""

    def __init__(self, folder: Path, hide: Callable[[str], str] = str) -> None:
        self._folder, self._hide = folder, hide

    def votes(self) -> list[Vote]:
        """All votes, the oldest first. Raises UsageError where the file cannot be read."""
        try:
            lines = (self._folder / "votes.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{self._folder / 'votes.jsonl'} cannot be read: {error}") from error
        found = []
        for line in lines:
            try:
                found.append(Vote(**json.loads(line)))
            except (ValueError, TypeError):
                continue  # half a line of a process that was killed
        return found

    def add(self, vote: Vote, pair: dict[str, Any] | None) -> None:
        """Keep a vote, and what it preferred to what. Raises UsageError where there is no writing."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if pair is not None:
                self._append("pairs.jsonl", pair)
            self._append("votes.jsonl", asdict(vote))
        except OSError as error:
            raise UsageError(f"votes cannot be kept in {self._folder}: {error.strerror}") from error

    def rate(self) -> list[Rating]:
        """The ratings by all votes, the best first; kept in ``ratings.json`` where there are any."""
        found = ratings(self.votes())
        if found:
            told = json.dumps({"ratings": [asdict(one) for one in found]}, ensure_ascii=False, indent=1)
            try:
                (self._folder / "ratings.json").write_text(told + "\n", encoding="utf-8")
            except OSError as error:
                raise UsageError(f"ratings cannot be kept in {self._folder}: {error.strerror}") from error
        return found

    def _append(self, name: str, data: dict[str, Any]) -> None:
        path = self._folder / name
        whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
        with path.open("a", encoding="utf-8") as file:
            file.write(("" if whole else "\n") + self._hide(json.dumps(data, ensure_ascii=False)) + "\n")


def read_requests(path: Path) -> list[Item]:
    """The items of a file as ``llmos eval`` reads them (``.jsonl``), or a request a line. Raises UsageError."""
    if path.suffix == ".jsonl":
        return read_items(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    items = [
        Item(f"{path}:{n}", "requests", (), ((line.strip(), {}),)) for n, line in enumerate(lines, 1) if line.strip()
    ]
    if not items:
        raise UsageError(f"{path} holds no requests")
    return items


def checkable(item: Item) -> bool:
    """Whether each turn says what is expected of it."""
    return all(expect for _, expect in item.asked)


def play(
    players: tuple[tuple[str, LLMOS], tuple[str, LLMOS]],
    items: Sequence[Item],
    board: Board,
    judge: Judge | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Played:
    """Have both players do each item that they were not compared on yet; a vote is kept as soon as it is given.

    Without a ``judge`` items that cannot be checked are left out. Raises UsageError where then none is left, ModelError
    for a model that cannot be loaded.
    """
    (a, one), (b, other) = players
    if judge is None and not any(map(checkable, items)):
        raise UsageError("nobody is here to judge, and no request says what is expected: run it in a terminal")
    for _, system in players:
        system.load()  # a model that is not there has lost nothing
    done = {(frozenset((vote.a, vote.b)), vote.item) for vote in board.votes()}
    counts = dict.fromkeys(("voted", "before", "skipped", "unjudged"), 0)
    draw = random.Random(seed)
    for number, item in enumerate(items, 1):
        key = _key(item)
        if (frozenset((a, b)), key) in done:
            counts["before"] += 1
            continue
        if judge is None and not checkable(item):
            counts["unjudged"] += 1
            continue
        mine, others = run_item(one, item), run_item(other, item)
        if _failed(mine) or _failed(others):
            counts["skipped"] += 1
            continue
        winner = _checked(a, b, mine, others) if checkable(item) else _asked(a, b, mine, others, judge, draw)
        if winner is None:
            break
        if winner == "skip":
            counts["skipped"] += 1
            continue
        board.add(
            Vote(a, b, key, winner[1:], "check" if checkable(item) else "user"), _pair(a, mine, others, winner[1:])
        )
        counts["voted"] += 1
        progress(number, len(items))
    return Played(**counts)


def _failed(item: Item) -> bool:
    """Whether a model could not be reached, or was stopped: that says nothing of what it can do."""
    return any(isinstance(e, Failure) and e.kind in ("model", "interrupted") for t in item.turns for e in t.events)


def _key(item: Item) -> str:
    """The same for the same requests, wherever they stand."""
    return hashlib.sha256(json.dumps([prompt for prompt, _ in item.asked]).encode()).hexdigest()[:16]


def _checked(a: str, b: str, mine: Item, others: Item) -> str:
    """``=`` and the winner's name, or nothing behind it for a tie."""
    return "=" if mine.passed == others.passed else f"={a if mine.passed else b}"


def _asked(a: str, b: str, mine: Item, others: Item, judge: Judge | None, draw: random.Random) -> str | None:
    """As :func:`_checked`, or ``skip``; None to end. What reads the same is a tie that nobody is asked about."""
    if answers(mine) == answers(others):
        return "="
    assert judge is not None
    swapped = draw.random() < 0.5
    said = judge(others, mine) if swapped else judge(mine, others)
    if said in ("quit", "skip"):
        return None if said == "quit" else "skip"
    return "=" if said == "tie" else f"={b if (said == 'left') == swapped else a}"


def answers(item: Item) -> list[str]:
    """What was answered to each turn."""
    return [turn.text for turn in item.turns]


def _pair(a: str, mine: Item, others: Item, winner: str) -> dict[str, Any] | None:
    """A prompt with a chosen and a rejected end, as in ``llmos traces export``; None for ties and dialogues."""
    if not winner or len(mine.asked) != 1:
        return None
    chosen, rejected = (mine, others) if winner == a else (others, mine)
    said = {
        k: [{"role": "assistant", "content": answers(i)[0]}] for k, i in (("chosen", chosen), ("rejected", rejected))
    }
    return {"verdict": "prefer", "prompt": [{"role": "user", "content": mine.asked[0][0]}], **said}


def ratings(votes: Sequence[Vote], seed: int = 0) -> list[Rating]:
    """Each player's rating, the best first."""
    names = sorted({name for vote in votes for name in (vote.a, vote.b)})
    if not names:
        return []
    at = {name: n for n, name in enumerate(names)}
    # Of each vote: who, against whom, and the first one's score.
    first, second = (np.array([at[getattr(vote, side)] for vote in votes]) for side in "ab")
    score = np.array([0.5 if not vote.winner else float(vote.winner == vote.a) for vote in votes])
    drawn = np.random.default_rng(seed).integers(0, len(votes), (DRAWS, len(votes)))
    weights = np.stack([np.ones(len(votes)), *(np.bincount(row, minlength=len(votes)) for row in drawn)])
    scores = np.zeros((len(weights), len(names), len(names)))
    for n, (one, other) in enumerate(zip(first, second, strict=True)):
        scores[:, one, other] += weights[:, n] * score[n]
        scores[:, other, one] += weights[:, n] * (1 - score[n])
    elo = MIDDLE + SCALE * np.log10(_strengths(scores))
    low, high = np.percentile(elo[1:], [2.5, 97.5], axis=0)
    found = []
    for name, n in at.items():
        middle, least, most = (round(float(x), 1) for x in (elo[0, n], low[n], high[n]))
        won, lost, tied = _tally(votes, name)
        found.append(Rating(name, middle, least, most, won, lost, tied))
    return sorted(found, key=lambda rating: -rating.elo)


def _tally(votes: Sequence[Vote], name: str) -> tuple[int, int, int]:
    own = [vote for vote in votes if name in (vote.a, vote.b)]
    won = sum(vote.winner == name for vote in own)
    tied = sum(not vote.winner for vote in own)
    return won, len(own) - won - tied, tied


def _strengths(scores: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Strengths (draws, players) from what each scored against each, (draws, players, players)."""
    games = scores + scores.transpose(0, 2, 1)
    won = scores.sum(2) + 0.5  # with the draw against a player of strength 1
    strength = np.ones(won.shape)
    for _ in range(ROUNDS):
        against = (games / (strength[:, :, None] + strength[:, None, :])).sum(2) + 1 / (strength + 1)
        strength = won / against
    return strength
