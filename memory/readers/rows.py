"""A table's row in words: each cell after its column's name, so that the row can be found and understood alone."""

from collections.abc import Sequence


def named(header: Sequence[str], cells: Sequence[str]) -> str:
    """``city: Bern, people: 134000``; empty cells are left out, cells beyond the header have no name."""
    names = [*header, *[""] * max(0, len(cells) - len(header))]
    pairs = ((" ".join(n.split()), " ".join(c.split())) for n, c in zip(names, cells, strict=False))
    return ", ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)
