"""What stands behind the handles of an answer, for the user's eyes: strict mode keeps it from the model.

Reads the session's files, which boxed code may have changed: what comes from here is others' text.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from llmos.kernel import beneath
from llmos.kernel.dispatch import middle_cut
from llmos.kernel.hygiene import clean
from llmos.kernel.types import Event, Result

_READ = 1 << 20  # bytes of a file that are looked at
_HANDLE = re.compile(r"\br\d+\.txt\b")


def opened(text: str, made: Sequence[Event], workspace: Path) -> Iterator[str]:
    """The contents of the handles that an answer names; where it names none, of the turn's last good result.

    Not of one that made a file: that is what is shown.
    """
    last = ["" if e.result.artifacts else e.result.handle for e in made if isinstance(e, Result) and e.result.ok][-1:]
    for handle in dict.fromkeys(_HANDLE.findall(text) or filter(None, last)):
        try:
            data = beneath.read(workspace, handle, _READ)
        except OSError:  # a name that was made up, or a file that boxed code took away
            continue
        yield f"{handle}:\n{middle_cut(clean(data.decode('utf-8', 'replace')))}".rstrip()
