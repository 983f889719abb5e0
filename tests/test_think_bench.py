"""What ``llmos bench think`` makes of what it measured: shares by time, runs that were cut off, ways that go on."""

from pathlib import Path
from typing import Any

import pytest

from llmos.bench import _puzzles
from llmos.bench._curves import curve, curves
from llmos.bench._puzzles import Partial, game
from llmos.kernel.planner import Meter, Strategy
from llmos.training.evaluate import wilson
from llmos.training.puzzles import Puzzle

ROWS = [{"right": True, "seconds": 2.0, "tokens": 90}, {"right": False, "seconds": 10.0, "tokens": 900}]
ROWS += [{"right": True, "seconds": 0.5, "tokens": 30}]


def test_the_share_rises_where_a_puzzle_is_solved_and_ends_where_the_last_one_does(tmp_path: Path) -> None:
    x, share, low, high = curve(ROWS, "seconds")
    assert x == [0.01, 0.5, 2.0, 10.0]
    assert share == [0, 1 / 3, 2 / 3, 2 / 3]
    assert (low[-1], high[-1]) == wilson(2, 3)
    curves({"a_standin": ROWS}, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    curves({"a": ROWS, "b": ROWS[1:2]}, tmp_path / "some.png")
    assert (tmp_path / "some.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_goes_on_where_it_was_cut_off_and_more_time_where_less_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[tuple[float | None, Any]] = []

    class Solver:
        most = 3

        def solve(self, puzzle: Puzzle, strategy: Strategy, meter: Meter, **how: Any) -> dict[str, Any]:
            if len(done) == self.most:
                raise KeyboardInterrupt
            done.append((meter.seconds, puzzle))
            # Of the first two puzzles the second is solved at once, the first with more time.
            right = meter.seconds == 60.0 or len(done) == 2
            return {"right": right, "tokens": 5, "seconds": 1.0, "nodes": 3}

    monkeypatch.setattr(_puzzles, "Kernel", Solver)
    monkeypatch.setenv("LLMOS_BENCH_PUZZLES", "2")
    monkeypatch.setenv("LLMOS_BENCH_WAYS", "10s,60s,system1")
    path = tmp_path / "partial.jsonl"
    with pytest.raises(KeyboardInterrupt):
        game(Partial(path))
    Solver.most = 99
    figures, intervals = game(Partial(path))
    assert [seconds for seconds, _ in done] == [10.0, 10.0, 60.0, None, None]
    assert done[2][1] == done[0][1]
    assert (figures["game24_10s"], figures["game24_60s"], figures["game24_system1"]) == (0.5, 1.0, 0.0)
    assert intervals["game24_10s"] == list(wilson(1, 2))
    assert "game24_60s: 2 of 2, 1.00 s, 3 thoughts" in capsys.readouterr().err
