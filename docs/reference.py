"""Makes the reference of the public names: ``make docs``, or ``python docs/reference.py [FOLDER]``.

Every warning is an error: a name without a docstring, or a type that cannot be read, ends it.
"""

import sys
import warnings
from pathlib import Path

import pdoc
import pdoc.render

import llmos


def main(folder: Path) -> None:
    """Write the pages into a folder."""
    warnings.simplefilter("error")
    for name in llmos.__all__:
        # They are loaded when first used, and pdoc looks at what is there.
        setattr(llmos, name, getattr(llmos, name))
    pdoc.render.configure(show_source=False, docformat="restructuredtext")
    pdoc.pdoc("llmos", output_directory=folder)
    print(f"written: {folder / 'llmos.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs"))
