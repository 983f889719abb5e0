"""The engine's thread: it reads for all live streams in one pass, then lets each take a step, and so on.

Threads that want something else done with what is kept leave it as a job, done between two passes. A stream whose
steps nobody takes is left out until somebody does; one that is given up is out with the next pass. The thread starts
when there is something to do and ends when there has been nothing for a while. Knows nothing of text or tools.
"""

import atexit
import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from llmos.kernel.engine import MaskBits, Step
from llmos.kernel.fair import Shares, speaking
from llmos.kernel.holds import Keep, Work, common_prefix
from llmos.kernel.sampler import pick
from llmos.kernel.stream import Stream

T = TypeVar("T")

# Ids of prompts that one pass reads: bounds how long others wait for it, and a long prompt's memory.
CHUNK = 512
# Seconds without work after which the thread ends.
IDLE = 5.0
# With no more streams than this, guesses are worth their time.
GUESSING = 2

_LOOPS: "weakref.WeakSet[Loop]" = weakref.WeakSet()


class Loop:
    """Runs streams over what is kept. ``chunk`` is in tokens."""

    def __init__(self, keep: Keep, chunk: int = CHUNK) -> None:
        self.keep, self.chunk = keep, chunk
        self._bell = threading.Condition()
        self._jobs: deque[Callable[[], None]] = deque()
        self._streams: list[Stream] = []
        self._shares = Shares()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._over = False
        self._passes = 0
        _LOOPS.add(self)

    def add(self, *streams: Stream) -> None:
        """Decode streams from now on, until they end or are removed; several begin together."""
        with self._bell:
            self._streams += streams
            self._wake()

    def remove(self, stream: Stream) -> None:
        """Decode it no more. In the engine's thread, as part of a job."""
        stream.ended = True
        with self._bell:
            if stream in self._streams:
                self._streams.remove(stream)

    def ring(self) -> None:
        """Say that a stream's steps were taken."""
        with self._bell:
            self._wake()

    def do(self, job: Callable[[], T]) -> T:
        """Have something done between two passes; what it returns, or raises."""
        if self._over or threading.current_thread() is self._thread:
            return job()
        done = threading.Event()
        outcome: list[Any] = []

        def work() -> None:
            try:
                outcome.extend((job(), None))
            except BaseException as error:
                outcome.extend((None, error))
            done.set()

        with self._bell:
            self._jobs.append(work)
            self._wake()
        done.wait()
        if outcome[1] is not None:
            raise outcome[1]
        result: T = outcome[0]
        return result

    def soon(self, job: Callable[[], None]) -> None:
        """Have something done between two passes, without waiting for it."""
        if self._over:
            job()
            return
        with self._bell:
            self._jobs.append(job)
            self._wake()

    def stop(self, over: bool = False) -> None:
        """End the thread after its pass. What comes later starts another, unless it is ``over``."""
        with self._bell:
            thread, self._stopping = self._thread, True
            self._bell.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        with self._bell:
            self._stopping, self._over = False, over
            if self._jobs or self._streams:
                self._wake()

    def _wake(self) -> None:
        if self._thread is None and not self._stopping and not self._over:
            self._thread = threading.Thread(target=self._serve, daemon=True, name="llmos-engine")
            self._thread.start()
        self._bell.notify_all()

    @torch.inference_mode()
    def _serve(self) -> None:
        while True:
            with self._bell:
                while not self._stopping and not self._jobs and not any(self._open(s) for s in self._streams):
                    if not self._bell.wait(IDLE):
                        self._thread = None
                        return
                if self._stopping:
                    self._thread = None
                    return
                jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
                asking = sorted((s for s in self._streams if self._open(s)), key=lambda s: s.served)
            for job in jobs:
                job()
            if asking:
                self._guarded([s for s in asking if not s.ended])
            with self._bell:
                self._streams = [s for s in self._streams if not s.ended]

    def _open(self, stream: Stream) -> bool:
        """Whether a stream may go on. One that may not is parked until its steps are taken."""
        stream.parked = not stream.ended and stream.full
        # Looked at again: they may have been taken before the mark was there to see.
        if stream.parked and not stream.full:
            stream.parked = False
        return not stream.ended and not stream.parked

    def _guarded(self, asking: Sequence[Stream]) -> None:
        """A pass that leaves nobody waiting for ever, whatever goes wrong in it."""
        try:
            self._pass(asking)
        except BaseException as error:
            for stream in asking:
                if not stream.ended:
                    stream.fail(error)

    def _pass(self, asking: Sequence[Stream]) -> None:
        """One pass and a step of each stream that is through with its ids."""
        chosen = self._shares.pick(
            asking, lambda s: s.owner, lambda s: float(max(1, min(s.pending, self.chunk))), self.keep.batch
        )
        self._passes += 1
        works: list[tuple[Stream, Work]] = []
        budget = self.chunk
        for stream in chosen:
            stream.served = self._passes
            # What goes wrong with one stream, its grammar for one, is that stream's alone.
            try:
                work = self._prepare(stream, budget, guess=len(chosen) <= GUESSING)
            except Exception as error:
                stream.fail(error)
                continue
            if work is not None and work.ids:
                budget -= len(work.ids)
                works.append((stream, work))
        logits = self._run(works)
        for (stream, _), found in zip(works, logits, strict=True):
            if stream.guessed and not stream.ended:
                try:
                    stream.check(found)
                    self._settle(stream)
                except Exception as error:
                    stream.fail(error)
        guessed = {id(stream) for (stream, work) in works if work.every}
        self._step([s for s in chosen if s.ready and id(s) not in guessed])
        for stream in chosen:
            if stream.reading and not stream.ended and not stream.pending and stream.hold.logits is not None:
                stream.end()

    def _prepare(self, stream: Stream, budget: int, guess: bool) -> Work | None:
        if stream.hold.place is None:
            self.keep.attach(stream.hold, stream.ids)
        stream.advance()
        if stream.ended:
            return None
        if not stream.pending and stream.hold.logits is None:
            self.keep.truncate(stream.hold, len(stream.ids) - 1)
        return stream.want(max(budget, 0), guess and self.keep.drafts)

    def _run(self, works: Sequence[tuple[Stream, Work]]) -> list[Tensor]:
        if not works:
            return []
        try:
            # Networks may want to know for whom they work; of a pass for many it is the first.
            with speaking(works[0][0].owner):
                return self.keep.run([work for _, work in works])
        except BaseException as error:
            for stream, _ in works:
                stream.fail(error)
            return [torch.empty(0)] * len(works)

    def _step(self, streams: Sequence[Stream]) -> None:
        """A token of each, all picked at once."""
        able: list[Stream] = []
        masks: list[MaskBits | None] = []
        for stream in streams:
            try:
                masks.append(stream.mask())
            except Exception as error:
                stream.fail(error)
            else:
                able.append(stream)
        if not able:
            return
        logits = torch.stack([s.hold.logits for s in able if s.hold.logits is not None])
        steps: list[Step | None] = [None] * len(able)
        # One that fails is found by picking for each alone.
        with contextlib.suppress(Exception):
            steps = [*pick([s.sampler for s in able], logits, masks)]
        for n, (stream, step) in enumerate(zip(able, steps, strict=True)):
            try:
                stream.push(step or stream.sampler.pick(logits[n], masks[n]))
            except Exception as error:
                stream.fail(error)

    def _settle(self, stream: Stream) -> None:
        """Forget guesses that did not hold."""
        right = common_prefix(stream.hold.ids, stream.ids)
        # The last id's logits were not trusted, or are gone with the guesses after it.
        again = right == len(stream.ids) and not stream.ended
        self.keep.truncate(stream.hold, right - 1 if again else right)


@atexit.register
def _stop_all() -> None:
    # A thread that computes while the interpreter goes down takes the process with it.
    for loop in list(_LOOPS):
        loop.stop(over=True)
