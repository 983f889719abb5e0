"""Named profiles: the cookies that a user wants kept from one session to the next, each name a file of llmos' home.

Cookies are all that is kept: they are read out of Chromium over its pipe and put into the next one, so that nothing the
box wrote ever lies on the host's disk. The folder and the files are the user's alone (0700, 0600). Knows nothing of
pages or of the model, which never sees them.
"""

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "browser"  # of the home
MOST = 3000  # cookies that are kept
SIZE = 8 << 20  # bytes of a file that are read
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_KEPT = ("name", "value", "path", "secure", "httpOnly", "sameSite", "priority", "sourceScheme", "sourcePort")


class ProfileError(Exception):
    """A profile that cannot be used; one line that says why and what helps."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A profile as it lies on the disk: how many cookies of which sites, and when it was used last (epoch)."""

    name: str
    cookies: int
    sites: tuple[str, ...]
    used: float


class Profile:
    """One profile of a home. Raises ProfileError for a name that cannot be one."""

    def __init__(self, home: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ProfileError(f"{name!r} is no name of a profile; give letters, digits, - and _, at most 40")
        self.name = name
        self._folder = home / FOLDER
        self._path = self._folder / f"{name}.json"
        self._lock = -1
        self._last = ""

    def take(self) -> list[dict[str, Any]]:
        """Take the profile for one session, and give its cookies as Chromium sets them, without those that are over.

        Raises ProfileError where another session has it, or the file is not what was written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(self._folder, 0o700)
        self._lock = os.open(self._folder / f".{self.name}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.give_back()
            raise ProfileError(f"another session has the profile {self.name}; end it, or name another") from None
        try:
            return _alive(self._read())
        except ProfileError:
            self.give_back()
            raise

    def keep(self, cookies: Iterable[Mapping[str, Any]]) -> None:
        """Write these cookies in the place of those before, whole or not at all. Raises OSError."""
        made = json.dumps([_plain(cookie) for cookie in cookies][:MOST])
        if self._lock < 0 or made == self._last:
            return
        part = self._folder / f".{self.name}.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(made)
        part.replace(self._path)
        self._last = made

    def give_back(self) -> None:
        """Let other sessions have it."""
        if self._lock >= 0:
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # a child that is being started may still have the descriptor
            os.close(self._lock)
            self._lock = -1

    def _read(self) -> list[dict[str, Any]]:
        try:
            with os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                found = json.loads(file.read(SIZE))
            if not isinstance(found, list) or not all(isinstance(c, dict) and "name" in c for c in found):
                raise ValueError("no cookies")
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            told = f"the profile {self.name} cannot be read: {error}; llmos browser forget {self.name} removes it"
            raise ProfileError(told) from None
        return found


def listed(home: Path) -> list[Kept]:
    """The profiles of a home, by name; one that cannot be read has no sites."""
    made = []
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            cookies = _alive(Profile(home, path.stem)._read())
        except ProfileError:
            cookies = []
        sites = sorted({_site(cookie) for cookie in cookies})
        made.append(Kept(path.stem, len(cookies), tuple(sites), path.stat().st_mtime))
    return made


def forget(home: Path, name: str) -> bool:
    """Remove a profile; false where there is none. Raises ProfileError where a session has it, or for an odd name."""
    profile = Profile(home, name)
    if not profile._path.is_symlink() and not profile._path.exists():
        return False
    with contextlib.suppress(ProfileError):  # a damaged one goes too
        profile.take()
    if profile._lock < 0 and _held(home / FOLDER / f".{name}.lock"):
        raise ProfileError(f"a session has the profile {name}; end it first")
    profile._path.unlink()
    (home / FOLDER / f".{name}.lock").unlink(missing_ok=True)
    profile.give_back()
    return True


def _held(lock: Path) -> bool:
    file = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _plain(cookie: Mapping[str, Any]) -> dict[str, Any]:
    """A cookie as Chromium tells it, as it takes it: one of a single host by an address, not by a domain."""
    made = {key: cookie[key] for key in _KEPT if key in cookie}
    if not cookie.get("session") and float(cookie.get("expires", -1)) > 0:
        made["expires"] = cookie["expires"]
    domain = str(cookie.get("domain", ""))
    if domain.startswith("."):
        return {**made, "domain": domain}
    # Without a domain it stays its host's alone.
    return {**made, "url": f"{'https' if cookie.get('secure') else 'http'}://{domain}{cookie.get('path', '/')}"}


def _alive(cookies: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    now = time.time()
    return [c for c in cookies if not isinstance(c.get("expires"), int | float) or c["expires"] > now]


def _site(cookie: Mapping[str, Any]) -> str:
    """The host or the domain that a kept cookie is of."""
    where = str(cookie.get("domain") or "").lstrip(".")
    return where or str(cookie.get("url", "")).partition("://")[2].partition("/")[0]
