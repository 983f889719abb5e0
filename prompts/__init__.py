"""The words: Markdown files only, read through :func:`load`."""

from importlib.resources import files


def load(name: str) -> str:
    """Return the prompt file ``name`` (such as ``"system.md"``) as text, without its trailing newline.

    Raises FileNotFoundError for a name that is not packaged.
    """
    return files(__name__).joinpath(name).read_text(encoding="utf-8").rstrip("\n")
