"""How Chromium is started: which one, and bubblewrap's arguments for a box with no network, no files and no devices.

The box is made like Python's (sandbox_launch), with two differences: Chromium may make namespaces of its own inside,
for the walls between its processes, and its system-call filter lets it have Internet sockets, which reach nothing but
the box's own empty network.
"""

import errno
import os
import platform
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

from llmos.tools import sandbox_launch, seccomp
from llmos.tools.browser_inside import PORT
from llmos.tools.sandbox_launch import INSIDE

OUT = "/run/out"  # the folder of the proxy's socket, as the box sees it
_PLACES = (
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/usr/lib64/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/opt/google/chrome-beta/chrome",
    "/opt/chromium.org/chromium/chrome",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome-headless-shell")
_MEMORY = {"/tmp": 256 << 20, "/dev/shm": 256 << 20}
# Chromium may make namespaces and shared memory, which the filter of Python's box refuses; not these.
_REFUSED = (
    "bpf", "perf_event_open", "keyctl", "add_key", "request_key", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "userfaultfd", "mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "kexec_load", "kexec_file_load", "init_module", "finit_module",
    "delete_module", "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat", "acct", "syslog", "reboot", "swapon",
    "swapoff", "settimeofday", "clock_settime", "process_vm_writev", "vmsplice", "setns", "quotactl", "fanotify_init",
)  # fmt: skip
_FAMILIES = (1, 2, 10, 16)  # Unix; IPv4, IPv6 and netlink of the box's own empty network
_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--user-data-dir=/tmp/profile", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--disable-breakpad", "--disable-crash-reporter",
    "--disable-domain-reliability", "--no-pings", "--metrics-recording-only",
    "--disable-client-side-phishing-detection",
    "--disable-search-engine-choice-screen", "--disable-gpu", "--hide-scrollbars", "--mute-audio",
    "--password-store=basic", "--use-mock-keychain", "--disable-popup-blocking", "--disable-prompt-on-repost",
    "--disable-ipc-flooding-protection", "--disable-hang-monitor", "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-dev-shm-usage",
    # One process for all frames of a tab: there is nothing of the user's to keep one site from another.
    "--disable-site-isolation-trials", "--renderer-process-limit=4",
    "--disable-features=IsolateOrigins,site-per-process,Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,"
    "InterestFeedContentSuggestions,CalculateNativeWinOcclusion,AutofillServerCommunication,NetworkPrediction,"
    "PreloadMediaEngagementData,PreconnectToSearch,PaintHolding,WebRtcHideLocalIpsWithMdns,SpareRendererForSitePerProcess",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp", "--force-webrtc-ip-handling-policy",
    "--dns-prefetch-disable",
    "--lang=en-US", "--window-size=1280,900", "--blink-settings=imagesEnabled=true",
)  # fmt: skip


def find(extra: Sequence[str] = ()) -> str:
    """The Chromium of this machine: the system's, Chrome, or the one that Playwright brought; empty where none is."""
    chosen = os.environ.get("LLMOS_CHROMIUM")
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    brought = [str(p) for p in sorted(cache.glob("chromium-*/chrome-linux*/chrome"), reverse=True)]
    for path in (*([chosen] if chosen else []), *extra, *_PLACES, *brought):
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return os.path.realpath(path)
    # Last: on many systems these are shell scripts or wrappers of another packaging system.
    named = (shutil.which(name) for name in _NAMES)
    return next((os.path.realpath(path) for path in named if path and _is_program(path)), "")


def _is_program(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def program(machine: str) -> bytes:
    """The box's system-call filter. Raises ValueError for a machine whose numbers are not known."""
    if machine not in seccomp.ARCHITECTURES:
        raise ValueError(f"no system-call filter for {machine}")
    intel = machine == "x86_64"
    numbers = {name: (a if intel else b) for name, a, b in seccomp.numbers()}
    load, equal, at_least, done = 0x20, 0x15, 0x35, 0x06
    refuse = 0x00050000 | errno.EPERM
    code = [(load, 0, 0, 4), (equal, 1, 0, seccomp.ARCHITECTURES[machine]), (done, 0, 0, 0x80000000), (load, 0, 0, 0)]
    if intel:
        code += [(at_least, 0, 1, 0x40000000), (done, 0, 0, 0x80000000)]
    for name in _REFUSED:
        if numbers.get(name, -1) >= 0:
            code += [(equal, 0, 1, numbers[name]), (done, 0, 0, refuse)]
    # Sockets of other families (AF_VSOCK is in no namespace), and pushing input into a terminal.
    jumps = len(_FAMILIES)
    code += [(equal, 0, jumps + 3, numbers["socket"]), (load, 0, 0, 16)]
    code += [(equal, jumps - index, 0, family) for index, family in enumerate(_FAMILIES)]
    code += [(done, 0, 0, 0x00050000 | errno.EAFNOSUPPORT), (load, 0, 0, 0)]
    code += [(equal, 0, 4, numbers["ioctl"]), (load, 0, 0, 24), (equal, 0, 1, 0x5412), (done, 0, 0, refuse)]
    code += [(load, 0, 0, 0), (done, 0, 0, 0x7FFF0000)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def chromium(path: str, pin: str) -> list[str]:
    """Chromium's command line; ``pin`` is the hash of the proxy's certificate."""
    return [
        path,
        *_FLAGS,
        f"--proxy-server=http://127.0.0.1:{PORT}",
        "--proxy-bypass-list=<-loopback>",
        f"--ignore-certificate-errors-spki-list={pin}",
        "about:blank",
    ]


def command(path: str, pin: str, folder: str, pipe: tuple[int, int], seccomp_fd: int, status: int) -> list[str]:
    """The whole command line: Chromium at ``path`` in a box, whose way out is the socket in ``folder``."""
    made = sandbox_launch.plan(Path(folder))
    here = Path(__file__).resolve().parent
    shown = {place: source for place, source in made.shown.items() if not place.startswith((INSIDE, "/tmp"))}
    shown = {place: source for place, source in shown.items() if "-packages" not in place}
    shown[f"{INSIDE}/browser_inside.py"] = f"{here}/browser_inside.py"
    home = os.path.dirname(path)
    if not path.startswith("/usr/") and not any(Path(home).is_relative_to(place) for place in shown):
        shown[home] = home
    run = [made.python, "-I", "-S", "-B", f"{INSIDE}/browser_inside.py", f"{OUT}/proxy", str(pipe[0]), str(pipe[1])]
    run += chromium(path, pin)
    if os.getuid():
        return _bubblewrap(shown, shown, folder, run, seccomp_fd, status)
    stage = sandbox_launch.staging()
    staged = {place: f"{stage}/{index}" for index, place in enumerate(shown)}
    pairs = [(shown[place], name) for place, name in staged.items()]
    inner = _bubblewrap(shown, staged, f"{stage}/out", run, seccomp_fd, status)
    return sandbox_launch.as_nobody(stage, [*pairs, (folder, f"{stage}/out")], inner)


def _bubblewrap(
    shown: dict[str, str], sources: dict[str, str], out: str, run: Sequence[str], seccomp_fd: int, status: int
) -> list[str]:
    line = [sandbox_launch.bubblewrap() or "bwrap", "--unshare-user", "--unshare-all", "--uid", "1000", "--gid", "1000"]
    line += ["--hostname", "browser", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for name, value in {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}.items():
        line += ["--setenv", name, value]
    line += ["--ro-bind", "/usr", "/usr", "--size", "4096", "--tmpfs", "/usr/local", "--dir", "/etc"]
    line += [*sandbox_launch.system_folders(), "--proc", "/proc"]
    for name in sandbox_launch.HIDDEN:
        if os.path.exists(f"/proc/{name}"):
            line += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    line += ["--dev", "/dev"]
    for name, size in _MEMORY.items():
        line += ["--size", str(size), "--tmpfs", name]
    for place in shown:
        line += ["--ro-bind", sources[place], place]
    line += ["--ro-bind", out, OUT]
    for place in ("/dev", "/usr/local", "/"):
        line += ["--remount-ro", place]
    return [*line, "--chdir", "/tmp", "--seccomp", str(seccomp_fd), "--json-status-fd", str(status), "--", *run]


def filter_for_this_machine() -> bytes:
    """:func:`program` for the machine that runs us."""
    return program(platform.machine())
