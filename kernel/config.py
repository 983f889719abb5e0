"""Where llmos keeps its data, and which model it runs by default: flags over environment over what is set for good."""

import os
from pathlib import Path

from llmos.kernel import settings
from llmos.kernel.errors import LLMOSError, UsageError

WEIGHTS = Path(__file__).parent / "weights"
EMBEDDED = "embedded"


def home(given: str | os.PathLike[str] | None = None) -> Path:
    """The data folder: ``given``, else ``$LLMOS_HOME``, else the platform's place for user data. Not created here.

    Raises UsageError for a file.
    """
    chosen = given or os.environ.get("LLMOS_HOME")
    if chosen:
        path = Path(chosen).expanduser().absolute()
        if path.is_file():
            raise UsageError(f"{path} is a file; LLMOS_HOME has to be a folder")
        return path
    from platformdirs import user_data_path

    return user_data_path("llmos", appauthor=False)


def model_name(given: str | None = None, wish: str = "") -> str:
    """The model to run: ``given``, else ``$LLMOS_MODEL``, else a persona's ``wish``, else the one chosen for good, else
    the embedded kernel."""
    return given or os.environ.get("LLMOS_MODEL") or wish or chosen() or EMBEDDED


def chosen() -> str:
    """The model that was chosen for good; empty where none was. Raises UsageError for settings that cannot be read."""
    return str(settings.read(home()).get("model", ""))


def choose(name: str) -> None:
    """Make ``name`` the model to run by default; the embedded kernel takes the choice back."""
    settings.change(home(), "model", None if name == EMBEDDED else name)


def int8_wanted() -> bool:
    """Whether weights of a byte each are asked for; settings that cannot be read ask for nothing."""
    try:
        return bool(settings.load(home())["int8"].value)
    except LLMOSError:
        return False


def image_model(given: str | None = None) -> str:
    """The checkpoint that makes pictures: ``given``, else ``$LLMOS_IMAGE_MODEL``, else the one chosen for good; empty
    where none was named. Raises UsageError for settings that cannot be read."""
    named = given or os.environ.get("LLMOS_IMAGE_MODEL") or settings.read(home()).get("image_model", "")
    return str(named).strip()


def choose_image_model(name: str) -> None:
    """Make pictures with ``name`` from now on; an empty name takes the choice back."""
    settings.change(home(), "image_model", name or None)
