"""Whether this host can have the sandbox, and if not, the one command that mends it."""

import functools
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from llmos.tools import sandbox_launch, seccomp

_INSTALL = (
    ("apt-get", "sudo apt-get install bubblewrap"),
    ("dnf", "sudo dnf install bubblewrap"),
    ("pacman", "sudo pacman -S bubblewrap"),
    ("zypper", "sudo zypper install bubblewrap"),
    ("apk", "sudo apk add bubblewrap"),
)
# A setting of the kernel, the value that forbids user namespaces, and the command that allows them.
_SETTINGS = (
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
_CONTAINER = "start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined"


@functools.cache
def self_test() -> str:
    """An empty string, or one line: why there is no sandbox on this host, and what mends it. Once a process; some 40
    ms."""
    if sys.platform != "linux":
        return "the Python sandbox needs Linux: run llmos in WSL2, a virtual machine or a container"
    if platform.machine() not in seccomp.ARCHITECTURES:
        return f"the Python sandbox knows x86_64 and aarch64, not {platform.machine()}"
    if not sandbox_launch.bubblewrap():
        return f"bubblewrap is not installed: {_install()}"
    try:
        problem = _try()
    except (OSError, subprocess.SubprocessError) as error:
        problem = str(error)
    return explain(problem) if problem else ""


def explain(problem: str) -> str:
    """The line for an error text of bubblewrap or of its launcher."""
    if "nknown option" in problem:
        return f"bubblewrap 0.8 or newer is needed ({problem}): {_install()}"
    problem = re.sub(r"^(bwrap|unshare): ", "", problem)
    for name, forbidding, command in _SETTINGS:
        if _setting(name) == forbidding and os.getuid():
            return f"user namespaces are off on this host ({problem}): {command}"
    if re.search(r"namespace|unshare|uid map|permitted|mount", problem, re.I):
        extra = "" if os.getuid() else " --cap-add SYS_ADMIN --security-opt apparmor=unconfined"
        return f"this host lets no sandbox be made ({problem}): {_CONTAINER}{extra}"
    return f"the sandbox does not start ({problem}): see llmos doctor"


def _try() -> str:
    """Make the real box around an empty program; its last error line, empty when it ran."""
    with tempfile.TemporaryDirectory(prefix="llmos-") as folder:
        made = sandbox_launch.plan(Path(folder))
        if not os.getuid():
            os.chown(folder, sandbox_launch.NOBODY, sandbox_launch.NOBODY)
        filter_read, filter_write = os.pipe()
        os.write(filter_write, seccomp.program(platform.machine()))
        os.close(filter_write)
        try:
            done = subprocess.run(
                sandbox_launch.command(made, [made.python, "-I", "-S", "-c", "pass"], filter_read, 2),
                env=sandbox_launch.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[filter_read],
                timeout=20,
                cwd="/",
            )
        finally:
            os.close(filter_read)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else (lines or [f"exit status {done.returncode}"])[-1]


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""


def _install() -> str:
    return next((line for tool, line in _INSTALL if shutil.which(tool)), "install bubblewrap with your package manager")
