"""One request as the embedded kernel meets it: its words with short names (see aliases), and what they stand for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmos.kernel.recall import Recalled, kind_of
from llmos.kernel.scene import LACKING, TOOL, Scene

MOST = 99  # of a request's numbers get names


@dataclass
class Turn:
    """The numbers of one request and its results; ``whole`` are results, which are read out and not computed with.

    ``request`` is the user's words, ``told`` the same with short names, ``gist`` that without a table's values,
    ``bare`` the user's words with these blotted out, ``year`` the number of the one year it is about;
    ``attached``: a file came with it, ``packaged``: it is one of the library. ``kinds``
    are those of what was taught that may be of use, ``examples`` what of it stands behind the request: kind and
    answer, as it is said, computed or run.
    """

    request: str = ""
    told: str = ""
    gist: str = ""
    bare: str = ""
    year: int = 0
    attached: bool = False
    packaged: bool = False
    values: list[str] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    formulas: set[str] = field(default_factory=set)
    kinds: tuple[str, ...] = ()
    examples: list[tuple[str, str]] = field(default_factory=list)
    says: list[str] = field(default_factory=list)  # what is answered to each example's result, empty for most
    likeness: list[float] = field(default_factory=list)  # of each example, 0 to 1
    scene: Scene | None = None  # what it wants painted
    called: bool = False  # whether a tool was called
    going: tuple[str, str] = ("", "")  # the tool that goes on from what was done before, and what it is given
    memo: str = ""  # by what something told is kept or found: ``say``, or the memory's tool (see memo)

    @property
    def pictured(self) -> bool:
        """Whether a picture is asked for, and in the likeliest example one was."""
        return self.scene is not None and self.examples[:1] in ([("say", LACKING)], [(TOOL, TOOL)])

    def wordy(self, table: bool) -> bool:
        """Whether words alone answer: after a note, and where they are likeliest and there is no table or picture."""
        if self.memo or self.called:
            return bool(self.memo) and self.called
        return self.examples[:1] != [] and self.examples[0][0] == "say" and not table and self.scene is None

    def sign(self, value: str) -> str:
        """The short name of a value, a new one where it has none; the value itself when there are too many."""
        if value not in self.values:
            if len(self.values) >= MOST:
                return value
            self.values.append(value)
        kind = "@" if value in self.whole else kind_of(value)
        return f"{kind}{self.values.index(value) + 1}"


Examples = Callable[[Turn], Sequence[Recalled]]
"""What was taught that is like a request, the likeliest first."""
