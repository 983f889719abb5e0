"""Turns go to the session that has had least, whatever another asks for; nothing is lost when a wait is given up."""

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch

from llmos.kernel.branches import TorchEngine
from llmos.kernel.engine import EngineInfo, Sampling
from llmos.kernel.fair import FairLock, Sharing, speaker, speaking
from llmos.kernel.scripted import Scripted
from llmos.kernel.types import Message, Part, Source


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Crowd:
    """Threads that each take one turn, in the order they came; what each turn costs is in its place."""

    def __init__(self, lock: FairLock, clock: Clock) -> None:
        self.lock, self.clock = lock, clock
        self.order: list[str] = []
        self.threads: list[threading.Thread] = []

    def come(self, name: str, cost: float = 1.0) -> None:
        """A thread that waits before this returns."""

        def turn() -> None:
            with speaking(name), self.lock:
                self.order.append(name)
                self.clock.now += cost

        before = self.lock.waiting()
        self.threads.append(threading.Thread(target=turn, daemon=True))
        self.threads[-1].start()
        until(lambda: self.lock.waiting() > before)

    def go(self) -> str:
        """Let them have their turns; the names in order."""
        self.lock.release()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        return "".join(self.order)


def until(done: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if done():
            return
        time.sleep(0.001)
    raise AssertionError("it never came about")


@pytest.fixture
def crowd() -> Crowd:
    clock = Clock()
    lock = FairLock(clock)
    with speaking("gate"):
        lock.acquire()  # let go by Crowd.go
    return Crowd(lock, clock)


def test_a_flood_does_not_keep_another_waiting(crowd: Crowd) -> None:
    for _ in range(12):
        crowd.come("a")
    for _ in range(3):
        crowd.come("b")
    assert crowd.go() == "abababaaaaaaaaa"


def test_turns_are_counted_in_seconds(crowd: Crowd) -> None:
    for _ in range(3):
        crowd.come("a", 4.0)  # long prompts
    for _ in range(9):
        crowd.come("b", 1.0)
    assert crowd.go() == "abbbbabbbbab"


def test_many_names_take_turns_and_the_first_come_goes_first_within_a_name(crowd: Crowd) -> None:
    for name in "aaabbbccc":
        crowd.come(name)
    assert crowd.go() == "abcabcabc"


def test_who_was_away_saves_nothing_up_and_who_is_new_waits_for_nobodys_past(crowd: Crowd) -> None:
    with speaking("gate"):
        crowd.lock.release()
    for _ in range(50):
        with speaking("a"), crowd.lock:
            crowd.clock.now += 1.0
    with speaking("gate"):
        crowd.lock.acquire()
    for name in "bbbbaaaa":
        crowd.come(name)
    assert crowd.go() == "babababa"


def test_it_can_be_taken_again_by_its_holder_only() -> None:
    lock = FairLock()
    with lock, lock:
        other = threading.Thread(target=lambda: outcome.append(raised(lock.release)))
        outcome: list[type[BaseException] | None] = []
        other.start()
        other.join(10)
    assert outcome == [RuntimeError]
    assert raised(lock.release) is RuntimeError
    with lock:  # free again
        pass


def raised(act: Callable[[], object]) -> type[BaseException] | None:
    try:
        act()
    except BaseException as error:
        return type(error)
    return None


def test_a_wait_that_is_given_up_leaves_nothing_behind(crowd: Crowd) -> None:
    crowd.come("a")
    given_up = threading.Thread(target=lambda: outcome.append(raised(impatient)), daemon=True)
    outcome: list[type[BaseException] | None] = []

    def impatient() -> None:
        with speaking("b"), crowd.lock:
            raise AssertionError("never had a turn")

    given_up.start()
    until(lambda: crowd.lock.waiting() == 2)
    assert given_up.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(given_up.ident), ctypes.py_object(KeyboardInterrupt))
    crowd.come("c")
    assert crowd.go() == "ac"
    given_up.join(10)
    assert outcome == [KeyboardInterrupt]
    with crowd.lock:
        assert crowd.lock.waiting() == 0


def test_ctrl_c_while_it_waits_takes_the_wait_back() -> None:
    lock, held, over = FairLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            until(lambda: lock.waiting() == 1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            over.wait(10)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    held.wait(10)
    with pytest.raises(KeyboardInterrupt):
        lock.acquire()
    assert lock.waiting() == 0
    over.set()
    holder.join(10)
    with lock:
        assert lock.waiting() == 0


def test_it_holds_under_a_storm_and_forgets_whom_it_served() -> None:
    lock, inside, worst = FairLock(), [0], [0]

    def storm(name: int) -> None:
        for _ in range(200):
            with speaking(name % 7), lock:
                inside[0] += 1
                worst[0] = max(worst[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=storm, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert worst == [1]
    assert lock.waiting() == 0
    assert not lock._had
    assert not lock._waiting
    assert not lock._starts


def test_a_session_speaks_in_its_own_name_and_only_while_it_does() -> None:
    heard: list[object] = []

    class Telling(Scripted):
        def reply(self, *given: Any, **more: Any) -> Iterator[Any]:
            for delta in super().reply(*given, **more):
                heard.append(speaker())
                yield delta

    model = Sharing(Telling(["one two"]), "session")
    for _ in model.reply([Message("user", (Part("hi", Source("user")),))], ()):
        assert speaker() == ("thread", threading.get_ident())
    assert set(heard) == {"session"}
    assert (model.name, model.context_length, model.count([], ())) == ("scripted", 100_000, 0)


class Net:
    """A network of which every pass takes a second of the clock."""

    rewindable = True
    info = EngineInfo(vocabulary=8, context_length=1000, parameters=0, device="cpu", dtype="none")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.served: list[object] = []

    def store(self) -> Any:
        class Store:
            def copy(self, length: int) -> "Store":
                return self

            def truncate(self, length: int) -> None: ...

        return Store()

    def run(self, ids: Sequence[int], store: Any) -> torch.Tensor:
        self.served.append(speaker())
        self.clock.now += 1.0
        time.sleep(0.001)  # so that the others come to wait
        return torch.zeros(8)


def test_under_an_engine_one_sessions_threads_have_together_what_another_has() -> None:
    clock = Clock()
    net = Net(clock)
    engine = TorchEngine(net)
    engine.lock = FairLock(clock)
    ready = threading.Barrier(9)

    def decode(name: str, seed: int) -> None:
        ready.wait(10)
        branch = None
        with speaking(name):
            branch = engine.open([1, 2, seed])
            for _ in branch.decode(Sampling(max_tokens=40)):
                pass
            branch.close()

    names = ["flood"] * 8 + ["one"]
    threads = [threading.Thread(target=decode, args=(name, seed)) for seed, name in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(net.served) == 9 * 40
    last = len(net.served) - net.served[::-1].index("one")
    # Alone it would need 40 passes, in one queue with eight others 360; with half of them all, about 80.
    assert last < 140
