"""What is given with a request: its words, checked, and its files: given, named in it, piped, else a library table.

Knows where each of them goes; what is shown of it is the memory's to say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.kernel import vault
from llmos.kernel.errors import UsageError
from llmos.kernel.types import Attachment
from llmos.memory import attached, files, library
from llmos.memory.quotas import Quotas
from llmos.memory.veil import Veil

if TYPE_CHECKING:
    from llmos.memory.store import Memory

MAX_REQUEST = 100_000  # characters


def check_request(request: str) -> str:
    """The request if it can be used. Raises UsageError when it is empty, too long or holds NUL bytes."""
    if not request.strip():
        raise UsageError('the request is empty; say what you want, such as: llmos run "plot funding rounds"')
    if len(request) > MAX_REQUEST:
        raise UsageError(
            f"the request has {len(request):,} characters, at most {MAX_REQUEST:,}; give long text by --file"
        )
    if "\0" in request:
        raise UsageError("the request holds NUL bytes; give binary data by --file")
    return request.strip()


@dataclass(frozen=True, slots=True)
class Intake:
    """Where a session's files go; ``earlier`` came with its requests before, ``memory`` takes documents where given."""

    session: str
    workspace: Path
    quotas: Quotas
    home: Path
    earlier: Sequence[Attachment]
    veil: Veil
    memory: "Callable[[], Memory] | None" = None

    def attach(self, request: str, paths: Sequence[str | Path], stdin: bytes | None) -> tuple[Attachment, ...]:
        """The request's files. Raises UsageError for one that cannot be used, QuotaError where there is no room."""
        if not all(str(f).strip() for f in paths):
            raise UsageError("the name of a file is empty; give its path")
        given = [Path(f) for f in paths]
        known = {p.resolve() for p in given}
        given += [p for p in files.named_in(request, Path.cwd()) if p.resolve() not in known]
        vault.refuse(self.home, given)
        made: tuple[Attachment, ...] = ()
        if self.memory is not None and given:
            given, made = attached.keep(self.memory(), given, self.session, self.veil)
        veil = replace(self.veil, request=request)
        if given:
            made = (*made, *files.attach(given, self.workspace, self.quotas, veil))
        if stdin:
            made = (*made, files.attach_stdin(stdin, self.workspace, self.quotas, veil))
        if made or any(a.source.origin != "library" for a in self.earlier):
            return made
        table = library.best(request)
        if table is None or table.file in {Path(a.path).name for a in self.earlier}:
            return ()
        return (library.attach_library(table, self.workspace, self.quotas, "" if self.veil.strict else request),)
