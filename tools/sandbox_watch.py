"""What a box uses, as the host sees it: its processes, their memory, what they wrote, what lies in its folders.

Resource limits alone do not do: an address space limit counts neither shared pages nor adds up processes, and a bound
folder has no quota. Memory is PSS (shared pages divided among their users), read only when the cheaper RSS is high
enough to matter. Not seen: kernel memory behind sockets and pipes, which the process and descriptor limits bound.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from llmos.kernel import beneath

TEMPORARY = {"tmp": 64 << 20, "dev/shm": 16 << 20}  # the box's own folders in memory, bytes
_FULL = "filled the session's files to their quota (llmos clean makes room)"
_INODES = 20_000  # in the box's own temporary folders: a tmpfs bounds bytes, and its inodes are kernel memory


@dataclass(frozen=True, slots=True)
class Limits:
    """What a box may use. Bytes, counts, seconds; ``memory`` and ``processes`` are of the whole tree of processes."""

    memory: int = 1 << 30
    address_space: int = 2 << 30  # of one process
    processes: int = 24
    tasks: int = 96  # processes and threads
    disk: int = 512 << 20  # in the workspace
    files: int = 5_000
    total: int = 1 << 40  # in the workspace, with what was there before
    total_files: int = 1 << 40
    file: int = 64 << 20  # the largest single file
    written: int = 8 << 30  # over the box's life, files deleted since included
    cpu: int = 3_600  # of one process, over the box's life
    idle_cpu: float = 20.0  # of all, while no cell runs
    output: int = 400_000  # characters that a cell may print
    figures: int = 8  # per cell
    start: float = 30.0
    grace: float = 2.0  # between the interrupt and the kill

    def room(self, base: beneath.Usage, part: int = 1) -> beneath.Usage:
        """What the workspace may hold in all, with what was in it before; of what may be added the ``part``-th part."""
        size, files = min(self.disk, self.total - base.size), min(self.files, self.total_files - base.files)
        return beneath.Usage(base.size + max(size, 0) // part, base.files + max(files, 0) // part)


@dataclass(slots=True)
class Watch:
    """The measurements of one box, by the pid of its first process (as the host numbers it)."""

    root: int
    workspace: Path
    limits: Limits
    base: beneath.Usage = field(default_factory=beneath.Usage)
    peak: int = 0
    _written: dict[int, int] = field(default_factory=dict)

    def violation(self) -> str:
        """Which limit is exceeded right now, in a few words, or an empty string."""
        pids = tree(self.root, self.limits.processes + 1)  # no longer: a fork bomb is to be ended at once
        if len(pids) > self.limits.processes:
            return f"made more than {self.limits.processes} processes"
        memory = self._memory(pids)
        self.peak = max(self.peak, memory)
        if memory > self.limits.memory:
            return f"used more than {_megabytes(self.limits.memory)} of memory"
        return self._folders() or self._disk(pids)

    def cpu(self) -> float:
        """Seconds of CPU that the living processes have used."""
        ticks = 0
        for pid in tree(self.root):
            text = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            ticks += int(text[11]) + int(text[12]) if len(text) > 12 else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def _memory(self, pids: list[int]) -> int:
        resident = {pid: _resident(pid) for pid in pids}
        total = sum(resident.values())
        if total <= self.limits.memory // 2:
            return total
        # An unreadable one (it made itself so) counts with all its resident pages.
        return sum(_proportional(pid) or resident[pid] for pid in pids)

    def _disk(self, pids: list[int]) -> str:
        for pid in pids:
            for line in _read(f"/proc/{pid}/io").splitlines():
                if line.startswith("write_bytes:"):
                    self._written[pid] = max(self._written.get(pid, 0), int(line.split()[1]))
        if sum(self._written.values()) > self.limits.written:
            return f"wrote more than {_megabytes(self.limits.written)}"
        try:
            held = beneath.usage(self.workspace)
        except beneath.TooDeep as error:
            return f"made {error}"
        except OSError:
            return ""
        most, limits = self.limits.room(self.base), self.limits
        if held.size > most.size:
            full = most.size < self.base.size + limits.disk
            return _FULL if full else f"filled more than {_megabytes(limits.disk)} of disk"
        if held.files > most.files:
            full = most.files < self.base.files + limits.files
            return _FULL if full else f"made more than {limits.files} files"
        return ""

    def _folders(self) -> str:
        for name, size in TEMPORARY.items():
            try:
                status = os.statvfs(f"/proc/{self.root}/root/{name}")
            except OSError:
                continue
            # While bubblewrap still prepares, this is the host's folder: told by its size.
            if status.f_blocks * status.f_frsize == size and status.f_files - status.f_ffree > _INODES:
                return f"made more than {_INODES} files in /{name}"
        return ""


def tree(root: int, most: int = 4096) -> list[int]:
    """The pids of a process and its descendants, up to ``most``. Orphans belong: a box's first process adopts them."""
    found: list[int] = []
    queue = [root]
    while queue and len(found) < most:
        pid = queue.pop()
        found.append(pid)
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in tasks:
            queue += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    return found


def _resident(pid: int) -> int:
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _proportional(pid: int) -> int:
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB"
