"""The browser on loopback: from nothing to the first page, later pages over Chromium's own load time, memory over 50.

Pages are small ones of this machine, so that what is measured is llmos and Chromium, not a network. Run it on an idle
machine; there is no peer.
"""

import json as jsonlib
import os
import platform
import statistics
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from llmos.tools.browser_check import self_test
from llmos.tools.browser_session import Web
from llmos.tools.egress import Gate
from llmos.tools.marks import Marks
from llmos.tools.sandbox_watch import tree

COLD, PAGES = 5, 50
_ROW = "<tr><td>{0}</td><td>{1}</td></tr>"


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """A page of some 40 paragraphs and links, the same each time."""
        pieces = [f"<h2>Part {i}</h2><p>Some words about {i}. <a href='/{i}'>More of {i}</a></p>" for i in range(40)]
        body = f"<!doctype html><title>Page {self.path}</title>{''.join(pieces)}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def measure() -> tuple[dict[str, float], dict[str, list[float]]]:
    """The figures, and the middle 95% of their samples."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://localhost:{server.server_port}/"
    samples: dict[str, list[float]] = {"first_page_ms": [], "later_page_ms": [], "own_load_ms": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(COLD):
            web = _web(folder, server.server_port)
            samples["first_page_ms"].append(_timed(lambda web=web: web.open(home)))
            web.close()
        web = _web(folder, server.server_port)
        web.open(home)
        memory = []
        for number in range(PAGES):
            samples["later_page_ms"].append(_timed(lambda number=number: web.open(f"{home}{number}")))
            samples["own_load_ms"].append(_own(web))
            memory.append(_memory(web))
        web.close()
    server.shutdown()
    figures = {name: round(statistics.median(taken), 1) for name, taken in samples.items()}
    over = [a - b for a, b in zip(samples["later_page_ms"], samples["own_load_ms"], strict=True)]
    figures["over_own_ms"] = round(statistics.median(over), 1)
    figures["memory_after_5_mb"], figures["memory_after_50_mb"] = memory[4], memory[-1]
    return figures, {name: [round(v, 1) for v in _interval(taken)] for name, taken in samples.items()}


def _web(folder: str, port: int) -> Web:
    return Web(Path(folder), Gate.of([f"localhost:{port}"]), lambda name, body: name, Marks())


def _own(web: Web) -> float:
    """What Chromium itself says its navigation took, until the load event's end."""
    assert web._chromium is not None
    told = web._chromium.now.script(
        "(t => t.loadEventEnd - t.startTime)(performance.getEntriesByType('navigation')[0])"
    )
    return float(told)


def _memory(web: Web) -> float:
    """Megabytes that the browser's processes hold, shared pages divided (PSS)."""
    assert web._chromium is not None
    total = 0
    for pid in tree(web._chromium.box.pid()):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
    return round(total / 1024, 1)


def _timed(act: object) -> float:
    assert callable(act)
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _interval(taken: list[float]) -> list[float]:
    ranked = sorted(taken)
    return [ranked[round(share * (len(ranked) - 1))] for share in (0.025, 0.975)]


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object; 1 where this host allows no browser."""
    problem = self_test()
    if problem:
        print(problem)
        return 1
    figures, intervals = measure()
    if json:
        from llmos.app import VERSION

        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(
            jsonlib.dumps(
                {"name": "browser", "machine": machine, "version": VERSION, "figures": figures, "intervals": intervals}
            )
        )
    else:
        for name, value in figures.items():
            print(f"{name:20} {value:10.1f}   {intervals.get(name, '')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
