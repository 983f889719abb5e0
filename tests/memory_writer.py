"""A process of its own that adds documents to a memory, one after the other, and tells of each that is kept."""

import os
import subprocess
import sys
from pathlib import Path

CHILD = """
import sys
from pathlib import Path
import numpy as np
from llmos.memory.chunks import Chunk
from llmos.memory.record import Document
from llmos.memory.store import Memory
name, count = sys.argv[2], int(sys.argv[3])
memory = Memory(Path(sys.argv[1]), lambda texts: np.full((len(texts), 384), 384 ** -0.5, dtype=np.float32))
for n in range(count):
    title = f"{name}-{n}"
    chunks = [Chunk(f"{title} part {i}") for i in range(1 + n % 40)]
    memory.add(Document(f"file:{title}", title, title), chunks)
    print(title, flush=True)
    if not n % 3:
        memory.search(title, 1)
"""


def child(home: Path, name: str, count: int, **environment: str) -> "subprocess.Popen[str]":
    """Start it: documents ``name-0`` and so on, of 1 to 40 passages."""
    command = [sys.executable, "-c", CHILD, str(home), name, str(count)]
    around = {**os.environ, **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=around)
