"""A reply while it is decoded: the ids so far, the grammar and the sampler, and the steps that wait to be taken.

Works in the engine's thread, but for :meth:`Stream.take`. Knows nothing of other streams, nor when its turn is.
"""

from collections.abc import Hashable, Sequence
from queue import SimpleQueue

from torch import Tensor

from llmos.kernel.engine import Grammar, MaskBits, Sampling, Step
from llmos.kernel.holds import Hold, Work
from llmos.kernel.lookup import Lookup
from llmos.kernel.sampler import Sampler, masked

# Steps that may wait to be taken; past that a stream is left out.
AHEAD = 32
# Ids that are no more than this are computed at once, whatever else is read.
FEW = 16


class Stream:
    """Decodes ``room`` tokens after ``ids``; with none it only computes them. ``near`` is a lead in logits too small
    to tell two tokens apart where they were computed with others.
    """

    def __init__(
        self,
        ids: Sequence[int],
        hold: Hold,
        owner: Hashable,
        sampling: Sampling = Sampling(),  # noqa: B008
        room: int = 0,
        grammar: Grammar | None = None,
        stop: Sequence[int] = (),
        lookup: bool = False,
        near: float = 0.0,
    ) -> None:
        self.ids = list(ids)
        self.hold = hold
        self.owner = owner
        self.sampler = Sampler(sampling, self.ids)
        self.served = 0
        self.ended = False
        self.parked = False
        self.reading = room == 0
        self._room = room
        self._grammar = grammar
        self._stop = frozenset(stop)
        self._lookup = Lookup(self.ids) if lookup else None
        self._near = near
        self._unsure = False
        self._drafted: list[int] = []
        self._out: SimpleQueue[Step | BaseException | None] = SimpleQueue()

    def take(self) -> Step | None:
        """Wait for the next step; None at the end. Raises what went wrong."""
        got = self._out.get()
        if isinstance(got, BaseException):
            raise got
        return got

    @property
    def full(self) -> bool:
        """Whether as many steps wait as may."""
        return self._out.qsize() >= AHEAD

    @property
    def pending(self) -> int:
        """How many ids are not computed yet."""
        return len(self.ids) - len(self.hold.ids)

    def advance(self) -> None:
        """Write what the grammar forces: their keys and values are computed with the next id that is a choice."""
        while not self.ended and self._grammar is not None and self._room:
            forced = self._grammar.forced()[: self._room]
            if not forced:
                return
            for token in forced:
                self._push(Step(self.sampler.note(token), 0.0))
                if self.ended:
                    return

    def want(self, budget: int, guess: bool) -> Work | None:
        """What is to be computed next, of at most ``budget`` ids (but a few always go); None where nothing is.

        With ``guess`` some ids more, which may come.
        """
        if not self.pending:
            return None
        pending = self.ids[len(self.hold.ids) :]
        if len(pending) > max(budget, FEW):
            return Work(self.hold, pending[:budget])
        self._drafted = []
        if guess and self._lookup is not None and not self._unsure and len(pending) <= FEW and not self.reading:
            self._drafted = self._lookup.guess()[: max(0, self._room - 1)]
        self._unsure = False
        return Work(self.hold, [*pending, *self._drafted], every=bool(self._drafted))

    @property
    def ready(self) -> bool:
        """Whether a token can be picked from the hold's logits."""
        return not self.ended and not self.reading and not self.pending and self.hold.logits is not None

    @property
    def guessed(self) -> bool:
        """Whether the last work held guesses."""
        return bool(self._drafted)

    def mask(self) -> MaskBits | None:
        """What the grammar allows next."""
        return self._grammar.mask(self._room) if self._grammar is not None else None

    def push(self, step: Step) -> None:
        """Take a step that was picked."""
        self._push(step)

    def check(self, logits: Tensor) -> int:
        """Pick along the guesses while they hold: as one by one, since each is picked as it would be. How many held.

        ``logits`` are those of the last work, (ids, vocabulary).
        """
        drafted, self._drafted = self._drafted, []
        rows = logits[len(logits) - len(drafted) - 1 :]
        right = 0
        while True:
            mask = self.mask()
            if self._close_call(rows[right], mask):
                # Rounding differs with the number of ids in a pass: this one is left to a pass of its own.
                self._unsure = True
                break
            step = self.sampler.pick(rows[right], mask)
            self._push(step)
            forced = self._grammar.forced() if self._grammar is not None and not self.ended else []
            if self.ended or forced or right == len(drafted) or step.token != drafted[right]:
                break
            right += 1
        if self._lookup is not None:
            self._lookup.score(len(drafted), right)
        return right

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        self.ended = True
        self._out.put(error)

    def end(self) -> None:
        """End well."""
        self.ended = True
        self._out.put(None)

    def _close_call(self, logits: Tensor, mask: MaskBits | None) -> bool:
        if self._near <= 0 or self.sampler.sampling.temperature > 0:
            return False
        best = (logits if mask is None else masked(logits[None], [mask])[0]).topk(2).values
        return bool(best[0] - best[1] < self._near)

    def _push(self, step: Step) -> None:
        self.ids.append(step.token)
        if self._grammar is not None:
            self._grammar.accept(step.token)
        if self._lookup is not None:
            self._lookup.extend([step.token])
        self._room -= 1
        self._out.put(step)
        if step.token in self._stop or not self._room:
            self.end()
