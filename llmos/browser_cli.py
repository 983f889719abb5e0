"""``llmos browser``: the profiles whose cookies are kept, and their removal.

Knows the command line; what a profile holds is tools.browser_profile's.
"""

import json as jsonlib
import time
from dataclasses import asdict
from typing import Annotated

import typer

from llmos.kernel.errors import UsageError

app = typer.Typer(
    help="The browser's profiles: llmos run --browser-profile NAME keeps cookies under a name.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A profile, as llmos browser list shows it.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("list")
def list_profiles(json: Json = False) -> None:
    """Show each profile: how many cookies it holds, of which sites, and when it was used last."""
    from llmos.kernel.config import home
    from llmos.tools.browser_profile import listed

    found = listed(home())
    for kept in found:
        if json:
            print(jsonlib.dumps(asdict(kept)))
        else:
            sites = ", ".join(kept.sites[:5]) + ", …" * (len(kept.sites) > 5)
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.used))
            print(f"{kept.name:20} {kept.cookies:5} cookies  {when}  {sites}")
    if not found and not json:
        print("no profiles; llmos run --browser-profile NAME makes one")


@app.command()
def forget(name: Name) -> None:
    """Remove a profile and its cookies."""
    from llmos.kernel.config import home
    from llmos.tools import browser_profile

    try:
        there = browser_profile.forget(home(), name)
    except browser_profile.ProfileError as error:
        raise UsageError(str(error)) from error
    if not there:
        raise UsageError(f"there is no profile {name!r}; llmos browser list shows them")
    print(f"forgotten: {name}")
