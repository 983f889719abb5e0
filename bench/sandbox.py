"""The Python sandbox against a bare ipykernel, unsandboxed, in the same run: what the box costs.

Cold is from nothing to the value of ``1 + 1``; warm is one more such cell; the figures are medians in milliseconds, the
two sides taking turns. ``plot_ms`` (no peer) is from nothing to a finished figure of a table, libraries included. It
does not know what the machine does meanwhile: run it on an idle one.
"""

import json as jsonlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmos.tools.sandbox import Sandbox, self_test
from llmos.tools.sandbox_wire import Wire

COLD, WARM, PLOTS = 7, 60, 3
PLOT = "ax = load('rounds').plot(x='date', y='amount')\ntrend(ax, until=2026)"


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object; 1 where this host allows no sandbox."""
    problem = self_test()
    if problem:
        print(problem)
        return 1
    samples = measure()
    figures = {name: round(statistics.median(taken), 2) for name, taken in samples.items()}
    figures["cold_ratio"] = round(figures["cold_ms"] / figures["bare_cold_ms"], 3)
    figures["warm_over_bare_ms"] = round(figures["warm_ms"] - figures["bare_warm_ms"], 2)
    intervals = {name: [round(value, 2) for value in _interval(taken)] for name, taken in samples.items()}
    if json:
        from llmos.app import VERSION

        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        found = {"name": "sandbox", "machine": machine, "version": VERSION, "figures": figures, "intervals": intervals}
        print(jsonlib.dumps(found))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value:10.2f}   {intervals.get(name, '')}")
    return 0


def measure() -> dict[str, list[float]]:
    """Every figure's samples in milliseconds, the two sides taking turns."""
    found: dict[str, list[float]] = {name: [] for name in ("cold_ms", "bare_cold_ms", "warm_ms", "bare_warm_ms")}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(COLD):
            ours, theirs = _boxed(Path(folder)), _bare()
            for name, side in (("", ours), ("bare_", theirs)):
                cold, cell, close = side
                found[f"{name}cold_ms"].append(cold)
                time.sleep(1.0)  # past the box's imports in the background
                found[f"{name}warm_ms"] += [_timed(cell) for _ in range(WARM // COLD)]
                close()
    found["plot_ms"] = [_plot() for _ in range(PLOTS)]
    return found


_Side = tuple[float, Callable[[], Any], Callable[[], Any]]


def _boxed(folder: Path) -> _Side:
    """A box: the time of its first cell, a cell to repeat, its end."""
    began = time.perf_counter()
    box = Sandbox(folder)
    assert box.execute("1 + 1").value == "2"
    return (time.perf_counter() - began) * 1000, lambda: box.execute("1 + 1"), box.close


def _bare() -> _Side:
    """An ipykernel as jupyter_client starts it; its warm cells go over our own wire, so that only the box differs."""
    from jupyter_client.manager import KernelManager

    began = time.perf_counter()
    manager: Any = KernelManager(transport="ipc", ip=f"{tempfile.mkdtemp(prefix='bare-')}/k")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute_interactive("1 + 1", output_hook=lambda _: None)
    cold = (time.perf_counter() - began) * 1000
    client.stop_channels()
    info = manager.get_connection_info()
    names = ("shell", "control", "iopub")
    wire = Wire({name: f"{info['ip']}-{info[f'{name}_port']}" for name in names}, info["key"])

    def cell() -> None:
        until = time.monotonic() + 10
        request = wire.send("shell", "execute_request", {"code": "1 + 1", "silent": False, "store_history": True})
        waiting = {"execute_reply", "status idle"}
        while waiting and time.monotonic() < until:
            message = wire.next(until)
            if message is not None and message.parent == request:
                waiting -= {message.kind, f"{message.kind} {message.content.get('execution_state')}"}
        assert not waiting

    def close() -> None:
        wire.close()
        manager.shutdown_kernel(now=True)

    return cold, cell, close


def _plot() -> float:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rounds.csv").write_text("date,amount\n2017-07,12.5\n2018-02,20\n2019-05,31\n2021-03,44\n")
        began = time.perf_counter()
        with Sandbox(Path(folder)) as box:
            assert len(box.execute(PLOT).figures) == 1
            return (time.perf_counter() - began) * 1000


def _timed(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _interval(taken: list[float]) -> list[float]:
    """The middle 95% of the samples."""
    ranked = sorted(taken)
    return [ranked[round(share * (len(ranked) - 1))] for share in (0.025, 0.975)]


if __name__ == "__main__":
    raise SystemExit(main())
