"""The command line: what is typed, what comes back, and the exit code.

Exit codes: 0 answered, 1 could not, 2 wrong usage, 3 denied by policy, 130 stopped by Ctrl-C. No traceback reaches the
user: an unexpected error becomes one line and a file in ``$LLMOS_HOME/crashes``. Heavy parts are imported by the
command that needs them, so that ``--help`` is quick.
"""

import errno
import json as jsonlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from llmos import audit, clean, policy, secrets
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.turn import PATIENCE, checked, hidden, read_stdin, say, summary_line, turn

app = typer.Typer(
    name="llmos",
    rich_markup_mode=None,  # plain help: loading rich would double its time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(policy.app, name="policy")
app.add_typer(audit.app, name="audit")
app.add_typer(secrets.app, name="secrets")
app.command("clean")(clean.clean)

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
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The seed of whatever is random.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first so many.")]
Failures = Annotated[str | None, typer.Option("--failures", metavar="OUT", help="Write what failed to this file.")]
Words = Annotated[list[str], typer.Argument(metavar="REQUEST", help="What you want, in your words.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A session's id, the beginning of it, or last.")]
Items = Annotated[str, typer.Argument(metavar="FILE.jsonl", help="Requests with what is expected, one a line.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Which measurement; a wrong name lists them.")]
Yes = Annotated[bool, typer.Option("--yes", help="Allow the calls that policy lets --yes allow.")]
Deny = Annotated[bool, typer.Option("--deny", help="Deny every call that policy asks about.")]
Labels = Annotated[bool, typer.Option("--labels", help="Tell of each text where it comes from and if it is trusted.")]
Redact = Annotated[
    bool, typer.Option("--redact", help="Keep e-mail addresses, phone, account and card numbers from the model.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="The answer's text and nothing else.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Whatever goes wrong is one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows ? rather than nothing
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
        return _os_error(error)
    except Exception as error:
        return _crash(error)
    return 0


def _os_error(error: OSError) -> int:
    if error.errno == errno.EPIPE:
        # The reader went away. Nothing may be flushed to it at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if error.errno == errno.ENOSPC:
        from llmos.kernel.config import home

        say(f"no space left on the disk; free some in {error.filename or home()} and run it again")
        return 1
    return _crash(error)


def _crash(error: Exception) -> int:
    """Keep the traceback in a file of its own and tell its path."""
    import traceback

    from llmos.kernel.config import home
    from llmos.memory.quotas import load
    from llmos.memory.room import CRASHES, check_caches

    told = f"unexpected {type(error).__name__}: {hidden(str(error))[:200]}"
    try:
        check_caches(home(), load(home()))
        folder = home() / CRASHES
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        path.write_text(hidden("".join(traceback.format_exception(error))), encoding="utf-8", errors="replace")
        say(f"{told}; the whole story is in {path}")
    except OSError:
        say(told)
    except LLMOSError as full:
        say(f"{told}; no report was kept: {full}")
    return 1


def _show_version(wanted: bool) -> None:
    if wanted:
        from llmos import __version__

        print(f"llmos {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
]


@app.callback(invoke_without_command=True)
def _root(context: Context, model: Model = None, session: Talk = None, version: Version = False) -> None:
    """An operating system whose kernel process is a local language model. Without a command: a conversation."""
    context.obj = model
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError('a conversation needs a terminal; for one request: llmos run "REQUEST"')
    from llmos.repl import converse

    raise typer.Exit(converse(model, session))


@app.command()
def run(
    context: Context,
    request: Words,
    file: Files = None,
    model: Model = None,
    session: Talk = None,
    seed: Seed = 0,
    yes: Yes = False,
    deny: Deny = False,
    redact: Redact = False,
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
    from llmos.render import Screen, view

    screen = view(as_json=json, quiet=quiet)
    # Nobody to ask is not the same as no: what would be asked is then not even offered to the model.
    ask = screen.ask if isinstance(screen, Screen) and not deny else None
    approve = (lambda asked: asked.yes) if yes else ask
    with screen, LLMOS(model=model or context.obj, seed=seed, approve=approve, redact=redact) as system:
        if isinstance(screen, Screen):
            screen.wait("loading the model")
        talk = system.session(session)
        if talk.notice:
            say(talk.notice)
        code = turn(talk, screen, asked, files, stdin)
    raise typer.Exit(code)


@app.command()
def sessions(json: Json = False) -> None:
    """List the sessions that are kept, the one used last first."""
    from dataclasses import asdict

    from llmos.kernel import vault
    from llmos.kernel.config import home
    from llmos.kernel.secrets import Scanner
    from llmos.memory.log import SessionStore

    hide = Scanner(vault.known(home())).redact
    found = SessionStore(home()).list()
    for summary in found:
        told = {**asdict(summary), "first_request": hide(summary.first_request)}
        print(jsonlib.dumps(told) if json else summary_line(summary, hide=hide))
    if not found and not json:
        print('no sessions yet; make one: llmos run "plot funding rounds"')


@app.command()
def show(id: Id, json: Json = False, labels: Labels = False) -> None:
    """Show a session again: its requests, calls, results and answers."""
    from llmos.kernel import vault
    from llmos.kernel.config import home
    from llmos.kernel.scrub import Scrub
    from llmos.kernel.secrets import Scanner
    from llmos.memory.log import SessionStore
    from llmos.render import Screen, view

    # A secret may have been registered after it was logged.
    scrub = Scrub(Scanner(vault.known(home())))
    events = [scrub.event(event) for event in SessionStore(home()).read(id)]
    with view(as_json=True) if json else Screen(transcript=True, labels=labels) as screen:
        for event in events:
            screen.show(event)


@app.command()
def eval(
    context: Context,
    file: Items,
    model: Model = None,
    limit: Limit = None,
    failures: Failures = None,
    json: Json = False,
) -> None:
    """Measure a model on requests with known answers."""
    from llmos.training.evaluate import evaluate_file

    report = evaluate_file(
        Path(file),
        model=model or context.obj,
        limit=limit,
        failures=Path(failures) if failures else None,
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
def bench(name: Name, json: Json = False) -> None:
    """Run a measurement of bench/."""
    import pkgutil
    from importlib import import_module

    import llmos.bench

    names = sorted(m.name for m in pkgutil.iter_modules(llmos.bench.__path__) if not m.name.startswith("_"))
    if name not in names:
        raise UsageError(f"there is no measurement {name!r}; there are: {', '.join(names) or 'none yet'}")
    raise typer.Exit(import_module(f"llmos.bench.{name}").main(json=json) or 0)
