"""Branches in one batch over a shared prefix: the same tokens as alone, computed once, kept within bounds, fair."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llmos.kernel.branches import TorchBranch, TorchEngine
from llmos.kernel.engine import Sampling, Step
from llmos.kernel.errors import BudgetError
from llmos.kernel.fallback import TransformersNet
from llmos.kernel.lean import Lean
from llmos.kernel.loop import Loop
from llmos.kernel.stores import Stores
from llmos.kernel.stream import AHEAD
from llmos.kernel.tree import Tree

PROMPT = [(7 * n) % 400 for n in range(120)]


@pytest.fixture(scope="module")
def folder(qwen3_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_folder(tmp_path_factory.mktemp("branches"))


@pytest.fixture
def engine(folder: Path) -> TorchEngine:
    return TorchEngine(Lean(folder))


def decode(branch: Any, tokens: int = 12, **how: Any) -> list[int]:
    return [s.token for s in branch.decode(Sampling(max_tokens=tokens, **how))]


def woven(branches: Sequence[Any], tokens: int, **how: Any) -> list[list[int]]:
    """Decode all, a token of each in turn."""
    streams = [b.decode(Sampling(max_tokens=tokens, seed=n, **how)) for n, b in enumerate(branches)]
    out: list[list[int]] = [[] for _ in streams]
    for _ in range(tokens):
        for one, stream in zip(out, streams, strict=True):
            one.append(next(stream).token)
    return out


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_branch_among_31_others_says_what_it_says_alone(
    engine: TorchEngine, folder: Path, temperature: float
) -> None:
    root = engine.open(PROMPT)
    branches = root.fork(32)
    for n, branch in enumerate(branches):
        branch.extend([n + 1, *range(n % 5)])
    together = woven(branches, 20, temperature=temperature)
    assert isinstance(engine.keep, Tree)
    assert engine.computed == len(PROMPT) + sum(1 + n % 5 for n in range(32)) + 32 * 19
    for n in (0, 1, 4, 17, 31):
        fresh = TorchEngine(Lean(folder)).open([*PROMPT, n + 1, *range(n % 5)])
        assert decode(fresh, 20, temperature=temperature, seed=n) == together[n]
    assert len({tuple(t) for t in together}) > 16


def test_branches_of_branches_share_all_that_is_above_them(engine: TorchEngine, folder: Path) -> None:
    root = engine.open(PROMPT)
    prompts = []
    leaves: list[Any] = []
    for n, branch in enumerate(root.fork(3)):
        branch.extend([300 + n] * 20)
        for m, leaf in enumerate(branch.fork(2)):
            leaf.extend([m])
            leaves.append(leaf)
            prompts.append([*PROMPT, *[300 + n] * 20, m])
    assert engine.computed == len(PROMPT) + 3 * 20
    together = woven(leaves, 10)
    assert together == [decode(TorchEngine(Lean(folder)).open(p), 10) for p in prompts]
    for leaf in leaves[:-1]:
        leaf.close()
    grown = [*prompts[-1], *together[-1]]
    assert decode(leaves[-1], 5) == decode(TorchEngine(Lean(folder)).open(grown), 5)


def test_a_turn_goes_on_from_the_last_and_sessions_share_their_persona(engine: TorchEngine) -> None:
    first = engine.open([*PROMPT, 1, 2, 3])
    said = decode(first, 10)
    first.close()
    before = engine.computed
    decode(engine.open([*PROMPT, 1, 2, 3, *said, 9, 9]), 1)
    assert engine.computed == before + 1 + 2
    # Another session, and one that is still at work.
    decode(engine.open([*PROMPT, 50, 51]), 1)
    assert engine.computed == before + 3 + 2
    live = engine.open([5] * 60)
    decode(live, 1)
    before = engine.computed
    decode(engine.open([*[5] * 50, 6, 7]), 1)
    assert engine.computed == before + 2


def test_many_sessions_at_once_each_get_their_own_answer(engine: TorchEngine, folder: Path) -> None:
    prompts = [[n, *range(30 + 3 * n)] for n in range(16)]
    got: dict[int, list[int]] = {}
    threads = [
        threading.Thread(target=lambda n=n, p=p: got.update({n: decode(engine.open(p), 15)}))
        for n, p in enumerate(prompts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for n in (0, 7, 15):
        assert got[n] == decode(TorchEngine(Lean(folder)).open(prompts[n]), 15)


def test_a_long_prompt_does_not_hold_up_who_is_talking(folder: Path) -> None:
    engine = TorchEngine(Lean(folder))
    engine.loop.chunk = 32
    talking = engine.open([1, 2, 3]).decode(Sampling(max_tokens=200))
    next(talking)
    reading = engine.open([3] * 400)
    stream = reading.read()
    said = [next(talking) for _ in range(20)]
    assert len(said) == 20
    assert stream.take() is None
    assert decode(reading, 3) == decode(TorchEngine(Lean(folder)).open([3] * 400), 3)
    talking.close()


def test_who_takes_no_steps_is_left_out_and_goes_on_where_it_was(engine: TorchEngine, folder: Path) -> None:
    slow = engine.open(PROMPT)
    steps = slow.decode(Sampling(max_tokens=3 * AHEAD))
    said = [next(steps).token]
    other = engine.open([9, 8, 7])
    assert len(decode(other, 2 * AHEAD)) == 2 * AHEAD
    assert engine.computed <= len(PROMPT) + AHEAD + 5 + 3 + 2 * AHEAD
    said += [s.token for s in steps]
    assert said == decode(TorchEngine(Lean(folder)).open(PROMPT), 3 * AHEAD)


def test_branches_begin_together_before_a_step_of_any_is_taken(engine: TorchEngine, monkeypatch: Any) -> None:
    passes: list[int] = []
    kept = Tree.run

    def run(self: Tree, works: Sequence[Any]) -> list[torch.Tensor]:
        passes.append(len(works))
        return kept(self, works)

    monkeypatch.setattr(Tree, "run", run)
    forks = engine.open(PROMPT).fork(8)
    held = threading.Event()
    threading.Thread(target=lambda: engine.loop.do(held.wait)).start()  # so that no pass begins before all have asked
    passes.clear()
    streams = [f.decode(Sampling(max_tokens=20, temperature=1.0, seed=n)) for n, f in enumerate(forks)]
    held.set()
    assert [len(list(stream)) for stream in streams] == [20] * 8
    assert passes == [8] * 19


def test_a_reply_that_is_forgotten_is_out_and_the_branch_goes_on_behind_what_was_taken(
    engine: TorchEngine, folder: Path
) -> None:
    branch = engine.open(PROMPT)
    steps = branch.decode(Sampling(max_tokens=300))
    said = [next(steps).token for _ in range(3)]
    del steps
    said += decode(branch, 5)
    assert said == decode(TorchEngine(Lean(folder)).open(PROMPT), 8)
    assert engine.loop._streams == []
    list(branch.decode(Sampling(max_tokens=0)))
    assert list(branch.ids) == [*PROMPT, *said]


def test_a_reply_may_be_given_up_at_any_token(engine: TorchEngine, folder: Path) -> None:
    wanted = decode(TorchEngine(Lean(folder)).open(PROMPT), 30)
    branch = engine.open(PROMPT)
    for tokens in (1, 2, 5, 9):
        steps = branch.decode(Sampling(max_tokens=30))
        for _ in range(tokens):
            next(steps)
        steps.close()
    assert list(branch.ids) == [*PROMPT, *wanted[:17]]
    assert decode(branch, 5) == wanted[17:22]


class Breaking:
    """A grammar that fails after some tokens."""

    def __init__(self, after: int) -> None:
        self.left = after

    def mask(self, room: int | None = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("the grammar broke")

    def accept(self, token: int) -> bool:
        return True

    def forced(self) -> list[int]:
        return []

    def fork(self) -> "Breaking":
        return self


def test_what_goes_wrong_with_one_branch_is_its_own(engine: TorchEngine, folder: Path) -> None:
    one, two = engine.open(PROMPT).fork(2)
    broken = one.decode(Sampling(max_tokens=20), Breaking(3))
    well = two.decode(Sampling(max_tokens=20))
    said = [next(well).token]
    assert [type(next(broken)) for _ in range(3)] == [Step] * 3
    with pytest.raises(RuntimeError, match="the grammar broke"):
        next(broken)
    said += [s.token for s in well]
    assert said == decode(TorchEngine(Lean(folder)).open(PROMPT), 20)


class Nothing(Breaking):
    """A grammar that allows nothing."""

    def mask(self, room: int | None = None) -> Any:
        return np.zeros(20, dtype=np.int32)


def test_a_grammar_that_allows_nothing_ends_its_own_branch_alone(engine: TorchEngine, folder: Path) -> None:
    one, two = engine.open(PROMPT).fork(2)
    stuck = one.decode(Sampling(max_tokens=20, temperature=1.0), Nothing(0))
    well = two.decode(Sampling(max_tokens=20))
    said = [next(well).token]
    with pytest.raises(ValueError, match="no token may come next"):
        next(stuck)
    said += [s.token for s in well]
    assert said == decode(TorchEngine(Lean(folder)).open(PROMPT), 20)


def test_guessing_from_the_context_changes_nothing_and_saves_passes(folder: Path) -> None:
    copying = [*range(50, 90)] * 4
    for prompt in (copying, PROMPT, [1] * 30):
        for how in ({}, {"temperature": 0.3, "seed": 4}):
            plain = TorchEngine(Lean(folder))
            guessing = TorchEngine(Lean(folder), lookup=True)
            wanted = decode(plain.open(prompt), 60, **how)
            branch = guessing.open(prompt)
            assert decode(branch, 60, **how) == wanted
            assert guessing.loop._passes <= plain.loop._passes + 2
            grown = [*prompt, *wanted]
            assert decode(branch, 5) == decode(TorchEngine(Lean(folder)).open(grown), 5)


def test_given_continuations_are_scored_as_they_would_be_decoded(engine: TorchEngine, folder: Path) -> None:
    branch = engine.open(PROMPT)
    steps = list(branch.decode(Sampling(max_tokens=6)))
    fresh = engine.open(PROMPT)
    ids = [s.token for s in steps]
    (same, other, none) = fresh.score([ids, [3, 4, 5], []])
    assert same == pytest.approx([s.logprob for s in steps], abs=1e-4)
    assert len(other) == 3
    assert none == []
    assert list(fresh.ids) == PROMPT
    assert sum(other) < sum(same)
    plain = TorchEngine(Plain(Lean(folder)))
    assert plain.open(PROMPT).score([ids])[0] == pytest.approx(same, abs=1e-4)
    with pytest.raises(BudgetError):
        fresh.score([[1] * 500])


def test_a_text_is_scored_whole_while_others_decode(engine: TorchEngine, folder: Path) -> None:
    decoding = engine.open(PROMPT[::-1]).decode(Sampling(max_tokens=30))
    said = [next(decoding).token]
    found = engine.scores(PROMPT)
    said += [step.token for step in decoding]
    assert said == decode(TorchEngine(Lean(folder)).open(PROMPT[::-1]), 30)
    assert len(found) == len(PROMPT) - 1
    for n in (1, 5, 119):
        row = engine.logits([engine.open(PROMPT[:n])])[0]
        assert found[n - 1] == pytest.approx(float(row.log_softmax(0)[PROMPT[n]]), abs=1e-4)
    assert engine.scores(PROMPT[:1]) == []
    assert TorchEngine(TransformersNet(folder)).scores(PROMPT) == pytest.approx(found, abs=1e-3)
    # One id after another it would take too long.
    assert TorchEngine(Plain(Lean(folder))).scores(PROMPT) == []


def test_logits_of_many_branches_come_at_once(engine: TorchEngine) -> None:
    branches = [b for b in engine.open(PROMPT).fork(3) if isinstance(b, TorchBranch)]
    branches[1].extend([4])
    branches[2].extend([5])
    logits = engine.logits(branches)
    assert logits.shape == (3, engine.info.vocabulary)
    for branch, row in zip(branches, logits, strict=True):
        assert decode(branch, 1) == [int(row.argmax())]


class Plain:
    """The lean network as one that reads a sequence at a time."""

    rewindable = True

    def __init__(self, net: Lean) -> None:
        self.net, self.info = net, net.info

    def store(self) -> Any:
        net = self.net

        class Store:
            def __init__(self) -> None:
                self.rows = net.rows()
                self.row = self.rows.take()

            def copy(self, length: int) -> "Store":
                made = Store()
                made.rows.append(made.row, self.rows.read(self.row, 0, length, net.dtype))
                return made

            def truncate(self, length: int) -> None:
                self.rows.lengths[self.row] = length

        return Store()

    def run(self, ids: Sequence[int], store: Any) -> torch.Tensor:
        from llmos.kernel.attend import Piece

        return self.net.run([Piece(store.row, ids)], store.rows)[0][0]


def test_a_network_that_reads_one_sequence_says_the_same(folder: Path, engine: TorchEngine) -> None:
    plain = TorchEngine(Plain(Lean(folder)))
    assert isinstance(plain.keep, Stores)
    wanted = woven(engine.open(PROMPT).fork(3), 8, temperature=1.0)
    assert woven(plain.open(PROMPT).fork(3), 8, temperature=1.0) == wanted


def test_an_engine_stops_and_starts_again(engine: TorchEngine, folder: Path) -> None:
    branch = engine.open(PROMPT)
    said = decode(branch, 4)
    engine.close()
    assert not any(t.name == "llmos-engine" and t is engine.loop._thread for t in threading.enumerate())
    said += decode(branch, 4)
    assert said == decode(TorchEngine(Lean(folder)).open(PROMPT), 8)


def test_an_idle_engine_has_no_thread(engine: TorchEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmos.kernel.loop.IDLE", 0.01)
    decode(engine.open(PROMPT), 2)
    thread = engine.loop._thread
    assert isinstance(engine.loop, Loop)
    if thread is not None:
        thread.join(20)
    assert engine.loop._thread is None
    assert len(decode(engine.open(PROMPT), 2)) == 2
