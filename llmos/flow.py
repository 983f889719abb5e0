"""Text that streams onto a terminal: cleaned, wrapped at whole words, with light Markdown, links told by their host.

Knows nothing of events. Every text of a model or a tool goes through :func:`seen` before it is written.
"""

import re

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.text import Text as Styled

from llmos.kernel.hygiene import clean
from llmos.links import Teller

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


def seen(text: str) -> str:
    """``text`` as it may be written to a terminal: no control characters but newline and tab, none invisible."""
    # Whole sequences first, for looks alone: without its ESC the rest of one is harmless text.
    return re.sub("[\u2028\u2029]", "\n", clean(_SEQUENCE.sub("", text)))


def one_line(text: str, width: int) -> str:
    """``text`` cleaned, on one line, at most ``width`` cells wide."""
    line = " ".join(seen(text).split())
    return line if cell_len(line) <= width else chop_cells(line, max(width - 1, 1))[0] + "…"


class Flow:
    """Text that streams onto a console: whole words at the right margin, light Markdown where there is style."""

    def __init__(self, console: Console, style: str = "") -> None:
        self._console = console
        self._base = style
        self._marks = console.color_system is not None and not style
        self._links = Teller()
        self._last = ""  # the character before the next piece: joiners are judged by it
        self._word = ""
        self._gap = ""  # white space before the word; it is dropped where a line ends
        self._column = 0
        self._heading = self._bold = self._code = self._fence = False
        self.started = False

    def feed(self, piece: str) -> None:
        """Show a further piece; its last word waits until it is whole."""
        piece = seen(self._last + piece)[len(seen(self._last)) :]
        self._last = piece[-1:] or self._last
        self._take(self._links.feed(piece))

    def _take(self, piece: str) -> None:
        for part in re.split(r"(\s)", piece):
            if part == "\n":
                self._flush()
                self._newline()
            elif part.isspace():
                self._flush()
                self._gap += "    " if part == "\t" else " "
            else:
                self._word += part
                # Scripts without spaces would wait for long.
                if len(self._word) > 40 and self._word[-1] not in "*`":
                    self._flush()

    def end(self) -> None:
        """Show what waits and end the line."""
        self._take(self._links.end())
        self._flush()
        if self._column:
            self._newline()
        self._last = self._gap = ""
        self._fence = self.started = False

    def _newline(self) -> None:
        if self.started:
            self._console.print(end="\n")
        self._column, self._gap = 0, ""
        self._heading = self._bold = self._code = False

    def _flush(self) -> None:
        word, self._word = self._word, ""
        if not word:
            return
        self.started = True
        first = self._column == 0
        if self._marks and first and word.startswith("```"):
            self._fence = not self._fence
            self._write(word, "dim")
        elif self._fence or not self._marks:
            self._write(word, "cyan" if self._marks else "", wrap=not self._fence)
        elif first and re.fullmatch(r"#{1,6}", word):
            self._heading = True
        elif first and word in ("*", "-", "+"):
            self._write("•")
        else:
            self._spans(word)
        self._gap = ""

    def _spans(self, word: str) -> None:
        """A word, its ** and ` taken as marks where they open or close; ``2**10`` stays what it is."""
        spans = Styled()
        for mark in re.split(r"(\*\*|`)", word):
            if mark == "`":
                self._code = not self._code
            elif mark == "**" and not self._code and self._turns(word):
                self._bold = not self._bold
            else:
                spans.append(mark, "cyan" if self._code else "bold" if self._bold or self._heading else "")
        self._write(spans)

    def _turns(self, word: str) -> bool:
        """Whether ``**`` in this word begins or ends bold text."""
        return bool(re.search(r"\*\*\W*$" if self._bold else r"^\W*?\*\*(?![\s*])", word))

    def _write(self, text: str | Styled, style: str = "", wrap: bool = True) -> None:
        """Put a word on the line, or on the next one if it fits only there; cut one that is longer than a line."""
        width = self._console.width
        word = Styled(text, style or self._base) if isinstance(text, str) else text
        if wrap and self._column and self._column + len(self._gap) + cell_len(word.plain) > width:
            self._console.print(end="\n")
            self._column, self._gap = 0, ""
        if self._gap and (self._column or not self._heading):
            self._console.print(self._gap, end="", soft_wrap=True)
            self._column += len(self._gap)
        while wrap and self._column + cell_len(word.plain) > width:
            head, word = word.divide([len(chop_cells(word.plain, width - self._column)[0])])
            self._console.print(head, soft_wrap=True)
            self._column = 0
        self._console.print(word, end="", soft_wrap=True)
        self._column += cell_len(word.plain)
