"""The engine: branches of token ids over a network, with their keys and values kept and shared.

All live branches are decoded together, in one thread (``loop``); prompts that begin alike are computed once (``tree``
for lean networks, ``stores`` for others). Knows nothing of text or tools.
"""

from collections.abc import Callable, Sequence
from contextlib import closing

import torch
from torch import Tensor

from llmos.kernel.engine import Branch, EngineInfo, Grammar, Sampling, Step
from llmos.kernel.errors import BudgetError
from llmos.kernel.fair import speaker
from llmos.kernel.holds import Hold, Keep, Work
from llmos.kernel.lean import Lean
from llmos.kernel.loop import Loop
from llmos.kernel.stores import Net, Stores
from llmos.kernel.stream import Stream
from llmos.kernel.tree import BUDGET, Tree

# Leads in logits below which a token is not taken from a pass that read guesses too, by precision: rounding differs
# with the number of ids in a pass, and a guess must never change what is written.
NEAR = {"float32": 1e-3}
ROUGH = 0.5


class TorchEngine:
    """An :class:`~llmos.kernel.engine.Engine` over a lean network, or any other that reads one sequence.

    ``context_length`` narrows the network's own window; ``budget`` is in bytes of kept keys and values. ``lookup``
    guesses from the context what comes next, which speeds up a single branch and changes nothing of what it says.
    """

    def __init__(
        self, net: Net | Lean, context_length: int | None = None, budget: int = BUDGET, lookup: bool = False
    ) -> None:
        self.window = min(context_length or net.info.context_length, net.info.context_length)
        self.keep: Keep = Tree(net, budget) if isinstance(net, Lean) else Stores(net)
        self.loop = Loop(self.keep)
        self._tell: Callable[[Sequence[int]], list[float]] | None = getattr(net, "scores", None)
        self.lookup = lookup and self.keep.drafts
        self.near = NEAR.get(net.info.dtype, ROUGH)

    @property
    def info(self) -> EngineInfo:
        """What the network is."""
        return self.keep.info

    @property
    def computed(self) -> int:
        """How many ids were computed so far."""
        return self.keep.computed

    def open(self, ids: Sequence[int]) -> "TorchBranch":
        """A branch over ``ids``. Raises BudgetError when they leave no room for a reply."""
        if len(ids) >= self.window:
            raise BudgetError(
                f"the prompt has {len(ids)} tokens, the model's window holds {self.window}: "
                "shorten the request, attach less, or use a model with a longer window",
                "context",
            )
        if not ids:
            raise ValueError("a branch needs at least one id")
        return TorchBranch(self, list(ids), Hold())

    def logits(self, branches: Sequence["TorchBranch"]) -> Tensor:
        """The logits after each branch, fp32 of shape (branches, vocabulary), on the CPU; computed together."""
        streams = [branch.whole() for branch in branches]
        self.loop.add(*streams)
        for stream in streams:
            stream.take()
        found = [stream.hold.logits for stream in streams]
        return torch.stack([one for one in found if one is not None]).cpu()

    def scores(self, ids: Sequence[int]) -> list[float]:
        """The log-probability (nats) of each id after the first, given those before it; in the engine's thread.

        Empty where the network does not tell it in one pass.
        """
        if self.keep.drafts:
            with closing(self.open(ids[:1])) as branch:
                return branch.score([ids[1:]])[0]
        tell = self._tell
        return [] if tell is None else self.loop.do(lambda: tell(ids))

    def close(self) -> None:
        """Free all that is kept; open branches stay usable."""
        self.loop.do(self.keep.clear)
        self.loop.stop()


class TorchBranch:
    """See :class:`~llmos.kernel.engine.Branch`. What is computed of it is in ``hold``, the engine's thread's own."""

    def __init__(self, engine: TorchEngine, ids: list[int], hold: Hold) -> None:
        self._engine = engine
        self._ids = ids
        self._hold = hold

    @property
    def ids(self) -> Sequence[int]:
        """All ids so far, given and sampled."""
        return self._ids

    def read(self) -> Stream:
        """Have all of its ids computed; it is done when the stream's ``take`` returns."""
        stream = self.whole()
        self._engine.loop.add(stream)
        return stream

    def whole(self) -> Stream:
        """What :meth:`read` has computed, not yet begun."""
        return Stream(self._ids, self._hold, speaker())

    def fork(self, n: int) -> list[Branch]:
        """``n`` branches that go on from here; what is shared is computed now, once."""
        self.read().take()
        holds = self._engine.loop.do(lambda: self._engine.keep.fork(self._hold, n))
        return [TorchBranch(self._engine, list(self._ids), hold) for hold in holds]

    def extend(self, ids: Sequence[int]) -> None:
        """Append given ids. Raises BudgetError past the window."""
        if len(self._ids) + len(ids) >= self._engine.window:
            raise BudgetError(
                f"the branch would have {len(self._ids) + len(ids)} tokens of {self._engine.window}", "context"
            )
        self._ids.extend(ids)

    def decode(self, sampling: Sampling, grammar: Grammar | None = None, stop: Sequence[int] = ()) -> "Steps":
        """Sample until a stop id (yielded and kept), ``max_tokens`` or the window's end; begins at once."""
        engine = self._engine
        room = max(0, min(sampling.max_tokens, engine.window - len(self._ids)))
        stream = Stream(self._ids, self._hold, speaker(), sampling, room, grammar, stop, engine.lookup, engine.near)
        return Steps(engine, self._ids, stream, room)

    def score(self, continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        """The log-probability (nats) of each token of each continuation, were it to follow.

        Raises BudgetError for one past the window.
        """
        engine = self._engine
        longest = max(map(len, continuations), default=0)
        if len(self._ids) + longest > engine.window:
            raise BudgetError(f"a continuation would end at {len(self._ids) + longest} of {engine.window}", "context")
        self.read().take()
        return [engine.loop.do(lambda ids=list(ids): self._score(ids)) for ids in continuations]  # type: ignore[misc]

    def close(self, keep: bool = True) -> None:
        """Let go of the keys and values; unless ``keep`` is off they stay a while for prompts that begin alike."""
        self._engine.loop.do(lambda: self._engine.keep.release(self._hold, keep))

    def _score(self, ids: list[int]) -> list[float]:
        """In the engine's thread, in one pass where the network can."""
        keep, first = self._engine.keep, self._hold.logits
        if not ids or first is None:
            return []
        (hold,) = keep.fork(self._hold, 1)
        try:
            parts = [ids[:-1]] if keep.drafts else [[i] for i in ids[:-1]]
            rows = [first[None], *(keep.run([Work(hold, part, every=True)])[0] for part in parts if part)]
        finally:
            keep.release(hold, keep=False)
        logits = torch.cat(rows).cpu()
        chosen = logits.gather(1, torch.tensor(ids)[:, None])[:, 0] - logits.logsumexp(1)
        return [float(one) for one in chosen]


class Steps:
    """What a branch decodes, step by step; each is noted in ``ids`` when it is taken."""

    def __init__(self, engine: TorchEngine, ids: list[int], stream: Stream, room: int) -> None:
        self._engine, self._ids, self._stream = engine, ids, stream
        self._over = not room
        if room:
            engine.loop.add(stream)

    def __iter__(self) -> "Steps":
        return self

    def __next__(self) -> Step:
        if self._over:
            raise StopIteration
        try:
            step = self._stream.take()
        except BaseException:
            self.close()
            raise
        if step is None:
            self.close()
            raise StopIteration
        if self._stream.parked:
            self._engine.loop.ring()
        self._ids.append(step.token)
        return step

    def close(self) -> None:
        """Decode no more; of what the engine was ahead nothing stays."""
        if not self._over:
            self._over = True
            self._engine.loop.do(lambda: self._leave(len(self._ids)))

    def __del__(self) -> None:
        # Nothing is waited for: this may come at any moment, in any thread, whatever that holds.
        if not self._over:
            length = len(self._ids)
            self._engine.loop.soon(lambda: self._leave(length))

    def _leave(self, length: int) -> None:
        self._engine.loop.remove(self._stream)
        self._engine.keep.truncate(self._stream.hold, length)
