"""The passes in C: they compute what transformers and torch do, the same for a token whatever is computed beside it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from test_lean import KINDS, theirs

from llmos.kernel import lean, native
from llmos.kernel.attend import Piece
from llmos.kernel.branches import TorchEngine
from llmos.kernel.engine import Sampling
from llmos.kernel.lean import Lean
from llmos.kernel.native import Library
from llmos.kernel.rows import Rows

SIZES = {"hidden_size": 96, "intermediate_size": 208, "head_dim": 48, "dtype": "bfloat16", "vocab_size": 301}
SIZES |= {"max_position_embeddings": 512}
# As many heads as keys, groups of two, one for all.
HEADS = (4, 2, 1)
Maker = Callable[..., Lean]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The library: built for this run, where it was not."""
    if not native.wanted() or native.compiler() is None:
        pytest.skip("no native library here: the processor, LLMOS_NATIVE or no compiler")
    found = native.find()
    if found is None:
        with pytest.MonkeyPatch.context() as patch:
            place = tmp_path_factory.mktemp("native")
            patch.setattr(native, "places", lambda: [place])
            found = Library(native.build())
    if not found.level:
        pytest.skip("this processor has no AVX2")
    return found


@pytest.fixture(params=[1, 2], ids=["AVX2", "AVX-512"])
def level(request: pytest.FixtureRequest, built: Library, monkeypatch: pytest.MonkeyPatch) -> int:
    """Nets load with the library, which uses these instructions."""
    if request.param > built.level:
        pytest.skip("not on this processor")
    other = Library(built.path)
    other.level = request.param
    monkeypatch.setattr(lean, "library", lambda: other)
    return other.level


def plain(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Lean:
    """The same network on torch alone."""
    with monkeypatch.context() as patch:
        patch.setattr(lean, "library", lambda: None)
        return Lean(folder, **settings)


def far(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """How far apart, as a share of the size."""
    return float((got - wanted).norm() / wanted.norm())


def a_random_net(folder: Path, **more: Any) -> Lean:
    theirs("Qwen3", {**SIZES, "num_key_value_heads": 2, **more}, folder)
    net = Lean(folder, dtype=torch.bfloat16)
    assert net.native is not None
    return net


def some_ids(count: int, seed: int = 2) -> list[int]:
    made: list[int] = torch.randint(0, 300, (count,), generator=torch.Generator().manual_seed(seed)).tolist()
    return made


@pytest.mark.parametrize(("kind", "more"), KINDS, ids=[f"{k} {' '.join(m)}" for k, m in KINDS])
@pytest.mark.parametrize("groups", HEADS)
@pytest.mark.usefixtures("level")
def test_each_architecture_computes_what_transformers_does(
    kind: str, more: dict[str, Any], groups: int, tmp_path: Path
) -> None:
    model = theirs(kind, {**more, **SIZES, "num_key_value_heads": groups}, tmp_path).bfloat16().float()
    net = Lean(tmp_path, dtype=torch.bfloat16)
    assert net.native is not None
    ids = some_ids(150)
    with torch.inference_mode():
        wanted = model(torch.tensor([ids])).logits[0]

    def close(got: torch.Tensor, start: int) -> None:
        assert far(got, wanted[start : start + len(got)]) < 0.05

    rows = net.rows()
    row = rows.take()
    close(net.run([Piece(row, ids[:70])], rows)[0], 69)
    close(net.run([Piece(row, ids[70:71])], rows)[0], 70)
    close(net.run([Piece(row, ids[71:90], every=True)], rows)[0], 71)
    run = rows.read(row, 0, 80, net.dtype)
    halves = (run[..., :20, :].contiguous(), run[..., 20:, :].contiguous())
    own, one, two, three = (rows.take() for _ in range(4))
    rows.append(own, run)
    for at in (80, 81):
        out = net.run(
            [Piece(n, ids[at : at + 1], path) for n, path in ((own, ()), (one, (run,)), (two, halves))]
            + [Piece(three, ids[at + 3 * (at - 80) :][: 4 - (at - 80)], (run,), every=True)],
            rows,
        )
        for logits in out[:3]:
            close(logits, at)
        close(out[3], at + 3 * (at - 80))


def shared(net: Lean, ids: list[int]) -> tuple[Rows, tuple[torch.Tensor, ...]]:
    """Rows, and runs of 70 and 63 of the ids."""
    rows = net.rows()
    row = rows.take()
    net.run([Piece(row, ids[:133])], rows)
    runs = rows.read(row, 0, 70, net.dtype), rows.read(row, 70, 133, net.dtype)
    rows.give(row)
    return rows, runs


@pytest.mark.usefixtures("level")
def test_a_token_has_the_same_logits_whatever_is_beside_it_and_however_its_past_is_kept(tmp_path: Path) -> None:
    net, ids = a_random_net(tmp_path), some_ids(220)
    rows = net.rows()
    row = rows.take()
    whole = net.run([Piece(row, ids, every=True)], rows)[0]
    # One by one, in a row of its own.
    other = rows.take()
    net.run([Piece(other, ids[:131])], rows)
    alone = torch.cat([net.run([Piece(other, [i])], rows)[0] for i in ids[131:]])
    assert torch.equal(alone, whole[131:])
    # Behind shared runs, among others that share all of them, one, or none.
    rows, (one, two) = shared(net, ids)
    mine = rows.take()
    others: list[tuple[int, tuple[torch.Tensor, ...]]] = [(rows.take(), (one, two)) for _ in range(9)]
    others += [(rows.take(), (one,)) for _ in range(4)]
    others += [(rows.take(), ()) for _ in range(3)]
    found = []
    for step, token in enumerate(ids[133:]):
        pieces = [Piece(n, some_ids(1 + (n + step) % 3, n * step), path) for n, path in others[: step % 17]]
        pieces.insert(step % (len(pieces) + 1), Piece(mine, [token], (one, two)))
        out = net.run(pieces, rows)
        found.append(out[next(n for n, p in enumerate(pieces) if p.row == mine)])
    assert torch.equal(torch.cat(found), whole[133:])


@pytest.mark.usefixtures("level")
def test_greedy_branches_say_the_same_alone_and_among_31_others(tmp_path: Path) -> None:
    net, prompt = a_random_net(tmp_path), some_ids(100)
    alone = [s.token for s in TorchEngine(net).open(prompt).decode(Sampling(max_tokens=60))]
    branches = TorchEngine(net).open(prompt).fork(32)
    streams = [
        b.decode(Sampling(max_tokens=60, temperature=0.0 if n % 2 else 1.0, seed=n)) for n, b in enumerate(branches)
    ]
    said: list[list[int]] = [[] for _ in streams]
    for steps in zip(*streams, strict=True):
        for tokens, step in zip(said, steps, strict=True):
            tokens.append(step.token)
    assert all(tokens == alone for tokens in said[1::2])
    assert any(tokens != alone for tokens in said[::2])


@pytest.mark.usefixtures("level")
def test_guesses_change_nothing_though_no_lead_is_asked_for(tmp_path: Path) -> None:
    net, prompt = a_random_net(tmp_path), some_ids(12) * 8
    assert net.exact
    # Few words, so that some come again.
    few = Sampling(max_tokens=120, bias=tuple((i, 100.0) for i in prompt[:4]))
    said = []
    for lookup in (False, True):
        engine = TorchEngine(net, lookup=lookup)
        engine.near = 0.0
        said.append([s.token for s in engine.open(prompt).decode(few)])
        said.append([engine.loop._passes])
    assert said[0] == said[2]
    assert said[3] < said[1], "nothing was guessed"


@pytest.mark.usefixtures("level")
def test_it_says_what_torch_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, ids = a_random_net(tmp_path), some_ids(200)
    other = plain(tmp_path, monkeypatch, dtype=torch.bfloat16)
    assert other.native is None
    found = []
    for one in (net, other):
        rows, runs = shared(one, ids)
        pieces = [Piece(rows.take(), ids[133 : 134 + n], runs[: n % 3], every=bool(n % 2)) for n in range(7)]
        found.append(torch.cat(one.run(pieces, rows)))
    assert far(found[0], found[1]) < 0.05


@pytest.mark.usefixtures("level")
def test_large_numbers_stay_numbers(tmp_path: Path) -> None:
    model = theirs("Llama", {**SIZES, "num_key_value_heads": 2}, tmp_path)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1000.0)
    model.save_pretrained(tmp_path)
    net = Lean(tmp_path, dtype=torch.bfloat16)
    rows = net.rows()
    row = rows.take()
    for ids in (some_ids(100), [5], [7, 8]):
        assert bool(net.run([Piece(row, ids, every=True)], rows)[0].isfinite().all())


@pytest.mark.usefixtures("level")
def test_ids_and_positions_that_there_are_not_are_refused_and_change_nothing(tmp_path: Path) -> None:
    net = a_random_net(tmp_path)
    rows = net.rows()
    row = rows.take()
    net.run([Piece(row, [1, 2, 3])], rows)
    for bad in ([301], [-1], [4] * 510):
        with pytest.raises(IndexError):
            net.run([Piece(row, bad)], rows)
        assert rows.lengths[row] == 3


def test_many_threads_compute_at_once_and_so_does_a_child(
    built: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "library", lambda: built)
    net, ids = a_random_net(tmp_path), some_ids(90)
    net.cores = 4

    def compute() -> torch.Tensor:
        rows = net.rows()
        row = rows.take()
        return torch.cat(
            [net.run([Piece(row, part, every=True)], rows)[0] for part in (ids[:60], ids[60:61], ids[61:])]
        )

    wanted = compute()
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(n for n in range(40) if not torch.equal(compute(), wanted))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    child = os.fork()
    if not child:
        os._exit(0 if torch.equal(compute(), wanted) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for thread in threads:
        thread.join()
    assert wrong == []


def test_without_a_compiler_or_when_turned_off_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[int] = []
    monkeypatch.setattr(native, "_start_build", lambda: started.append(1))
    monkeypatch.setattr(native, "places", lambda: [tmp_path, tmp_path / "cache"])
    look = native.library.__wrapped__
    monkeypatch.setattr(native, "compiler", lambda: None)
    assert look() is None
    assert native.main() == 0
    assert "no C compiler" in capsys.readouterr().out
    assert started == []
    monkeypatch.setattr(native, "compiler", lambda: "/usr/bin/cc")
    assert look() is None
    assert started == [1]
    monkeypatch.setenv("LLMOS_NATIVE", "0")
    assert look() is None
    assert started == [1]


@pytest.fixture
def place(built: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which the library is built, in a moment."""
    monkeypatch.setattr(native, "places", lambda: [tmp_path])
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, "-O0", "-Werror"))
    native._name.cache_clear()
    yield tmp_path
    native._name.cache_clear()


def test_a_broken_file_is_not_loaded_and_built_anew(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert native.main() == 0
    made = next(place.glob("native-*.so"))
    whole = made.read_bytes()
    assert native.find() is not None
    for broken in (b"", b"\x7fELF", whole[:5000], whole[:3000] + b"x" + whole[3001:]):
        made.unlink()
        made.write_bytes(broken)
        assert native.find() is None
    assert native.main() == 0
    assert native.find() is not None
    assert str(made) in capsys.readouterr().out.splitlines()[-1]


def test_what_others_may_write_is_not_loaded(place: Path) -> None:
    native.build()
    assert native.find() is not None
    place.chmod(0o777)
    assert native.find() is None


def test_where_the_package_cannot_be_written_it_goes_to_the_cache(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "places", lambda: [Path("/proc/none"), tmp_path / "cache"])
    assert native.build().parent == tmp_path / "cache"
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert native.find() is not None


def test_a_compiler_that_fails_is_told_of_and_not_tried_at_every_start(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(native, "FLAGS", ("--no-such-flag",))
    native._name.cache_clear()
    started: list[int] = []
    monkeypatch.setattr(native, "_start_build", lambda: started.append(1))
    assert native.main() == 0
    assert "no native library" in capsys.readouterr().out
    assert native.library.__wrapped__() is None
    assert started == []


def test_processes_that_build_at_once_do_it_once(built: Library, tmp_path: Path) -> None:
    code = f"""if True:
        import sys, pathlib
        from llmos.kernel import native
        native.places = lambda: [pathlib.Path({str(tmp_path)!r})]
        native.FLAGS += ("-O0",)
        sys.exit(native.main(behind=True))"""
    own = {**os.environ, "TMPDIR": str(tmp_path)}
    call = [sys.executable, "-c", code]
    running = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=own) for _ in range(3)]
    said = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(list(tmp_path.glob("native-*.so"))) == 1
    assert not list(tmp_path.glob("*.part"))
    assert sum("native library: " in line and "no " not in line for line in said) >= 1


def test_the_build_behind_a_start_leaves_the_library(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command))
    assert native.library.__wrapped__() is None
    for thread in threading.enumerate():
        if thread.name == "llmos-native-build":
            thread.join()
    assert asked == [[sys.executable, "-P", "-m", "llmos.kernel.native", "--behind"]]
