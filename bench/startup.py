"""How quickly llmos answers a person: ``--help``, import, first prompt, first token, a plot; beside peers here.

Peers are the commands of ``PEERS`` found on PATH or in ``$LLMOS_PEERS`` (a folder of executables); none is required.
"""

import json as jsonlib
import os
import platform
import pty
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEERS = {"llm": ["llm", "--help"], "smolagents": ["smolagent", "--help"], "gptme": ["gptme", "--help"]}
LLMOS = str(Path(sys.executable).parent / "llmos")


def seconds(command: list[str], runs: int, home: str) -> float:
    """Median wall time of a command over ``runs`` runs, each checked to exit 0."""
    environment = {**os.environ, "LLMOS_HOME": home}
    taken = []
    for _ in range(runs):
        began = time.monotonic()
        subprocess.run(command, check=True, capture_output=True, env=environment, stdin=subprocess.DEVNULL)
        taken.append(time.monotonic() - began)
    return round(statistics.median(taken), 3)


def first_prompt(runs: int, home: str) -> float:
    """Median seconds from the command to the first prompt of a conversation, in a terminal."""
    taken = []
    for _ in range(runs):
        master, slave = pty.openpty()
        environment = {**os.environ, "LLMOS_HOME": home, "TERM": "xterm"}
        began = time.monotonic()
        process = subprocess.Popen([LLMOS], stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        seen = b""
        while b">" not in seen.partition(b"to leave")[2]:
            seen += os.read(master, 65536)
        taken.append(time.monotonic() - began)
        process.kill()
        process.wait()
        os.close(master)
    return round(statistics.median(taken), 3)


ASK = """
import time
from llmos import LLMOS
from llmos.kernel.types import Message, Part, Source, Text
with LLMOS() as system, system.session() as session:
    system.load().count([Message("user", (Part("hello", Source("user")),))], ())  # as a conversation loads it
    began = time.monotonic()
    next(e for e in session.stream("who are you?") if isinstance(e, Text))
    print(time.monotonic() - began)
"""


def first_token(home: str) -> float:
    """Seconds from a request in a fresh process, its model loaded, to the first piece of a short answer."""
    environment = {**os.environ, "LLMOS_HOME": home}
    done = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout.split()[-1])


def measure(runs: int = 7) -> dict[str, float]:
    """Every figure, in seconds or as a ratio."""
    path = os.pathsep.join(filter(None, [os.environ.get("LLMOS_PEERS"), os.environ.get("PATH")]))
    with tempfile.TemporaryDirectory() as home:
        figures = {
            "python_s": seconds([sys.executable, "-c", "pass"], runs, home),
            "help_s": seconds([LLMOS, "--help"], runs, home),
            "import_s": seconds([sys.executable, "-c", "import llmos"], runs, home),
            "first_prompt_s": first_prompt(runs, home),
            "first_token_s": round(statistics.median(first_token(home) for _ in range(runs)), 3),
            "first_plot_s": seconds([LLMOS, "run", "--quiet", "plot funding rounds"], 1, home),
            "second_plot_s": seconds([LLMOS, "run", "--quiet", "plot funding rounds"], 3, home),
            "calculation_s": seconds([LLMOS, "run", "--quiet", "what is 15% of 2480?"], 3, home),
        }
        for name, command in PEERS.items():
            found = shutil.which(command[0], path=path)
            if found:
                figures[f"{name}_help_s"] = seconds([found, *command[1:]], runs, home)
                figures[f"help_over_{name}"] = round(figures["help_s"] / figures[f"{name}_help_s"], 3)
    return figures


def main(json: bool = False) -> None:
    """Measure and print."""
    from llmos.app import VERSION

    figures = measure()
    if json:
        machine = f"{platform.machine()}, {os.cpu_count()} cores"
        print(
            jsonlib.dumps(
                {"name": "startup", "machine": machine, "version": VERSION, "figures": figures, "intervals": {}}
            )
        )
        return
    for key, value in figures.items():
        print(f"{key:24} {value}")


if __name__ == "__main__":
    main()
