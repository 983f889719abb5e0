"""The memory's four tools for one session, over one open store.

Which parts of the store a session sees is decided here: what all share, its persona's own, and its own attached files.
"""

from collections.abc import Callable, Sequence

from llmos.kernel.tool import Tool
from llmos.kernel.types import Label
from llmos.memory.record import Document, Hit, Where
from llmos.memory.store import Memory
from llmos.tools.forget import make_forget
from llmos.tools.marks import Marks
from llmos.tools.open_file import make_open_file
from llmos.tools.recall import make_recall
from llmos.tools.remember import make_remember


def make_tools(memory: Callable[[], Memory], session: str, marks: Marks, persona: str = "") -> list[Tool]:
    """``remember``, ``recall``, ``forget`` and ``open_file``; ``memory`` opens the store when it is first needed."""
    where = Where(persona=persona, attached_to=session)

    def search(query: str, most: int) -> Sequence[Hit]:
        return memory().search(query, most, where)

    def note(text: str, label: Label) -> str:
        return memory().note(text, said_by="kernel", label=label, persona=persona, session=session).state

    def find(what: str) -> Sequence[Document]:
        return memory().find(what, where)

    def passages(name: str) -> Sequence[Hit]:
        found = memory().named(name, where)
        return [Hit(id, chunk, d, 0.0) for d in found[:1] for id, chunk in memory().text(d.id)]

    return [
        make_remember(note),
        make_recall(search, marks),
        make_forget(find, lambda ids: memory().forget(ids)),
        make_open_file(passages, marks),
    ]
