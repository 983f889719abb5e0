"""``llmos policy``: what may happen by itself, what is asked for, what never happens; and the user's own say in it.

Knows the command line and the files; what is decided is the kernel's.
"""

import json as jsonlib
from typing import Annotated, cast, get_args

import typer

from llmos.kernel.errors import UsageError

app = typer.Typer(
    help="See, change and try what calls may do.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# What the browser's acts do: those that only look at what is there do nothing.
BROWSER = {
    **{f"browser_{act}": "net" for act in ("search", "open", "click", "type", "select", "scroll", "back", "download")},
    **{f"browser_{act}": "nothing" for act in ("read", "screenshot", "tabs")},
}

Tool = Annotated[str, typer.Argument(metavar="TOOL", help="A tool's name, such as python.")]
Where = Annotated[
    list[str] | None, typer.Argument(metavar="[ARGUMENT=VALUE]…", help="Only for calls with these arguments.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Arguments = Annotated[str, typer.Option("--arguments", metavar="JSON", help="The call's arguments.")]
Does = Annotated[
    str | None,
    typer.Option(
        "--does", metavar="WHAT", help="What the tool does: exec, net, note, write, spend, by commas; or nothing."
    ),
]
Untrusted = Annotated[bool, typer.Option("--untrusted", help="Text that others wrote is in view.")]
Leads = Annotated[str, typer.Option("--reach", metavar="WHERE", help="Where the call leads: named, found or anywhere.")]
Private = Annotated[bool, typer.Option("--private", help="Private data is in view.")]
Unattended = Annotated[bool, typer.Option("--unattended", help="Nobody can be asked.")]


@app.command()
def show(json: Json = False) -> None:
    """Show the rules in the order they are tried, and what you allowed or denied."""
    from llmos.kernel import config, grants
    from llmos.kernel.policy import RULES, rules

    home = config.home()
    own = grants.load(home)
    spelled = {key: [grants.spell(g) for g in getattr(own, key)] for key in ("allow", "deny")}
    if json:
        listed = [{"name": r.name, "verdict": r.verdict, "why": r.why, "yes": r.yes} for r in rules()]
        print(jsonlib.dumps({"rules": listed, **spelled}))
        return
    print(f"rules, the first that fits decides ({RULES}):")
    for rule in rules():
        print(f"  {rule.verdict:5}  {rule.name:22}  {rule.why}")
    print("  deny   no-rule                 no rule allows it")
    print(f"yours ({home / grants.FILE}):")
    for key, lines in spelled.items():
        for line in lines:
            print(f"  {key:5}  {line}")
    if not any(spelled.values()):
        print("  none; llmos policy allow TOOL, llmos policy deny TOOL")


@app.command()
def allow(tool: Tool, where: Where = None) -> None:
    """Allow a tool beforehand; text that others wrote still makes its calls ask."""
    _change("allow", tool, where)


@app.command()
def deny(tool: Tool, where: Where = None) -> None:
    """Deny a tool: the model is not even told of it."""
    _change("deny", tool, where)


@app.command()
def reset(tool: Tool) -> None:
    """Take back what was allowed or denied of a tool."""
    _change("", tool, None)


@app.command("test")
def try_out(
    tool: Tool,
    arguments: Arguments = "{}",
    does: Does = None,
    untrusted: Untrusted = False,
    private: Private = False,
    reach: Leads = "anywhere",
    unattended: Unattended = False,
    json: Json = False,
) -> None:
    """Tell what would be decided of a call, and by which rule. Nothing is run."""
    from llmos.kernel import config, grants, vault
    from llmos.kernel.policy import EVERYTHING, State, decide
    from llmos.kernel.scrub import Scrub
    from llmos.kernel.secrets import Scanner
    from llmos.kernel.tool import Capability, Reach, ToolOutput
    from llmos.kernel.tool import Tool as Declared
    from llmos.kernel.types import Label, ToolCall

    built_in = {"calculator": "nothing", "python": "exec", **BROWSER}
    words = (built_in.get(tool) if does is None else does) or ""
    named = frozenset(w for w in words.replace("nothing", "").split(",") if w)
    if odd := named - EVERYTHING:
        raise UsageError(f"no tool does {sorted(odd)[0]!r}; there are: {', '.join(sorted(EVERYTHING))}, nothing")
    if reach not in get_args(Reach):
        raise UsageError(f"no call leads {reach!r}; there are: {', '.join(get_args(Reach))}")
    try:
        given = jsonlib.loads(arguments)
    except ValueError as error:
        raise UsageError(f"--arguments is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise UsageError('--arguments is no JSON object, such as \'{"city": "Berlin"}\'')
    capabilities = cast("frozenset[Capability]", named) if words else None
    scrub = Scrub(Scanner(vault.known(config.home())))
    declared = Declared(tool, "", {}, lambda a, c: ToolOutput(""), capabilities)
    ruling = decide(
        declared,
        jsonlib.dumps(given),
        Label(),
        State(untrusted, private),
        grants.load(config.home()),
        attended=not unattended,
        secret=scrub.holds_secret(ToolCall("", tool, given)),
        reach=cast("Reach", reach),
    )
    if json:
        print(jsonlib.dumps({"verdict": ruling.verdict, "rule": ruling.rule, "why": ruling.why, "yes": ruling.yes}))
    else:
        print(f"{ruling.verdict}: {ruling.why} ({ruling.rule})")
    if not words and tool not in built_in:
        typer.echo("taken as a tool that does not say what it does; say it by --does", err=True)


def _change(verdict: str, tool: str, where: list[str] | None) -> None:
    from llmos.kernel import config, grants
    from llmos.kernel.policy import Grant

    try:
        grant = Grant(tool, tuple(grants.condition(c) for c in where or []))
    except ValueError as error:
        raise UsageError(str(error)) from error
    home = config.home()
    grants.save(home, grants.change(grants.load(home), verdict, grant if verdict else None, tool))
    print(f"{verdict}: {grants.spell(grant)}" if verdict else f"nothing is said of {tool} any more")
