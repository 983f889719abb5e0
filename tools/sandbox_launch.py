"""How a box is started: bubblewrap's arguments, and for root a private staging of what the box may see.

bubblewrap must not be started by uid 0 (the box could then write ``/proc/sys`` and escape its process limit), but an
unprivileged user cannot reach an interpreter under ``/root`` or a workspace in a 0700 folder. So root first binds these
into a folder of a mount namespace of its own, and drops the uid after.
"""

import contextlib
import os
import shlex
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmos.tools.sandbox_watch import TEMPORARY

NOBODY = 65534
INSIDE = "/run/box"  # where llmos's own inside modules are seen
WORKSPACE = "/session"  # not /workspace: on rented machines that is where the checkout lies
FONTS = "/tmp/mpl"
_MODULES = (
    "sandbox_main", "sandbox_prelude", "sandbox_load", "sandbox_convert", "sandbox_figures", "sandbox_finish",
    "sandbox_names", "sandbox_record", "sandbox_show", "sandbox_trend",
)  # fmt: skip
HIDDEN = (
    "cmdline", "config.gz", "kallsyms", "kcore", "key-users", "keys", "kmsg", "latency_stats", "modules",
    "sched_debug", "slabinfo", "sysrq-trigger", "timer_list", "version", "vmallocinfo",
)  # fmt: skip
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(slots=True)
class Plan:
    """What a box sees of the host: ``shown`` maps a place in the box to its source; ``workspace`` alone is writable."""

    workspace: Path
    shown: dict[str, str] = field(default_factory=dict)
    python: str = ""
    path: list[str] = field(default_factory=list)


def plan(workspace: Path) -> Plan:
    """The interpreter that runs us, the folders of installed packages, our inside modules, and the workspace."""
    executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    sites = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    # Not the whole prefix: one configured with --prefix=$HOME would show the home folder.
    libraries = [str(Path(sys.base_prefix) / "lib"), sysconfig.get_path("stdlib")]
    made = Plan(workspace.resolve(), python=executable)
    for source in (*libraries, *(os.path.realpath(site) for site in sites), executable):
        system = source.startswith("/usr/") and not source.startswith("/usr/local/")
        there = system or any(Path(source).is_relative_to(shown) for shown in made.shown)
        if source not in ("/usr", "/lib", "/") and not there and os.path.exists(source):
            made.shown[source] = source
    made.path = [INSIDE, *(os.path.realpath(site) for site in sites if os.path.isdir(site))]
    here = Path(__file__).resolve().parent
    for package in ("llmos", "llmos/tools"):
        made.shown[f"{INSIDE}/{package}/__init__.py"] = f"{here}/__init__.py"
    for module in _MODULES:
        made.shown[f"{INSIDE}/llmos/tools/{module}.py"] = f"{here}/{module}.py"
    made.shown.update(_fonts())
    return made


def _fonts() -> dict[str, str]:
    """matplotlib's list of the host's fonts, if its owner has one: finding them anew takes a third of a second."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "matplotlib")
    lists = [path for path in cache.glob("fontlist-v*.json") if path.is_file()] if cache.is_dir() else []
    return {f"{FONTS}/{path.name}": str(path) for path in lists}


def command(made: Plan, run: Sequence[str], seccomp: int, status: int) -> list[str]:
    """The whole command line: ``run`` in a box, with descriptors of the filter and for bubblewrap's status."""
    if os.getuid():
        return _bubblewrap(made, made.shown, str(made.workspace), run, seccomp, status)
    stage = staging()
    staged = {place: f"{stage}/{index}" for index, place in enumerate(made.shown)}
    workspace = f"{stage}/workspace"
    pairs = [(made.shown[place], name) for place, name in staged.items()]
    inner = _bubblewrap(made, staged, workspace, run, seccomp, status)
    return as_nobody(stage, [*pairs, (str(made.workspace), workspace)], inner)


def as_nobody(stage: str, pairs: Sequence[tuple[str, str]], inner: Sequence[str]) -> list[str]:
    """For root: ``inner`` as nobody, with each source bound to its name below ``stage`` in a private namespace."""
    script = ["set -e", f"mount -t tmpfs -o mode=755,size=256k llmos {shlex.quote(stage)}"]
    for source, name in pairs:
        make = "mkdir" if os.path.isdir(source) else "touch"
        script.append(f"{make} {shlex.quote(name)} && mount --bind {shlex.quote(source)} {shlex.quote(name)}")
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--"]
    script.append("exec " + shlex.join([*drop, *inner]))
    return ["/usr/bin/unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-c", "\n".join(script)]


def staging() -> str:
    """An empty folder that everybody can reach, as a mount point; in the host's own namespace it stays empty."""
    for parent in ("/run", "/tmp", "/var/tmp"):
        if os.path.isdir(parent) and os.stat(parent).st_mode & stat.S_IXOTH and os.access(parent, os.W_OK):
            folder = f"{parent}/llmos-stage"
            os.makedirs(folder, 0o755, exist_ok=True)
            status = os.lstat(folder)
            if stat.S_ISDIR(status.st_mode) and status.st_uid == 0:
                return folder
    raise OSError("no folder for staging that every user can reach")


def socket_folder() -> str:
    """A new private folder whose path is short enough for a Unix socket's name; those of dead processes are removed."""
    base = tempfile.gettempdir()
    base = base if len(base) < 60 else "/tmp"
    for old in Path(base).glob("llmos-box-*-*"):
        owner = old.name.split("-")[2]
        with contextlib.suppress(OSError):
            if owner.isdigit() and not os.path.exists(f"/proc/{owner}") and old.lstat().st_uid == os.getuid():
                shutil.rmtree(old)
    return tempfile.mkdtemp(prefix=f"llmos-box-{os.getpid()}-", dir=base)


def bubblewrap() -> str:
    """bubblewrap's path, or an empty string."""
    return shutil.which("bwrap", path=environment()["PATH"]) or shutil.which("bwrap") or ""


def environment() -> dict[str, str]:
    """bubblewrap's own environment: the box can read it in ``/proc/1/environ``."""
    return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}


def _bubblewrap(
    made: Plan, sources: dict[str, str], workspace: str, run: Sequence[str], seccomp: int, status: int
) -> list[str]:
    line = [
        bubblewrap() or "bwrap",
        "--unshare-user",
        "--unshare-all",
        "--disable-userns",
        "--uid",
        "1000",
        "--gid",
        "1000",
    ]
    line += ["--hostname", "sandbox", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for name, value in _variables(made).items():
        line += ["--setenv", name, value]
    line += ["--ro-bind", "/usr", "/usr", "--size", "4096", "--tmpfs", "/usr/local", "--dir", "/etc", *system_folders()]
    line += ["--proc", "/proc"]
    for name in HIDDEN:
        if os.path.exists(f"/proc/{name}"):
            line += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    line += ["--dev", "/dev"]
    for name, size in TEMPORARY.items():
        line += ["--size", str(size), "--tmpfs", f"/{name}"]
    for place in made.shown:  # after the temporary file systems: a checkout may lie in /tmp
        line += ["--ro-bind", sources[place], place]
    line += ["--bind", workspace, WORKSPACE]
    # Each tmpfs left writable is memory without a limit: bubblewrap's root, /dev and /usr/local are three.
    for place in ("/dev", "/usr/local", "/"):
        line += ["--remount-ro", place]
    return [*line, "--chdir", WORKSPACE, "--seccomp", str(seccomp), "--json-status-fd", str(status), "--", *run]


def system_folders() -> list[str]:
    """bubblewrap's arguments for the system's folders beside /usr."""
    line: list[str] = []
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if os.path.islink(f"/{name}"):
            line += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif os.path.isdir(f"/{name}"):
            line += ["--ro-bind", f"/{name}", f"/{name}"]
    for name in ("fonts", "ld.so.cache", "alternatives", "localtime"):
        line += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return line


def _variables(made: Plan) -> dict[str, str]:
    return {
        "PATH": f"{os.path.dirname(made.python)}:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(made.path[1:]),  # for a Python that the code starts itself
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": WORKSPACE,
        "USER": "sandbox",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "XDG_CACHE_HOME": "/tmp/cache",
        "IPYTHONDIR": "/tmp/ipython",
        "MPLCONFIGDIR": FONTS,
        "MPLBACKEND": "agg",
        **dict.fromkeys(_THREADS, "1"),
    }
