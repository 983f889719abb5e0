"""``llmos feedback`` and ``llmos traces``: what the user thinks of answers, and the dialogues with it for fine-tuning.

Knows the command line; verdicts lie in the sessions' logs.
"""

import json as jsonlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from llmos.kernel.errors import UsageError

if TYPE_CHECKING:
    from llmos.kernel.redact import Redactor
    from llmos.kernel.secrets import Scanner

app = typer.Typer(
    help="Dialogues with what you thought of their answers, for fine-tuning.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Id = Annotated[str, typer.Argument(metavar="ID", help="A session's id, the beginning of it, or last.")]
Judged = Annotated[str, typer.Argument(metavar="good|bad|prefer", help="prefer: better than what was retried.")]
Of = Annotated[str, typer.Option("--answer", metavar="EVENT", help="Which answer; else the last.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it; else standard output.")]
Kinds = Annotated[list[str] | None, typer.Option("--verdict", metavar="good|bad|prefer", help="These alone.")]
All = Annotated[bool, typer.Option("--all", help="Dialogues without a verdict too.")]
Redact = Annotated[
    bool, typer.Option("--redact", help="Take out e-mail addresses, phone, account and card numbers, and your home.")
]


def feedback(id: Id, verdict: Judged, answer: Of = "", note: Note = "") -> None:
    """Keep what you think of an answer: good, bad, or better than the others to the same request."""
    from llmos.branching import judged, keep
    from llmos.kernel import settings, vault
    from llmos.kernel.config import home
    from llmos.kernel.scrub import Scrub
    from llmos.kernel.secrets import Scanner
    from llmos.memory import skills
    from llmos.memory.log import SessionStore
    from llmos.memory.store import Memory
    from llmos.memory.traces import KINDS

    if verdict not in KINDS:
        raise UsageError(f"there is no verdict {verdict!r}; there are: {', '.join(KINDS)}")
    with SessionStore(home()).open(id) as log:
        made = judged(log.events(), cast("Literal['good', 'bad', 'prefer']", verdict), note, answer)
        keep(log, made, Scrub(Scanner(vault.known(home()))))
        if settings.load(home())["skills"].value:
            with Memory(home()) as memory:
                skills.judged(memory, log.events(), made, session=log.id)
    print(f"kept: {verdict}, answer {made.answer} of {log.id}")


@app.command()
def export(out: Out = None, verdict: Kinds = None, every: All = False, redact: Redact = False) -> None:
    """Write dialogues as JSON lines: messages with a verdict, or a prompt with a chosen and a rejected end.

    Registered secrets are never in it. Personal data is, unless --redact takes it out.
    """
    import sys

    from llmos.kernel import vault
    from llmos.kernel.config import home
    from llmos.kernel.redact import Redactor
    from llmos.kernel.secrets import Scanner
    from llmos.memory.log import SessionStore
    from llmos.memory.traces import KINDS, traces

    if odd := [kind for kind in verdict or () if kind not in KINDS]:
        raise UsageError(f"there is no verdict {odd[0]!r}; there are: {', '.join(KINDS)}")
    store, scanner, lines = SessionStore(home()), Scanner(vault.known(home())), []
    for summary in reversed(store.list()):
        personal = Redactor() if redact else None
        for told in traces(store.read(summary.id), verdict or KINDS, every):
            lines.append(jsonlib.dumps(_clean(told, scanner, personal), ensure_ascii=False))
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{out} is there already; give another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error
    print(f"written: {len(lines)} dialogues to {out}")


def _clean(value: Any, scanner: "Scanner", personal: "Redactor | None") -> Any:
    """The same without registered secrets, and without personal data where that was asked for."""
    if isinstance(value, str):
        text = scanner.redact(value)
        return personal.redact(text).replace(str(Path.home()), "~") if personal is not None else text
    if isinstance(value, Mapping):
        return {_clean(k, scanner, personal): _clean(v, scanner, personal) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item, scanner, personal) for item in value]
    return value
