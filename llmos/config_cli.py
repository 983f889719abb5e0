"""``llmos config``: what is set, where each value comes from, and how to set it for good.

Knows the command line; keys and files are the kernel's.
"""

import json as jsonlib
from typing import Annotated, Any

import typer

from llmos.kernel.errors import UsageError

app = typer.Typer(
    help="Show what is set and where it comes from; set it for good.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Some = Annotated[str, typer.Argument(metavar="[KEY]", help="One setting alone.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="A setting, as llmos config show lists them.")]
Value = Annotated[
    list[str] | None,
    typer.Argument(metavar="VALUE…", help="Its value: text, a number, true or false; lists by words."),
]
Default = Annotated[bool, typer.Option("--default", help="Take it out of the file again.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def show(context: typer.Context, key: Some = "", json: Json = False) -> None:
    """Show each setting, its value and its origin: default, file, environment or option."""
    from llmos.kernel import settings
    from llmos.kernel.config import home
    from llmos.turn import hidden, say

    names = [settings.known(key)] if key else list(settings.KEYS)
    found = settings.load(home(), context.meta.get("flags"))
    for name in names:
        value, origin = found[name].value, found[name].origin
        if json:
            shown = hidden(value) if isinstance(value, str) else value
            print(jsonlib.dumps({"key": name, "value": shown, "origin": origin}))
        else:
            print(f"{name:12} {hidden(told(value)):24} {origin:12} {settings.KEYS[name].about}")
    if not key:
        for line in settings.strangers():
            say(line)


@app.command("set")
def set_for_good(key: Key, value: Value = None, default: Default = False) -> None:
    """Set a value for good: llmos config set model ./checkpoint."""
    from llmos.kernel import config, settings

    name, words = settings.known(key), value or []
    if default == bool(words):
        raise UsageError(f"give {name} a value, or --default to take it back")
    kind = settings.KEYS[name].kind
    text = (", " if kind == "list" else " ").join(words)
    if name == "persona" and text:
        from llmos.memory import personas

        personas.find(text, config.home())  # UsageError that names the nearest
    if name == "model":
        config.choose(config.EMBEDDED if default else str(settings.parsed(name, text, name)))
    else:
        settings.change(config.home(), name, None if default else settings.parsed(name, text, name))
    now = settings.load(config.home())[name]
    print(f"{name} = {told(now.value)}")
    if now.origin not in (settings.DEFAULT, str(config.home() / settings.FILE)):
        print(f"but {now.origin} is set, which goes before the file")


@app.command()
def path() -> None:
    """Print where the file is, be it there or not."""
    from llmos.kernel import settings
    from llmos.kernel.config import home

    print(home() / settings.FILE)


def set_here(context: typer.Context, **flags: Any) -> dict[str, Any]:
    """What LLMOS is made with: as set for good, in the environment, and by the options of this command."""
    from llmos.kernel import settings
    from llmos.kernel.config import home

    before = context.meta.get("flags", {})
    told = {**before, **{name: tuple(v) if isinstance(v, list) else v for name, v in flags.items() if v is not None}}
    found = settings.load(home(), told)
    names = ("seed", "strict", "redact", "skills", "browser", "allow_hosts", "allow_posts")
    made = {name: found[name].value for name in names}
    # The model set for good stands behind a persona's wish: it is looked up where both are known.
    made |= {"model": told.get("model"), "remembers": found["memory"].value, "search": found["search"].value or None}
    made |= {"browser_profile": found["browser_profile"].value or None}
    return {**made, "persona": found["persona"].value or None}


def told(value: object) -> str:
    """A value as it is shown."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "unset" if value is None else str(value) or "none"
