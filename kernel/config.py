"""Where llmos keeps its data, and which model it runs by default: flags over environment over built-in values."""

import os
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
EMBEDDED = "embedded"


def home(given: str | os.PathLike[str] | None = None) -> Path:
    """The data folder: ``given``, else ``$LLMOS_HOME``, else the platform's place for user data. Not created here."""
    chosen = given or os.environ.get("LLMOS_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("llmos", appauthor=False)


def model_name(given: str | None = None) -> str:
    """The model to run: ``given``, else ``$LLMOS_MODEL``, else the embedded kernel."""
    return given or os.environ.get("LLMOS_MODEL") or EMBEDDED
