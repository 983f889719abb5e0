"""What policy costs, and what it lets through: the time of one decision, a captured model's calls, everyday tasks.

Decisions are timed with arguments of up to 2,000 characters and twenty grants in the file, in milliseconds; the large
ones carry 100,000 characters. On a machine that does other work the clock's 99th percentile is that of the waiting.
There is no peer: elsewhere no decision takes its place.
The attacks and the everyday tasks are those of ``tests/``, run by pytest: beside an installation without tests these
figures are left out. ``hijack_cases`` have each a control, which shows that the effect happens without the guard.
"""

import json as jsonlib
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from llmos.kernel.audit import canonical
from llmos.kernel.policy import EVERYTHING, Grant, Grants, State, decide, rules
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.types import Label

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("test_hijacked.py", "test_hijack_cases.py", "test_hijack_changes.py")
CONTROLS = ("test_with_a_policy_that_allows_all", "test_without_the_copy", "test_the_same_code_without_a_box")
DECISIONS, LARGE = 40_000, 100_000


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object; 1 where an attack had its effect."""
    figures = {**speed(), **(attacks() if (ROOT / "tests").is_dir() else {})}
    if json:
        from llmos.app import VERSION

        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        found = {"name": "policy", "machine": machine, "version": VERSION, "figures": figures, "intervals": {}}
        print(jsonlib.dumps(found))
    else:
        for name, value in figures.items():
            print(f"{name:24} {value:12,.4g}")
    return int(figures.get("hijack_unauthorised", 0) > 0)


def speed() -> dict[str, float]:
    """Milliseconds of one decision, by the clock and of the CPU: median and 99th percentile."""
    rng = random.Random(7)
    rules()  # read from the file once a process
    found = {}
    for name, count, size in (("decide", DECISIONS, 2_000), ("decide_large", DECISIONS // 20, LARGE)):
        taken = _decisions(rng, count, size)
        for kind, times in zip(("", "_cpu"), zip(*taken, strict=True), strict=True):
            ranked = sorted(times)
            for mark, share in (("p50", 0.5), ("p99", 0.99)):
                found[f"{name}{kind}_{mark}_ms"] = round(ranked[int(share * (len(ranked) - 1))], 5)
    return found


def _decisions(rng: random.Random, count: int, size: int) -> list[tuple[float, float]]:
    """The times of random decisions: of every kind of tool, label, state and grants."""
    kinds = [None, *(frozenset(rng.sample(sorted(EVERYTHING), n)) for n in (0, 1, 1, 1, 2, 3, 4))]
    tools = [None, *(Tool(f"t{n}", "", {}, lambda a, c: ToolOutput(""), does) for n, does in enumerate(kinds))]
    labels = [Label(), Label((), "untrusted"), Label((), "trusted", "user"), Label((), "untrusted", "user")]
    where = [(), (("to", "mum"),), (("to", "mum"), ("body", "*"))]
    many = tuple(Grant(f"t{rng.randrange(12)}", rng.choice(where)) for _ in range(20))
    held = [Grants(), Grants(many[:10], many[10:]), Grants(many)]
    texts = [
        canonical({"to": "mum", "body": "x" * rng.randrange(size // 2, size), "list": [1, 2.5, None], "n": {"a": True}})
        for _ in range(64)
    ]
    taken = []
    for _ in range(count):
        tool, text, label, grants = rng.choice(tools), rng.choice(texts), rng.choice(labels), rng.choice(held)
        state = State(rng.random() < 0.5, rng.random() < 0.5, rng.random() < 0.5)
        attended, secret = rng.random() < 0.5, rng.random() < 0.1
        began, used = time.perf_counter(), time.thread_time()
        decide(tool, text, label, state, grants, attended, secret)
        now, since = time.perf_counter(), time.thread_time()
        taken.append(((now - began) * 1000, (since - used) * 1000))
    return taken


def attacks() -> dict[str, float]:
    """A captured model's cases and the everyday tasks, as their tests find them."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        files = [str(ROOT / "tests" / name) for name in TESTS]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]
        command += [f"--junitxml={report}", *files]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    controls = [case for case in cases if _control(case.attrib)]
    real = [case for case in cases if not _control(case.attrib)]
    told = {p.attrib["name"]: float(p.attrib["value"]) for case in cases for p in case.iter("property")}
    return {
        "hijack_cases": len(controls),
        "hijack_runs": len(real),
        "hijack_unauthorised": sum(map(_failed, real)),
        "hijack_empty": sum(map(_failed, controls)),
        **told,
    }


def _control(case: Mapping[str, str]) -> bool:
    """Whether a test shows what happens without the guard."""
    name = case["name"]
    return name.startswith(CONTROLS) or name.endswith("control]") or "[control" in name


def _failed(case: ElementTree.Element) -> bool:
    return any(case.find(kind) is not None for kind in ("failure", "error"))


if __name__ == "__main__":
    raise SystemExit(main("--json" in sys.argv))
