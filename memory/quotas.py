"""How much may be kept on disk: built-in values, under ``$LLMOS_HOME/quotas.toml``, under the environment.

``workspace = "2G"`` in the file and ``LLMOS_QUOTA_WORKSPACE=2G`` say the same. Whatever would go past a quota is not
begun, or not put in place, and a :class:`QuotaError` says what to do; nothing that is kept is cut or removed for it.
Knows sizes and names; who measures is ``room``, ``log`` and ``workspace``.
"""

import os
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from llmos.kernel.errors import BudgetError, Cancelled, DeniedError, LLMOSError, QuotaError, UsageError
from llmos.kernel.types import Failure

FILE = "quotas.toml"
PREFIX = "LLMOS_QUOTA_"
_SIZE = re.compile(r"(\d{1,15})\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_COUNTS = ("files",)  # the others are bytes


@dataclass(frozen=True, slots=True)
class Quotas:
    """Bytes on disk, but for ``files``.

    ``workspace`` and ``files`` (folders too) are of one session's files, ``log`` of its event log, ``sessions`` of all
    sessions together, ``caches`` of what can be made again and of crash reports, ``audit`` of the record of decisions.
    """

    workspace: int = 1 << 30
    files: int = 10_000
    log: int = 64 << 20
    sessions: int = 20 << 30
    caches: int = 256 << 20
    audit: int = 1 << 30

    def check(self, name: str, held: int, what: str, remedy: str) -> None:
        """Raise QuotaError, one line with a way out, for more than may be kept; ``what`` is such as "the log holds"."""
        most: int = getattr(self, name)
        if held <= most:
            return
        told = f"{held:,} files of {most:,}" if name in _COUNTS else f"{spell(held)} of {spell(most)}"
        raise QuotaError(f"{what} {told}: {remedy}, or raise the quota ({PREFIX}{name.upper()})", name)


def load(home: Path) -> Quotas:
    """The quotas of a home. Raises UsageError for a file that cannot be read, an unknown name or an odd size."""
    known = [field.name for field in fields(Quotas)]
    path = home / FILE
    try:
        found = {**tomllib.loads(path.read_text(encoding="utf-8"))}
    except FileNotFoundError:
        found = {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}; mend it or remove it") from error
    if odd := [name for name in found if name not in known]:
        raise UsageError(f"{path} names no quota {odd[0]!r}; there are: {', '.join(known)}")
    where = dict.fromkeys(found, str(path))
    for name in known:
        if given := os.environ.get(PREFIX + name.upper()):
            found[name], where[name] = given, PREFIX + name.upper()
    return Quotas(**{name: size(value, f"{where[name]}: {name}") for name, value in found.items()})


def size(value: object, where: str = "the size") -> int:
    """``512``, ``"64M"`` or ``"2 GB"`` (units of 1024) as a number. Raises UsageError that begins with ``where``."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UsageError(f"{where} cannot be {value!r}; give a number of bytes, or such as 512M or 2G")
    return int(found[1]) * _UNITS[found[2].lower()]


def spell(count: int) -> str:
    """Bytes as people read them, in units of 1024: ``0 B``, ``12 KB``, ``1.5 GB``."""
    number, unit = float(count), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1024, larger
    return f"{number:.1f} {unit}" if unit != "B" and number < 10 else f"{number:,.0f} {unit}"


ERRORS: dict[str, type[LLMOSError]] = {"usage": UsageError, "denied": DeniedError, "interrupted": Cancelled}


def error_of(failure: Failure) -> LLMOSError:
    """The error that a failed request raises: its type by kind, which budget or quota by its ``budget``."""
    if failure.kind == "budget":
        disk = failure.budget in {field.name for field in fields(Quotas)}
        return (QuotaError if disk else BudgetError)(failure.message, failure.budget)
    return ERRORS.get(failure.kind, LLMOSError)(failure.message)
