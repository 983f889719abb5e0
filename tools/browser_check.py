"""Whether this host can have the browser, and if not, the one command that mends it."""

import functools
import importlib.util
import os
import shutil
import sys

from llmos.tools import browser_launch, sandbox_check

MODULES = ("cryptography", "trafilatura", "pypdf")
_INSTALL = (
    ("apt-get", "sudo apt-get install chromium"),
    ("dnf", "sudo dnf install chromium"),
    ("pacman", "sudo pacman -S chromium"),
    ("zypper", "sudo zypper install chromium"),
    ("apk", "sudo apk add chromium"),
)


@functools.cache
def self_test() -> str:
    """An empty string, or one line: why there is no browser on this host, and what mends it. Once a process."""
    if problem := missing():
        return problem
    # The same box as Python's, but for what Chromium needs more; that it starts shows at the first page.
    return sandbox_check.self_test()


def missing() -> str:
    """What is not installed, without trying anything."""
    if sys.platform != "linux":
        return "the browser needs Linux: run llmos in WSL2, a virtual machine or a container"
    lacking = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if lacking:
        return f"the browser's packages are not installed ({', '.join(lacking)}): pip install 'llmos[browser]'"
    if not browser_launch.find():
        install = next((line for tool, line in _INSTALL if shutil.which(tool)), "install Chromium or Chrome")
        return f"there is no Chromium: {install}"
    return ""


def told() -> str:
    """Which Chromium is used."""
    path = browser_launch.find()
    kind = "Playwright's" if "ms-playwright" in path else "Chrome" if "google" in path else "the system's Chromium"
    return f"{kind}, {os.path.dirname(path)}, in a box without network"
