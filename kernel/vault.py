"""Where registered secrets are kept: ``secrets.vault`` in llmos' home, which no tool can read, for its owner alone.

Their values are not encrypted: a key to do so would lie beside them. Keys of model servers in the environment count as
registered. Knows the file alone; what is done with secrets is the business of ``secrets`` and ``scrub``.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

from llmos.kernel.errors import UsageError
from llmos.kernel.secrets import Secret, problem, repeats

FILE = "secrets.vault"
ENVIRONMENT = ("LLMOS_API_KEY", "OPENAI_API_KEY")
_LONG = 20  # characters from which on a key without digits is no placeholder such as not-needed


def load(home: Path) -> dict[str, str]:
    """The registered secrets by name. Raises UsageError where the file cannot be read: nothing runs without it."""
    path = home / FILE
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    with os.fdopen(file, encoding="utf-8") as stream:
        try:
            if os.fstat(file).st_mode & 0o077:  # a copy or a careless umask
                os.fchmod(file, 0o600)
            data = json.load(stream)["secrets"]
            if any(not isinstance(value, str) or problem(name, value) for name, value in data.items()):
                raise ValueError("an entry is no secret")
            return dict(data)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            # The message of a JSON error tells a place, never the text.
            raise _unreadable(path, str(error) or type(error).__name__) from error


def add(home: Path, name: str, value: str, replace: bool = False) -> None:
    """Register a secret; with ``replace`` change its value.

    Raises UsageError, without the value, for what cannot be one and for a name that is taken.
    """
    if wrong := problem(name, value):
        raise UsageError(wrong)
    if repeats(value):
        raise UsageError(f"the secret {name} repeats itself over and over; register the part that matters")
    with _locked(home):
        kept = load(home)
        if name in kept and kept[name] != value and not replace:
            raise UsageError(f"a secret {name} is registered already; --replace gives it the new value")
        _save(home, {**kept, name: value})


def remove(home: Path, name: str) -> None:
    """Forget a secret. Raises UsageError where there is none of this name."""
    with _locked(home):
        kept = load(home)
        if name not in kept:
            raise UsageError(f"no secret {name} is registered; llmos secrets list shows those that are")
        _save(home, {key: value for key, value in kept.items() if key != name})


def refuse(home: Path, paths: Sequence[Path]) -> None:
    """Raise UsageError where the file of secrets itself would be given to the model; folders leave it out by name."""
    kept = list(home.glob(f"{FILE}*"))  # a kill may leave one that was being written
    for path, own in product(paths, kept):
        with suppress(OSError):
            if path.expanduser().samefile(own):
                raise UsageError(f"{path} holds the registered secrets; it is not attached")


def from_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The keys of model servers that are set, without placeholders such as ``EMPTY`` and ``not-needed``."""
    given = {name: environment.get(name, "").strip() for name in ENVIRONMENT}
    real = {n: v for n, v in given.items() if len(v) >= _LONG or any(c.isdigit() for c in v)}
    return {name: value for name, value in real.items() if not problem(name, value)}


def known(home: Path, environment: Mapping[str, str] = os.environ) -> tuple[Secret, ...]:
    """All secrets: registered ones and those of the environment. Raises UsageError as :func:`load`."""
    return tuple(Secret(name, value) for name, value in {**from_environment(environment), **load(home)}.items())


def _save(home: Path, secrets: Mapping[str, str]) -> None:
    """Write the file, whole or not at all; it is never readable for others, not even for a moment."""
    part = home / f"{FILE}.{os.getpid()}"
    with suppress(FileNotFoundError):
        part.unlink()
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump({"version": 1, "secrets": dict(secrets)}, stream)
            stream.flush()
            os.fsync(file)
        part.replace(home / FILE)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise UsageError(f"cannot write {home / FILE}: {error.strerror}") from error


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One change at a time, in any process."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = os.open(home / f"{FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"cannot write in {home}: {error.strerror}; see LLMOS_HOME") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _unreadable(path: Path, why: str | None) -> UsageError:
    return UsageError(f"{path} cannot be read: {why}; mend it or remove it")
