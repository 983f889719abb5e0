"""Makes a session's browser from what the user set: hosts that are allowed, the search engine, where downloads go."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from llmos.kernel.errors import UsageError
from llmos.kernel.tool import Tool
from llmos.kernel.types import Event, Request
from llmos.memory.quotas import Quotas
from llmos.memory.workspace import kept
from llmos.tools.browser import BrowserTools
from llmos.tools.browser_profile import Profile, ProfileError
from llmos.tools.egress import Gate
from llmos.tools.marks import Marks
from llmos.tools.search import Engine, choose


def check(
    hosts: Sequence[str], posts: Sequence[str], search: str | None, profile: str | None = None
) -> tuple[Gate, Engine]:
    """The gate and the engine of these settings. Raises UsageError for one that cannot be used."""
    try:
        if profile:
            Profile(Path(), profile)
        return Gate.of(hosts, posts), choose(search)
    except (ValueError, ProfileError) as error:
        raise UsageError(str(error)) from error


def make_browser(
    workspace: Path,
    quotas: Quotas,
    events: Callable[[], Sequence[Event]],
    marks: Marks,
    hosts: Sequence[str] = (),
    posts: Sequence[str] = (),
    search: str | None = None,
    profile: tuple[Path, str] | None = None,
) -> list[Tool]:
    """The browser's tools of a session; ``events`` gives its log so far, ``profile`` is a home and a name in it.

    Raises UsageError as :func:`check` does.
    """
    gate, engine = check(hosts, posts, search, profile[1] if profile else None)
    kept_as = Profile(*profile) if profile else None

    def keep(name: str, body: bytes) -> str:
        with kept(workspace, PurePosixPath(name), lambda file: file.write(body), quotas) as (held, _):
            return held

    def words() -> list[str]:
        # A request that looks as if others had written it names nothing.
        return [e.text for e in events() if isinstance(e, Request) and e.label.integrity == "trusted"]

    return BrowserTools(workspace, gate, engine, keep, marks, words, kept_as).tools()
