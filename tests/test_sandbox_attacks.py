"""Attacks on the Python sandbox, through its public door. After each of them the session goes on and the host is as
before."""

import contextlib
import ctypes
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.kernel import beneath
from llmos.tools import seccomp
from llmos.tools.sandbox import Execution, Limits, Sandbox, self_test

pytestmark = pytest.mark.skipif(bool(self_test()), reason=self_test() or "-")
SMALL = Limits(
    memory=400 << 20, disk=64 << 20, files=400, file=16 << 20, processes=12, tasks=64, grace=1.5, idle_cpu=3.0
)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("session"), SMALL)
    yield sandbox
    sandbox.close()


@pytest.fixture(autouse=True)
def goes_on(box: Sandbox) -> Iterator[None]:
    """Whatever a test did, the next cell works, soon, and in the same workspace."""
    yield
    done = box.execute("6 * 7", 20)
    assert (done.value, done.error, done.stopped) == ("42", "", "")


def attempt(box: Sandbox, code: str, timeout: float = 20) -> Execution:
    """Run an attack that is to be refused, not stopped: it prints one line for each thing that got through."""
    done = box.execute(_HELP + code, timeout)
    assert not done.stopped, done.stopped
    return done


_HELP = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def refused(name, act):
    try:
        act()
    except (OSError, ValueError) as error:
        return
    print("GOT THROUGH:", name)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""


# -- out of the box ---------------------------------------------------------------------------------------------------


def test_no_network(box: Sandbox) -> None:
    done = attempt(
        box,
        """
for family in range(0, 46):
    if family != socket.AF_UNIX:
        refused(f"family {family}", lambda: socket.socket(family, socket.SOCK_STREAM))
        refused(f"datagram {family}", lambda: socket.socket(family, socket.SOCK_DGRAM))
refused("name", lambda: socket.getaddrinfo("example.org", 80))
import urllib.request
refused("url", lambda: urllib.request.urlopen("http://1.1.1.1/", timeout=3))
refused("wide family", lambda: call(41 if os.uname().machine == "x86_64" else 198, ctypes.c_long((1 << 32) | 2), 1, 0))
""",
    )
    assert done.stdout == ""
    assert not done.error


def test_no_unix_sockets_of_the_host(box: Sandbox, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as named:
        abstract.bind("\0llmos-attack")
        abstract.listen()
        named.bind(str(tmp_path / "s"))
        named.listen()
        done = attempt(
            box,
            f"""
for name in ("\\0llmos-attack", {str(tmp_path / "s")!r}, "/run/docker.sock", "/run/dbus/system_bus_socket"):
    refused(name, lambda: socket.socket(socket.AF_UNIX).connect(name))
""",
        )
    assert done.stdout == ""
    assert not done.error


def test_no_files_outside(box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    done = attempt(
        box,
        f"""
import site
for name in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/root/.bashrc", "/root/.ssh", {str(tmp_path / "secret")!r},
             {str(Path(__file__))!r}, "/proc/1/root/etc/passwd", "/proc/self/cwd/../etc/passwd", "/sys", "/home",
             "/var"):
    refused(name, lambda: os.listdir(name) if os.path.isdir(name) else open(name).read())
for name in (os.path.dirname(os.__file__), sys.path[1], os.path.dirname(__import__("numpy").__file__), "/usr/bin",
             "/run/box/llmos/tools", "/etc", "/", "/dev", "/usr/local", "/run", "/proc", "/proc/sys/kernel"):
    refused("write " + name, lambda: open(name + "/x", "w"))
for name in ("/usr/bin/env", sys.executable, "/run/box/llmos/tools/sandbox_main.py", "/etc/ld.so.cache"):
    refused("change " + name, lambda: open(name, "r+b"))
    refused("remove " + name, lambda: os.unlink(name))
""",
    )
    assert done.stdout == ""
    assert not done.error


def test_only_three_places_can_be_written(box: Sandbox) -> None:
    done = attempt(
        box,
        """
places = {line.split()[4] for line in open("/proc/self/mountinfo")}
for top, folders, _ in os.walk("/"):
    if top.startswith(("/proc", "/usr/lib", "/usr/share")):
        folders.clear()
    places.add(top)
good = set()
for place in places:
    try:
        if os.path.isdir(place):
            open(os.path.join(place, "probe"), "w").close()
            os.unlink(os.path.join(place, "probe"))
            good.add("/" + place.split("/")[1] if not place.startswith("/dev") else place)
    except OSError:
        pass
print(sorted(good))
""",
    )
    assert done.stdout.strip() == "['/dev/shm', '/session', '/tmp']", done


def test_proc_tells_and_takes_little(box: Sandbox) -> None:
    os.environ["LLMOS_ATTACK"] = "host-environment"
    done = attempt(
        box,
        """
pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
assert pids[:2] == [1, 2] and len(pids) < 8, pids
for pid in pids:
    text = open(f"/proc/{pid}/environ").read()
    assert "host-environment" not in text, text
    status = dict(line.split(":\\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == "0" * 16, status
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1", status
    assert status["Uid"].split() == ["1000"] * 4, status
    for kind in ("user", "mnt", "net", "pid", "ipc", "uts"):
        assert os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}"), kind
names = {line.partition("=")[0] for line in open("/proc/1/environ").read().strip("\\0").split("\\0")}
assert names <= {"PATH", "PWD", "_", "OLDPWD"}, names
for name in ("kallsyms", "cmdline", "version", "modules", "kmsg", "kcore", "config.gz", "keys", "timer_list"):
    path = "/proc/" + name
    if os.path.exists(path):
        try:
            assert open(path, "rb").read(10) == b"", path
        except OSError:
            pass
for name in ("sys/kernel/core_pattern", "sys/kernel/hostname", "sys/vm/drop_caches", "sysrq-trigger", "self/uid_map",
             "sys/net/ipv4/ip_forward", "sys/user/max_user_namespaces", "self/setgroups", "self/gid_map", "kcore"):
    refused("write /proc/" + name, lambda: os.write(os.open("/proc/" + name, os.O_WRONLY), b"1"))
assert os.listdir("/proc/1/root") == os.listdir("/")
""",
    )
    del os.environ["LLMOS_ATTACK"]
    assert (done.stdout, done.error) == ("", "")


def test_no_new_rights(box: Sandbox) -> None:
    numbers = {name: (intel, arm)[platform.machine() != "x86_64"] for name, intel, arm in seccomp.numbers()}
    always = [name for name in numbers if name not in {rule[0] for rule in seccomp._WHEN}]
    done = attempt(
        box,
        f"""
numbers = {numbers!r}
for name in {always!r}:
    if numbers[name] >= 0:
        libc.syscall(numbers[name], 0, 0, 0, 0, 0)
        if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP):
            print("GOT THROUGH:", name, ctypes.get_errno())
for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
    refused(f"clone {{flag:x}}", lambda: call(numbers["clone"], flag | 17, 0, 0, 0, 0))
refused("future call", lambda: call(4000))
refused("dumpable", lambda: call(numbers["prctl"], 4, 0, 0, 0, 0) )
import fcntl
fd = os.open("plain", os.O_RDWR | os.O_CREAT)
refused("lease", lambda: fcntl.fcntl(fd, 1024, fcntl.F_WRLCK))
refused("big pipe", lambda: fcntl.fcntl(os.pipe()[1], 1031, 1 << 20))
refused("terminal input", lambda: fcntl.ioctl(os.open("/dev/ptmx", os.O_RDWR), 0x5412, b"x"))
refused("set-uid", lambda: os.chmod("plain", 0o4755))
refused("set-gid", lambda: os.fchmod(fd, 0o2755))
refused("set-uid at birth", lambda: os.close(os.open("born", os.O_CREAT | os.O_WRONLY, 0o4755)))
refused("fifo", lambda: os.mkfifo("fifo"))
refused("device", lambda: os.mknod("device", 0o60600, os.makedev(254, 0)))
refused("root", lambda: os.setuid(0))
refused("other user", lambda: os.chown("plain", 0, 0))
refused("priority", lambda: os.nice(-1))
import resource
for limit in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    refused("limit", lambda: resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
os.unlink("plain")
""",
    )
    assert (done.stdout, done.error) == ("", "")


def test_foreign_calls_kill_only_their_process(box: Sandbox) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("x86_64's second calling convention")
    done = attempt(
        box,
        """
pid = os.fork()
if not pid:
    libc.syscall(0x40000000 | 39)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
    )
    assert done.stdout.strip() == "-31"  # SIGSYS


def test_the_filter_knows_the_calls_numbers() -> None:
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"no libseccomp to compare with: {error}")
    wrong = []
    for name, intel, arm in seccomp.numbers():
        for number, arch in ((intel, pyseccomp.Arch.X86_64), (arm, pyseccomp.Arch.AARCH64)):
            found = pyseccomp._libseccomp.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(arch), name.encode())
            if found != number and not (found < 0 and number < 0) and not (found == -1 and number > 450):
                wrong.append((name, number, found))
    assert not wrong
    with pytest.raises(ValueError, match="riscv64"):
        seccomp.program("riscv64")


# -- too much ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True:\n    try: os.fork()\n    except OSError: pass", "more than 12 processes"),
        (
            "import subprocess\nkept = [subprocess.Popen(['sleep', '60'], start_new_session=True) for _ in range(30)]\n"
            "import time; time.sleep(20)",
            "more than 12 processes",
        ),
        (
            "import time\nkept = []\nwhile True: kept.append(bytearray(10_000_000)); time.sleep(.005)",
            "400 MB of memory",
        ),
        (
            "import time\nfor n in range(4):\n    if not os.fork():\n        held = bytearray(b'x' * 120_000_000)\n"
            "        time.sleep(20)\ntime.sleep(20)",
            "400 MB of memory",
        ),
        ("n = 0\nwhile True:\n    open(f'{n}', 'wb').write(b'x' * 10_000_000); n += 1", "64 MB of disk"),
        ("for n in range(10**6): open(f'{n}', 'w').close()", "400 files"),
        ("for n in range(10**6): open(f'/tmp/{n}', 'w').close()", "files in /tmp"),
        (
            "import time\nfor n in range(90):\n    os.mkdir('d'); os.chdir('d')\n    time.sleep(.005)\n"
            "while True: open('x', 'wb').write(b'x' * 9_000_000)",
            "nested",
        ),
        (
            "import time\nos.mkdir('closed')\nfor n in range(9): open(f'closed/{n}', 'wb').write(b'x' * 10_000_000)\n"
            "os.chmod('closed', 0)\ntime.sleep(20)",
            "64 MB of disk",
        ),
    ],
    ids=["fork", "spawn", "memory", "memory of many", "disk", "inodes", "temporary", "depth", "closed"],
)
def test_bombs_end_in_one_line(box: Sandbox, code: str, reason: str) -> None:
    began = time.monotonic()
    done = box.execute("import os\n" + code, 30)
    assert reason in done.stopped, done
    assert "\n" not in done.stopped
    assert done.lost
    assert time.monotonic() - began < 25


def test_forked_children_do_not_play_the_kernel(box: Sandbox) -> None:
    assert box.execute("import os\nkept = 3\npids = [os.fork() for _ in range(2)]\nlen(pids)").value == "2"
    assert [box.execute("kept").value for _ in range(4)] == ["3"] * 4


def test_children_speak_through_their_parent(box: Sandbox) -> None:
    done = box.execute(
        "import os, multiprocessing as m\nwith m.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, -2]))\n"
        "p = m.get_context('fork').Process(target=print, args=('from a child',)); p.start(); p.join()\n"
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import numpy; print(numpy.ones(2))'])\n"
        "import time; time.sleep(.3)"
    )
    assert not done.error, done
    for text in ("[1, 2]", "from a child", "[1. 1.]"):
        assert text in done.stdout, done


def test_what_a_disk_bomb_wrote_is_gone(box: Sandbox) -> None:
    held = beneath.usage(box.workspace)
    assert held.size < SMALL.disk
    assert held.files < SMALL.files


def test_limits_that_only_refuse(box: Sandbox) -> None:
    done = attempt(
        box,
        """
refused("large file", lambda: open("large", "wb").write(b"x" * 20_000_000))
refused("hole", lambda: os.truncate("large", 1 << 40))
fallocate = 285 if os.uname().machine == "x86_64" else 47
refused("reserved", lambda: call(fallocate, os.open("large", os.O_RDWR), 1, 0, 1 << 36))
os.unlink("large")
refused("full tmp", lambda: [open(f"/tmp/{n}", "wb").write(b"x" * 10_000_000) for n in range(8)])
refused("full shm", lambda: [open(f"/dev/shm/{n}", "wb").write(b"x" * 10_000_000) for n in range(3)])
for folder in ("/tmp/", "/dev/shm/"):
    for name in os.listdir(folder):
        if name.isdigit(): os.unlink(folder + name)
refused("descriptors", lambda: [os.open("/dev/null", 0) for _ in range(300)])
import threading
try:
    for n in range(200): threading.Thread(target=threading.Event().wait, args=(3,)).start()
    print("GOT THROUGH: threads")
except RuntimeError:
    pass
try:
    bytearray(3 << 30)
    print("GOT THROUGH: memory")
except MemoryError:
    pass
""",
    )
    assert (done.stdout, done.error) == ("", "")
    box.close()  # its descriptors and threads are used up


def test_memory_outside_sight_is_refused(box: Sandbox) -> None:
    done = attempt(
        box,
        """
refused("memfd", lambda: os.memfd_create("x"))
refused("system v", lambda: call(29 if os.uname().machine == "x86_64" else 194, 0, 1 << 28, 0o1600))
""",
    )
    assert (done.stdout, done.error) == ("", "")


# -- never ending -----------------------------------------------------------------------------------------------------


def test_endless_code_is_interrupted_and_the_state_stays(box: Sandbox) -> None:
    box.execute("kept = 'here'")
    done = box.execute("while True: pass", 0.5)
    assert done.stopped == "ran into the time limit"
    assert not done.lost
    assert box.execute("kept").value == "here"


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    try:\n        time.sleep(9)\n    except BaseException: pass",
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "(10**8) ** (10**7)",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "os.kill(1, signal.SIGSTOP); os.kill(0, signal.SIGSTOP)",
        "os.closerange(3, 250)\nwhile True: pass",
        "threading.Thread(target=lambda: time.sleep(99)).start()\nwhile True:\n    try: threading.Event().wait()\n"
        "    except: pass",
    ],
    ids=["caught", "ignored", "in C", "stopped", "all stopped", "sockets closed", "threads"],
)
def test_what_ignores_the_interrupt_is_killed(box: Sandbox, code: str) -> None:
    done = box.execute(f"import os, signal, sys, threading, time\n{code}", 0.5)
    assert done.stopped
    assert "\n" not in done.stopped
    assert done.seconds < 10


def test_closed_sockets_do_not_hang_the_host(box: Sandbox) -> None:
    done = box.execute("import os; os.closerange(3, 250)", 1)
    assert done.stopped
    assert done.lost
    assert done.seconds < 10


def test_suicide_is_told(box: Sandbox) -> None:
    for code in ("os._exit(3)", "os.kill(os.getpid(), 9)", "os.kill(1, 9); os.abort()", "ctypes.string_at(0)"):
        done = box.execute(f"import ctypes, os; {code}", 10)
        assert (done.lost, done.stopped) == (True, "ended Python"), code


def test_leaving_is_no_end(box: Sandbox) -> None:
    box.execute("kept = 1")
    for code in ("exit()", "quit", "import sys; sys.exit(0)", "raise SystemExit", "get_ipython().ask_exit()"):
        assert not box.execute(code).lost
    assert box.execute("kept").value == "1"


def test_work_after_the_cell_is_ended(box: Sandbox) -> None:
    box.execute(
        "import threading\ndef spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()"
    )
    until = time.monotonic() + 20
    while box._box is not None and box._box.alive() and time.monotonic() < until:
        time.sleep(0.1)
    assert box._box is not None
    assert "after its cell had ended" in box._box.broken


def test_interrupt_and_cancel_come_from_other_threads(box: Sandbox) -> None:
    box.execute("kept = 2")
    threading.Timer(0.4, box.interrupt).start()
    done = box.execute("while True: pass", 20)
    assert done.stopped == "was interrupted"
    assert done.seconds < 10
    flag = threading.Event()
    threading.Timer(0.4, flag.set).start()
    assert box.execute("while True: pass", 20, cancelled=flag).stopped == "was interrupted"
    assert box.execute("kept").value == "2"


def test_ctrl_c_in_the_host_stops_the_cell_and_keeps_the_state(box: Sandbox) -> None:
    box.execute("kept = 4")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        box.execute("while True: pass", 20)
    assert box.execute("kept").value == "4"


def test_an_interrupt_while_python_starts_is_heeded(tmp_path: Path) -> None:
    with Sandbox(tmp_path, SMALL) as sandbox:
        sandbox.start()
        threading.Timer(0.2, sandbox.interrupt).start()
        done = sandbox.execute("while True: pass", 20)
        assert done.stopped.startswith("was interrupted")
        assert done.seconds < 15


# -- lies -------------------------------------------------------------------------------------------------------------


def test_floods_are_cut(box: Sandbox) -> None:
    for code in (
        "print('x' * 50_000_000)",
        "import sys\nfor _ in range(3000): sys.stderr.write('y' * 10_000)",
        "import subprocess; subprocess.run('yes | head -c 30000000', shell=True)",
        "for _ in range(2000): display('z' * 1000)",
        "'v' * 30_000_000",
    ):
        done = box.execute(code, 10)
        text = done.stdout + done.stderr + done.value
        assert len(text) <= 4 * SMALL.output + 1000, code
    done = box.execute("while True: print('x' * 1000)", 1)
    assert len(done.stdout) < SMALL.output + 100
    assert "not kept" in done.stdout


_FORGE = """
import json, hmac, hashlib, zmq
session, thread, parent = get_ipython().kernel.session, get_ipython().kernel.iopub_thread, get_ipython().get_parent()
def forge(kind, content, header=None, sign=True, parent=parent):
    frames = [json.dumps(p, default=str).encode() if not isinstance(p, bytes) else p for p in (
        header if header is not None else dict(msg_id="f", msg_type=kind), parent["header"] if parent else {}, {},
        content)]
    mac = hmac.new(session.key, b"".join(frames), hashlib.sha256).hexdigest().encode()
    thread.send_multipart([b"<IDS|MSG>", mac if sign else b"0" * 64, *frames])
"""


def test_forged_messages_change_only_their_own_cell(box: Sandbox) -> None:
    done = box.execute(
        _FORGE
        + """
for content in ([1, 2], "text", 7, None, {"text": {"a": 1}}, {"data": [1]}, {"data": {"text/plain": 5}}, {"traceback":
3},
                {"execution_state": ["idle"]}, {"data": {"image/png": "AAAA"}}, {"data": {"image/png": 4}}):
    for kind in ("stream", "execute_result", "display_data", "error", "status", "execute_reply", "nonsense"):
        forge(kind, content)
forge("stream", b"[" * 100000)
forge("stream", b'{"text": "\\xff"}')
forge("stream", {"text": "x"}, header={})
forge("stream", {"text": "x"}, header=[1])
forge("stream", {"name": "stdout", "text": "unsigned"}, sign=False)
forge("stream", {"name": "stdout", "text": "of another cell"}, parent=None)
thread.send_multipart([b""] * 20)
thread.send_multipart([b"<IDS|MSG>"])
forge("status", {"execution_state": "idle"})
forge("execute_reply", {"status": "ok"})
import time; time.sleep(.3)
print("told")
""",
        10,
    )
    assert "unsigned" not in done.stdout
    assert "another cell" not in done.stdout
    assert not done.figures
    assert not done.stopped


def test_a_message_too_large_ends_the_box(box: Sandbox) -> None:
    done = box.execute(_FORGE + "forge('stream', {'text': 'x' * 9_000_000})\nimport time\nwhile True: time.sleep(1)", 3)
    assert done.stopped
    assert done.seconds < 10


def test_forged_floods_end_the_box(box: Sandbox) -> None:
    code = "\nwhile True: forge('stream', {'name': 'stdout', 'text': 'x' * 100_000})"
    done = box.execute(_FORGE + code, 10)
    assert "more output than it may" in done.stopped or "memory" in done.stopped, done.stopped


def test_forged_figures_are_checked(box: Sandbox) -> None:
    done = box.execute(
        _FORGE
        + """
import base64, struct, zlib
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
head = lambda w, h: chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
magic, end = b"\\x89PNG\\r\\n\\x1a\\n", chunk(b"IEND", b"")
body = chunk(b"IDAT", zlib.compress(b"\\0" * 4))
bad = [b"", b"#!/bin/sh", magic, magic + end, magic + head(1, 1)[:-1] + end, magic + head(1 << 30, 1 << 30) + body +
end,
       magic + head(1, 1) + body, magic + head(1, 1) + body + end + b"tail", magic + head(0, 1) + body + end]
for data in bad:
    forge("display_data", {"data": {"image/png": base64.b64encode(data).decode()}})
good = base64.b64encode(magic + head(1, 1) + body + end).decode()
mime = "application/vnd.llmos.figure+json"
forge("display_data", {"data": {"image/png": good, mime: {"title": "\\x1b]0;owned\\x07a" + "t" * 9999, "axes": 5}}})
forge("display_data", {"data": {"image/png": good, mime: [1]}})
forge("display_data", {"data": {"image/png": good, mime: {"title": {"a": 1}, "axes": "x" * 3_000_000}}})
for _ in range(30): forge("display_data", {"data": {"image/png": good}})
""",
        10,
    )
    assert 3 <= len(done.figures) <= SMALL.figures
    assert all("\x1b" not in f.title and "\x07" not in f.title and len(f.title) <= 200 for f in done.figures)
    assert all(len(json.dumps(dict(f.data))) < 1 << 20 for f in done.figures)


def test_printed_escapes_do_not_reach_a_terminal(box: Sandbox) -> None:
    done = box.execute("print('\\x1b]0;owned\\x07\\x1b[31mred\\x1b[0m\\x9b31m\\rnew\\x00')")
    assert done.stdout == "new\n"


# -- links ------------------------------------------------------------------------------------------------------------


def test_the_host_follows_no_link(box: Sandbox, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    box.execute(
        f"""
import os
os.symlink({str(victim)!r}, "plot-1.png"); os.symlink({str(victim)!r}, "plot-1.json"); os.symlink("/", "out")
os.symlink({str(tmp_path)!r}, "folder"); os.mkdir("sub"); os.symlink("/proc/self/root", "sub/magic")
open("twin", "w").write("t"); os.link("twin", "twin2")
import socket; socket.socket(socket.AF_UNIX).bind("socket")
"""
    )
    root = box.workspace
    with pytest.raises(FileExistsError):
        beneath.create(root, "plot-1.png", b"new")
    for name in ("folder/new", "out/tmp/new", "../new", "/tmp/new", "sub/magic/tmp/new", "sub/../../new"):
        with pytest.raises(OSError, match=r"."):
            beneath.create(root, name, b"new")
    for name in ("plot-1.png", "folder/victim", "out/etc/passwd", "twin", "socket", "sub", "../victim", "none"):
        with pytest.raises(OSError, match=r"."):
            beneath.read(root, name, 100)
    beneath.replace(root, "plot-1.json", b"{}")
    assert victim.read_text() == "mine"
    assert (root / "plot-1.json").read_bytes() == b"{}"
    with pytest.raises(OSError, match="larger"):
        beneath.read(root, "plot-1.json", 1)
    assert victim.stat().st_uid == os.getuid()
    box.execute(
        "import os, shutil\nfor name in os.listdir():\n"
        "    shutil.rmtree(name) if os.path.isdir(name) and not os.path.islink(name) else os.unlink(name)"
    )


def test_links_cannot_be_made_to_what_is_outside(box: Sandbox) -> None:
    done = attempt(
        box,
        """
for name in ("/usr/bin/env", sys.executable, "/etc/ld.so.cache", "/run/box/llmos/tools/sandbox_main.py"):
    refused(name, lambda: os.link(name, "hard"))
""",
    )
    assert done.stdout == ""
    assert not done.error


def test_the_workspace_can_be_removed_afterwards(tmp_path: Path) -> None:
    import shutil

    workspace = tmp_path / "session"
    workspace.mkdir()
    with Sandbox(workspace, SMALL) as sandbox:
        sandbox.execute(
            "import os\nos.makedirs('a/b'); open('a/b/c', 'w').write('x'); os.chmod('a/b', 0); os.chmod('a', 0)"
        )
    shutil.rmtree(workspace)
    assert not workspace.exists()


def test_the_box_dies_with_its_host(tmp_path: Path) -> None:
    """Even where the host is killed and can tidy nothing: by then the box had a process of its own choice running."""
    code = f"""
import os, pathlib
from llmos.tools.sandbox import Sandbox
box = Sandbox(pathlib.Path({str(tmp_path)!r}))
box.execute("import subprocess; subprocess.Popen(['sleep', '4321'], start_new_session=True)")
print(box._box._folder, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    until = time.monotonic() + 10
    while _running(b"sleep\0004321\0") and time.monotonic() < until:
        time.sleep(0.05)
    assert not _running(b"sleep\0004321\0")
    Sandbox(tmp_path, SMALL).execute("1")
    assert not Path(done.stdout.strip()).exists()  # the next one tidied up


def _running(command: bytes) -> bool:
    found = False
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found = found or path.read_bytes() == command
    return found


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = set(Path(tempfile.gettempdir()).glob(f"llmos-box-{os.getpid()}-*"))
    sandbox = Sandbox(tmp_path, SMALL)
    sandbox.execute("import subprocess; subprocess.Popen(['sleep', '987'], start_new_session=True)")
    assert sandbox._box is not None
    thread = sandbox._box._thread
    sandbox.close()
    assert not thread.is_alive()
    assert not _running(b"sleep\000987\0")
    assert set(Path(tempfile.gettempdir()).glob(f"llmos-box-{os.getpid()}-*")) <= before
