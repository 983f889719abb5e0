"""The command line: what is typed, what comes back, and the exit code.

Exit codes: 0 answered, 1 could not, 2 wrong usage, 3 denied by policy, 130 stopped by Ctrl-C. No traceback reaches the
user: an unexpected error becomes one line and a file in ``$LLMOS_HOME/crashes``. Heavy parts are imported by the
command that needs them, so that ``--help`` is quick.
"""

import json as jsonlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from llmos import (
    arena_cli,
    audit,
    browser_cli,
    clean,
    config_cli,
    export_cli,
    feedback_cli,
    finetune_cli,
    image_cli,
    memory_cli,
    models,
    persona_cli,
    policy,
    secrets,
    sessions_cli,
)
from llmos.ends import crash, leave, open_streams, os_error
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.turn import PATIENCE, checked, hidden, read_stdin, say, turn

app = typer.Typer(
    name="llmos",
    rich_markup_mode=None,  # plain help: loading rich would double its time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(policy.app, name="policy")
app.add_typer(audit.app, name="audit")
app.add_typer(secrets.app, name="secrets")
app.add_typer(memory_cli.app, name="memory")
app.add_typer(models.app, name="models")
app.add_typer(models.app, name="model", hidden=True)  # one model is a model
app.add_typer(image_cli.app, name="image")
app.add_typer(browser_cli.app, name="browser")
app.add_typer(persona_cli.app, name="persona")
app.add_typer(config_cli.app, name="config")
app.add_typer(feedback_cli.app, name="traces")
app.command("clean")(clean.clean)
app.command("feedback")(feedback_cli.feedback)
app.command("export")(export_cli.export)
app.command("arena")(arena_cli.arena)
app.command("finetune")(finetune_cli.finetune)

Context = typer.Context
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="A checkpoint folder or hub name, or an OpenAI-compatible URL."),
]
Talk = Annotated[str | None, typer.Option("--session", metavar="ID", help="Go on with a session: its id, or last.")]
Files = Annotated[
    list[str] | None, typer.Option("--file", "-f", metavar="FILE", help="A file to work on; - is standard input.")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="The seed of whatever is random.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first so many.")]
Failures = Annotated[str | None, typer.Option("--failures", metavar="OUT", help="Write what failed to this file.")]
Words = Annotated[list[str], typer.Argument(metavar="REQUEST", help="What you want, in your words.")]
Items = Annotated[
    str | None,
    typer.Argument(metavar="FILE.jsonl", help="Requests with what is expected, one a line; or a suite's file."),
]
Suite = Annotated[
    str | None,
    typer.Option("--suite", metavar="NAME", help="Measure a weakness: hallucination, reversal, bits or calibration."),
]
Plot = Annotated[str | None, typer.Option("--plot", metavar="OUT.png", help="Of calibration: the reliability plot.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Which measurement; a wrong name lists them.")]
Problem = Annotated[str | None, typer.Option("--problem", metavar="NAME", help="Of think: one problem alone.")]
Puzzles = Annotated[
    str | None, typer.Option("--puzzles", metavar="FILE.jsonl", help="Of think: Games of 24, id and numbers a line.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Allow the calls that policy lets --yes allow.")]
Deny = Annotated[bool, typer.Option("--deny", help="Deny every call that policy asks about.")]
Redact = Annotated[
    bool | None,
    typer.Option("--redact/--no-redact", help="Keep e-mail addresses, phone, account and card numbers from the model."),
]
Memory = Annotated[
    bool | None,
    typer.Option(
        "--memory/--no-memory", help="Give the kernel what is remembered; by default for other models than its own."
    ),
]
Strict = Annotated[
    bool | None,
    typer.Option("--strict/--no-strict", help="Keep text that others wrote from the model, behind handles."),
]
Browser = Annotated[
    bool | None,
    typer.Option(
        "--browser/--no-browser", help="Give the kernel the web, or not; by default where there is a browser."
    ),
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host", metavar="HOST:PORT", help="A private host that the browser may reach: localhost:8000."
    ),
]
Posts = Annotated[
    list[str] | None, typer.Option("--allow-post", metavar="HOST:PORT", help="A host that forms may be sent to.")
]
Profile = Annotated[
    str | None,
    typer.Option("--browser-profile", metavar="NAME", help="Keep the browser's cookies under a name: llmos browser."),
]
Search = Annotated[
    str | None,
    typer.Option(
        "--search", metavar="ENGINE", help="folder:PATH, site:URL, a SearXNG URL, duckduckgo, or one by key: brave, …"
    ),
]
Thinks = Annotated[
    str | None,
    typer.Option("--think", metavar="SECONDS|auto", help="Think first: draw several replies, try them, let them vote."),
]
Speaker = Annotated[
    str | None,
    typer.Option("--persona", metavar="NAME|FILE", help="Who answers: llmos persona list; or a Markdown file."),
]
PlainText = Annotated[
    bool | None, typer.Option("--plain/--no-plain", help="Words instead of signs, nothing that moves.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="The answer's text and nothing else.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process."""
    leave(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Whatever goes wrong is one line on standard error."""
    open_streams()
    try:
        try:
            app(args=list(arguments), prog_name="llmos")
        except SystemExit as end:
            sys.stdout.flush()
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except LLMOSError as error:
        say(hidden(str(error)))
        return error.exit_code
    except OSError as error:
        return os_error(error)
    except Exception as error:
        return crash(error)
    return 0


def _show_version(wanted: bool) -> None:
    if wanted:
        from llmos import __version__

        print(f"llmos {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
]


@app.callback(invoke_without_command=True)
def _root(
    context: Context,
    model: Model = None,
    session: Talk = None,
    persona: Speaker = None,
    strict: Strict = None,
    plain: PlainText = None,
    version: Version = False,
) -> None:
    """An operating system whose kernel process is a local language model. Without a command: a conversation."""
    context.obj = model
    context.meta["flags"] = {"model": model, "persona": persona, "strict": strict, "plain": plain}
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError('a conversation needs a terminal; for one request: llmos run "REQUEST"')
    from llmos.kernel import settings
    from llmos.kernel.config import home
    from llmos.repl import converse

    chosen = config_cli.set_here(context)
    look = settings.load(home(), context.meta["flags"])
    raise typer.Exit(converse(chosen, session, look["theme"].value, look["plain"].value))


@app.command()
def run(
    context: Context,
    request: Words,
    file: Files = None,
    model: Model = None,
    session: Talk = None,
    persona: Speaker = None,
    seed: Seed = None,
    yes: Yes = False,
    deny: Deny = False,
    redact: Redact = None,
    memory: Memory = None,
    strict: Strict = None,
    browser: Browser = None,
    allow_host: Hosts = None,
    allow_post: Posts = None,
    search: Search = None,
    browser_profile: Profile = None,
    think: Thinks = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Answer one request. Data may be piped in: cat x.csv | llmos run "plot this"."""
    if yes and deny:
        raise UsageError("--yes and --deny exclude each other")
    files = [f for f in file or [] if f != "-"]
    asked = checked(" ".join(request))
    stdin = read_stdin(None if file and "-" in file else PATIENCE, quiet=quiet)

    from llmos.app import LLMOS
    from llmos.kernel.ponder import parse
    from llmos.render import Screen, view

    how = parse(think) if think is not None else None
    screen = view(as_json=json, quiet=quiet)
    # Nobody to ask is not the same as no: what would be asked is then not even offered to the model.
    ask = screen.ask if isinstance(screen, Screen) and not deny else None
    approve = (lambda asked: asked.yes) if yes else ask
    web = {"browser": browser, "allow_hosts": allow_host, "allow_posts": allow_post, "search": search}
    web |= {"browser_profile": browser_profile}
    flags = {"model": model, "seed": seed, "persona": persona, "redact": redact, "strict": strict, "memory": memory}
    chosen = config_cli.set_here(context, **flags, **web)
    with screen, LLMOS(approve=approve, **chosen) as system:
        if isinstance(screen, Screen):
            screen.wait("loading the model")
        talk = system.session(session, persona)
        if talk.notice:
            say(talk.notice)
        code = turn(talk, screen, asked, files, stdin, think=how)
    raise typer.Exit(code)


app.command("sessions")(sessions_cli.sessions)
app.command("show")(sessions_cli.show)


@app.command()
def eval(
    context: Context,
    file: Items = None,
    suite: Suite = None,
    model: Model = None,
    limit: Limit = None,
    failures: Failures = None,
    plot: Plot = None,
    strict: Strict = None,
    browser: Browser = None,
    json: Json = False,
) -> None:
    """Measure a model on requests with known answers, or one of its known weaknesses."""
    from llmos.training.evaluate import evaluate_file

    if suite is not None:
        from llmos.training.suites.run import run

        paths = {"file": file, "plot": plot, "answers": failures}
        given = {key: Path(path) for key, path in paths.items() if path is not None}
        measured = run(suite, model=model or context.obj, limit=limit, progress=_progress, **given)
        print(jsonlib.dumps(measured.public()) if json else measured.text())
        return
    if file is None or plot is not None:
        raise UsageError("name a file of requests, or a suite: --suite hallucination|reversal|bits|calibration")

    report = evaluate_file(
        Path(file),
        model=model or context.obj,
        limit=limit,
        failures=Path(failures) if failures else None,
        strict=bool(strict),
        browser=browser,
        progress=_progress,
    )
    print(jsonlib.dumps(report.public()) if json else report.text())


def _progress(done: int, total: int, passed: int) -> None:
    """Tell how far a measurement is: in place on a terminal, else a line now and then."""
    if sys.stderr.isatty():
        print(f"\r{done}/{total}, {passed} passed", end="\n" if done == total else "", file=sys.stderr, flush=True)
    elif done % 25 == 0 or done == total:
        print(f"{done}/{total}, {passed} passed", file=sys.stderr, flush=True)


@app.command()
def doctor(json: Json = False) -> None:
    """Tell what works on this machine, what does not, and the one command that mends it."""
    from llmos.doctor import examine, report

    checks = examine()
    print(report(checks, as_json=json))
    raise typer.Exit(int(any(check.broken for check in checks)))


@app.command()
def bench(name: Name, problem: Problem = None, puzzles: Puzzles = None, json: Json = False) -> None:
    """Run a measurement of bench/."""
    import pkgutil
    from importlib import import_module
    from inspect import signature

    import llmos.bench

    names = sorted(m.name for m in pkgutil.iter_modules(llmos.bench.__path__) if not m.name.startswith("_"))
    if name not in names:
        raise UsageError(f"there is no measurement {name!r}; there are: {', '.join(names) or 'none yet'}")
    main = import_module(f"llmos.bench.{name}").main
    more = {key: value for key, value in (("problem", problem), ("puzzles", puzzles)) if value is not None}
    if strange := [key for key in more if key not in signature(main).parameters]:
        raise UsageError(f"the measurement {name} takes no --{strange[0]}")
    raise typer.Exit(main(json=json, **more) or 0)
