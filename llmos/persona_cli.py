"""``llmos persona``: who there is, what one may do, and how to make one's own.

Knows the command line; what a persona is, is the kernel's, where it lies the memory's.
"""

import json as jsonlib
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmos.kernel.errors import DeniedError, LLMOSError, UsageError
from llmos.turn import shown

if TYPE_CHECKING:
    from llmos.kernel.persona import Persona

app = typer.Typer(
    help="Who answers: list, show, make and change personas.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A persona's name, or its Markdown file.")]
New = Annotated[list[str], typer.Argument(metavar="NAME", help="What it is called.")]
From = Annotated[str, typer.Option("--from", metavar="FILE", help="Its Markdown file; else one to fill in.")]
Kept = Annotated[str, typer.Argument(metavar="NAME", help="Its name, as llmos persona list shows it.")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A package's file, a folder, an https address, git+https://…@revision#folder, or a name in an index.",
    ),
]
Index = Annotated[
    list[str] | None, typer.Option("--index", metavar="URL|FILE", help="A list of personas; else as config index says.")
]
Sought = Annotated[list[str] | None, typer.Argument(metavar="[WORD]…", help="What its name and description hold.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it; else here, by its name.")]
Version = Annotated[str, typer.Option("--version", metavar="N.N.N", help="Its version.")]
Licence = Annotated[str, typer.Option("--licence", metavar="NAME", help="Under what others may use it.")]
Sha = Annotated[str, typer.Option("--sha256", metavar="HEX", help="Refuse another file than the one with this hash.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Model = Annotated[str | None, typer.Option("--model", metavar="MODEL", help="The model that is tried.")]
Card = Annotated[bool, typer.Option("--card", help="Keep the score beside the persona; a package of it shows it.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("list")
def show_all(json: Json = False) -> None:
    """List the personas there are. Exit code 1 when one of them cannot be read."""
    from llmos.kernel.config import home
    from llmos.memory import installed, personas
    from llmos.turn import say

    broken = False
    for name, found in personas.every(home()):
        if isinstance(found, LLMOSError):
            say(f"{name}: {found}")
            broken = True
        elif json:
            print(jsonlib.dumps(public(found)))
        else:
            more = f" ({version}, installed)" if (version := installed.version(personas.places(home())[name])) else ""
            print(f"{name:20} {shown(found.description or found.name)}{more}")
    raise typer.Exit(int(broken))


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show a persona whole: what it is told, its tools, its knowledge, its limits."""
    from llmos.kernel.config import home
    from llmos.memory import personas

    found = personas.find(name, home())
    told = public(found)
    if json:
        print(jsonlib.dumps({**told, "instructions": found.instructions}))
        return
    for key, value in told.items():
        if value not in ("", [], {}, 0, False):
            pairs = [f"{name} {number:g}" for name, number in value.items()] if isinstance(value, dict) else value
            text = ", ".join(map(str, pairs)) if isinstance(pairs, list) else value
            print(f"{key:12} {shown(str('all' if value is None else text))}")
    print(f"\n{shown(found.instructions)}")


@app.command()
def new(name: New, source: From = "") -> None:
    """Make a persona of your own, from a file or to be filled in with: llmos persona edit NAME."""
    from llmos.kernel.config import home
    from llmos.kernel.persona import slug
    from llmos.memory import personas
    from llmos.prompts import load

    called = " ".join(name)
    if not slug(called):
        raise UsageError("a persona needs a name with letters or digits in it")
    text = load("persona_new.md").replace("{name}", jsonlib.dumps(called, ensure_ascii=False)) + "\n"
    if source:
        try:
            text = Path(source).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {source}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    path = personas.create(home(), called, text)
    print(f"made: {path}")


@app.command()
def edit(name: Name) -> None:
    """Change a persona in $EDITOR; a shipped one is first copied to be your own."""
    from llmos.kernel.config import home
    from llmos.kernel.persona import read
    from llmos.memory import personas

    told = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        editor = shlex.split(told)
    except ValueError as error:
        raise UsageError(f"$EDITOR is {told}: {error}") from error
    path = personas.own(home(), name)
    if not editor:
        print(f"set $EDITOR, or change {path} by hand")
        return
    try:
        code = subprocess.run([*editor, str(path)], check=False).returncode
    except OSError as error:
        raise UsageError(f"cannot run {editor[0]}: {error.strerror}; set $EDITOR") from error
    if code:
        raise UsageError(f"{editor[0]} ended with {code}; {path} is as it left it")
    read(path)
    print(f"changed: {path}")


@app.command("pack")
def pack_up(name: Name, licence: Licence, version: Version = "1.0.0", out: Out = None) -> None:
    """Make a package of a persona for others: its file, its knowledge, eval.jsonl where there is one."""
    from llmos.kernel.config import home
    from llmos.memory import package, personas

    found = personas.find(name, home())
    path = out or Path(f"{found.slug}-{version}{package.ENDING}")
    digest = package.pack(found, path, version, licence)
    print(f"made: {path}\nsha256 {digest}")


@app.command("install")
def take_in(source: Source, yes: Yes = False, sha256: Sha = "", index: Index = None) -> None:
    """Install a package, once you have seen what it asks for. Exit code 3 when it is not installed."""
    from llmos.kernel.config import home
    from llmos.memory import installed, sources
    from llmos.memory.package import CARD, read_card

    with sources.fetched(source, _indexes(index)) as found:
        pass
    if sha256 and sha256.lower() != found.sha256:
        raise DeniedError(f"{shown(source)} is another package: its sha256 is {found.sha256}")
    before = installed.check(found, home())
    print(f"{shown(found.persona.name)} {found.version}{f', now {before}' if before else ''}, {shown(found.licence)}")
    print(shown(found.persona.description))
    print(f"sha256 {found.sha256}")
    for one in found.permissions or ("nothing",):
        print(f"asks for: {shown(one)}")
    if card := found.parts.get(CARD):
        model, passed, count = read_card(card)
        print(f"its author's score: {passed} of {count} with {shown(model)}")
    count = len(found.persona.knowledge)
    print(f"brings: {count} knowledge file{'s' * (count != 1)}; its words count as others' text")
    if not _agreed("Install it?", yes):
        raise DeniedError(f"{found.persona.slug} was not installed; --yes installs it")
    print(f"installed: {installed.install(found, home())}")


@app.command("search")
def look_for(words: Sought = None, index: Index = None, json: Json = False) -> None:
    """Search the indexes for personas; llmos persona install NAME installs one."""
    from dataclasses import asdict

    from llmos.memory import sources

    indexes = _indexes(index)
    if not indexes:
        raise UsageError("there is no index to search; give one by --index, or by: llmos config set index URL")
    found = sources.search(" ".join(words or []), indexes)
    for entry in found:
        if json:
            print(jsonlib.dumps(asdict(entry)))
            continue
        asks = ", ".join(entry.permissions) or "nothing"
        print(f"{entry.slug:20} {entry.version:8} {shown(entry.description or entry.name)}")
        print(f"{'':20} asks for: {shown(asks)}; {shown(entry.licence)}; {shown(entry.index)}")
    if not found and not json:
        print("nothing found")


def _indexes(given: list[str] | None) -> list[str]:
    from llmos.kernel import settings
    from llmos.kernel.config import home

    return given or list(settings.load(home())["index"].value)


@app.command()
def remove(name: Kept, yes: Yes = False) -> None:
    """Remove a persona of your own or an installed one, with all that it alone knew."""
    from llmos.kernel.config import home
    from llmos.memory import installed, personas

    path = personas.places(home()).get(name)
    if path is not None and path.is_relative_to(home()):
        print(path.parent)
        if not _agreed(f"Remove {name} and what it knew?", yes):
            raise DeniedError(f"{name} was not removed; --yes removes it")
    print(f"removed: {name}, {installed.remove(name, home())} documents forgotten")


@app.command("test")
def try_out(name: Name, model: Model = None, card: Card = False, json: Json = False) -> None:
    """Run a persona's eval.jsonl. Exit code 1 when an answer is not as expected."""
    from llmos.app import LLMOS
    from llmos.kernel.config import home
    from llmos.memory import personas
    from llmos.trials import run, trials

    found = personas.find(name, home())
    found.files()
    asked = trials(found)
    if not asked and not json:
        print(f"{found.name} is whole; it has no eval.jsonl to be tried with")
        return
    passed = 0
    with LLMOS(model=model, persona=found) as system:
        for trial, problem in run(system, found, asked):
            passed += not problem
            if not json:
                print(f"{'failed' if problem else 'passed'}: {shown(trial.request)}{problem and f': {shown(problem)}'}")
        told = {"persona": found.name, "model": system.model_name, "trials": len(asked), "passed": passed}
    if card:
        _keep_card(found, told)
    print(jsonlib.dumps(told) if json else f"{passed} of {len(asked)} passed")
    raise typer.Exit(int(passed < len(asked)))


def _keep_card(persona: "Persona", told: dict[str, Any]) -> None:
    """Write the score beside a persona of the user's own; another's is left as it is."""
    from llmos.memory.package import CARD
    from llmos.memory.personas import shipped

    if persona.home is None or persona.foreign or persona.home == shipped():
        raise UsageError(f"{persona.name} is not yours; a score card is kept beside a persona of your own")
    path = persona.home / CARD
    path.write_text(jsonlib.dumps({key: told[key] for key in ("model", "trials", "passed")}) + "\n", encoding="utf-8")


def _agreed(question: str, yes: bool) -> bool:
    """Whether the user says yes; nobody to ask is no."""
    if yes or not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        return yes
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def public(persona: "Persona") -> dict[str, Any]:
    """What is told of a persona; ``tools`` is null where it has all."""
    tools = persona.tool_names
    return {
        "name": persona.name,
        "description": persona.description,
        "model": persona.model,
        "tools": None if tools is None else list(tools),
        "knowledge": [str(path) for path in persona.knowledge],
        "memory": persona.key,
        "think": persona.think,
        "sampling": dict(persona.sampling),
        "starters": list(persona.starters),
        "greeting": persona.greeting,
        "limits": dict(persona.limits),
        "file": persona.place,
        "foreign": persona.foreign,
    }
