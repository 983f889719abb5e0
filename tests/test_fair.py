"""Turns go to the session that has had least, whatever another asks for."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from llmos.kernel.branches import TorchEngine
from llmos.kernel.engine import EngineInfo, Sampling
from llmos.kernel.fair import Shares, Sharing, speaker, speaking
from llmos.kernel.scripted import Scripted
from llmos.kernel.types import Message, Part, Source


def turns(shares: Shares, queue: Sequence[tuple[str, float]], times: int) -> str:
    """Who has the next ``times`` turns, of (name, cost) that all wait."""
    waiting, order = list(queue), ""
    for _ in range(times):
        (one,) = shares.pick(waiting, lambda w: w[0], lambda w: w[1], 1)
        waiting.remove(one)
        order += one[0]
    return order


def test_a_name_that_asks_often_has_no_more_than_one_that_asks_once_in_a_while() -> None:
    assert turns(Shares(), [("a", 1.0)] * 5 + [("b", 1.0)] * 2, 7) == "ababaaa"


def test_what_a_turn_costs_counts() -> None:
    assert turns(Shares(), [("a", 3.0)] * 3 + [("b", 1.0)] * 6, 7).count("b") == 5


def test_who_comes_late_waits_for_nothing_that_was_had_before_and_who_was_away_saves_nothing_up() -> None:
    shares = Shares()
    assert turns(shares, [("a", 1.0)] * 50, 50) == "a" * 50
    assert turns(shares, [("a", 1.0)] * 4 + [("b", 1.0)] * 4, 6) in ("bababa", "ababab")
    turns(shares, [("a", 1.0)] * 50, 50)
    assert turns(shares, [("b", 1.0)] * 4 + [("a", 1.0)] * 4, 6).count("b") == 3


def test_of_many_at_once_each_name_has_as_many() -> None:
    asking = [("flood", n) for n in range(20)] + [("one", 0), ("two", 0)]
    picked = Shares().pick(asking, lambda w: w[0], lambda w: 1.0, 6)
    assert [name for name, _ in picked].count("flood") == 4
    assert {"one", "two"} <= {name for name, _ in picked}
    assert [n for name, n in picked if name == "flood"] == [0, 1, 2, 3]


def test_nobody_is_remembered_for_good() -> None:
    shares = Shares()
    for n in range(100):
        shares.pick([n], lambda w: w, lambda w: 1.0, 1)
    assert len(shares._had) <= 1


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
    """A network that notes for whom each pass is."""

    rewindable = True
    info = EngineInfo(vocabulary=8, context_length=1000, parameters=0, device="cpu", dtype="none")

    def __init__(self) -> None:
        self.served: list[object] = []

    def store(self) -> Any:
        class Store:
            def copy(self, length: int) -> "Store":
                return self

            def truncate(self, length: int) -> None: ...

        return Store()

    def run(self, ids: Sequence[int], store: Any) -> torch.Tensor:
        self.served.append(speaker())
        time.sleep(0.001)  # so that the others come to wait
        return torch.zeros(8)


def test_under_an_engine_one_sessions_threads_have_together_what_another_has() -> None:
    net = Net()
    engine = TorchEngine(net)
    ready = threading.Barrier(9)

    def decode(name: str, seed: int) -> None:
        ready.wait(10)
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
        thread.join(60)
    assert len(net.served) == 9 * 40
    last = len(net.served) - net.served[::-1].index("one")
    # Alone it would need 40 passes, in one queue with eight others 360; with half of them all, about 80.
    assert last < 140
