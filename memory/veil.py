"""What is shown of a file, and under which name.

In strict mode: its size; of a table the columns with their types, and cells that are no text. A table's columns are
schema-like: they are named where the name is a few words long and holds nothing odd, else by place (``column_3``, in
pandas ``df.columns[2]``). Values of text columns, cells of text, the opening of prose and the keys of JSON are not
shown. A column's name is still somebody else's words: policy treats all of it as untrusted.
"""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from llmos.kernel.closed import HIDDEN, plain, single
from llmos.kernel.redact import find
from llmos.memory.preview import Column, Table, look, preview, render

NOTE = "text is not shown; the file is read by its name"


@dataclass(frozen=True, slots=True)
class Veil:
    """How much is hidden: all text of others (``strict``), names that hold personal data (``redact``).

    ``request`` is what the files come with: values that it speaks of are shown.
    """

    strict: bool = False
    redact: bool = False
    request: str = ""

    def preview(self, path: Path, name: str) -> str:
        """What is shown of the file ``path``, called ``name``. UsageError: empty or binary."""
        return _hidden(path, name) if self.strict else preview(path, name, request=self.request)

    def name(self, relative: PurePosixPath) -> PurePosixPath:
        """The name a file gets in the workspace: its own, or one by its kind where that is not to be seen.

        A name that is only replaced when it is shown could not be used any more.
        """
        parts = ["folder" if self._hides(part) else part for part in relative.parts[:-1]]
        name = f"file{relative.suffix.lower()}" if self._hides(relative.name) else relative.name
        return PurePosixPath(*parts, name)

    def _hides(self, name: str) -> bool:
        return (self.strict and not plain(name)) or (self.redact and bool(find(name) or find(PurePosixPath(name).stem)))


def _hidden(path: Path, name: str) -> str:
    """The file without any text that it holds."""
    seen = look(path, name)
    if isinstance(seen, str):
        # The first line is made here: the name, and counts of lines and words, or of keys.
        return f"{seen.partition(chr(10))[0]} ({NOTE})"
    return f"{render(_bare(seen))}\n({NOTE})"


def _bare(table: Table) -> Table:
    columns = (
        Column(column.name if plain(column.name) else f"column_{place}", column.kind, (), column.distinct)
        for place, column in enumerate(table.columns, 1)
    )
    rows = tuple(tuple(cell if not cell or single(cell) else HIDDEN for cell in row) for row in table.sample_rows)
    return replace(table, columns=tuple(columns), sample_rows=rows)
