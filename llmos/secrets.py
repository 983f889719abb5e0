"""``llmos secrets``: register what must never leave, list the names, forget one.

A value is read from a hidden prompt or standard input, never from the command line, where every program could see it,
and is never shown. Knows the command line and the file; what is done with secrets is the kernel's.
"""

import json as jsonlib
import sys
from typing import Annotated

import typer

from llmos.kernel.errors import UsageError

app = typer.Typer(
    help="Register what must never leave: keys, passwords.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is called, such as BANK_KEY; this may be shown.")]
Rest = Annotated[list[str] | None, typer.Argument(hidden=True)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Replace = Annotated[bool, typer.Option("--replace", help="Give a secret that is registered already a new value.")]
_MOST_READ = 100_000  # characters of standard input; the check of the length says the rest


@app.command()
def add(name: Name, rest: Rest = None, replace: Replace = False) -> None:
    """Register a secret; its value is asked for, or read from standard input."""
    from llmos.kernel import config, vault

    if rest:
        raise UsageError(f"a value on the command line can be seen by others; run: llmos secrets add {name}")
    vault.add(config.home(), name, _value(name), replace)
    print(f"registered: {name}")


@app.command("list")
def show(json: Json = False) -> None:
    """List the names of the secrets; their values are never shown."""
    from llmos.kernel import config, vault

    own, given = sorted(vault.load(config.home())), sorted(vault.from_environment())
    if json:
        print(jsonlib.dumps({"registered": own, "environment": given}))
        return
    for line in (*own, *(f"{name}  (from the environment)" for name in given if name not in own)):
        print(line)
    if not own and not given:
        print("none; llmos secrets add NAME")


@app.command()
def remove(name: Name) -> None:
    """Forget a secret."""
    from llmos.kernel import config, vault

    vault.remove(config.home(), name)
    print(f"forgotten: {name}")


def _value(name: str) -> str:
    """The value, from a prompt that does not show it or from standard input without its last line end."""
    if not (sys.stdin and sys.stdin.isatty()):
        try:
            value = sys.stdin.read(_MOST_READ).rstrip("\r\n") if sys.stdin else ""
            value.encode()  # some locales give bytes that are no text as lone surrogates
        except UnicodeError as error:
            raise UsageError("the secret is no text") from error
        return value
    import getpass
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"{name} (not shown): ")
        except (getpass.GetPassWarning, EOFError, OSError) as error:
            raise UsageError("this terminal would show what is typed; give the value on standard input") from error
