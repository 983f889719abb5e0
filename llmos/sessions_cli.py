"""``llmos sessions`` and ``llmos show``: what was asked before, told again or written to a file for others."""

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from llmos.turn import summary_line

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A session's id, the beginning of it, or last.")]
Labels = Annotated[bool, typer.Option("--labels", help="Tell of each text where it comes from and if it is trusted.")]
Tree = Annotated[bool, typer.Option("--tree", help="Show what was thought as a tree.")]
TreeHtml = Annotated[
    Path | None, typer.Option("--tree-html", metavar="FILE", help="What was thought, as one page, whole in itself.")
]
ToHtml = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="As one page, whole in itself.")]
ToMd = Annotated[Path | None, typer.Option("--md", metavar="FILE", help="As Markdown.")]
ToIpynb = Annotated[Path | None, typer.Option("--ipynb", metavar="FILE", help="As a notebook whose code cells run.")]


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


def show(
    id: Id,
    json: Json = False,
    labels: Labels = False,
    tree: Tree = False,
    tree_html: TreeHtml = None,
    html: ToHtml = None,
    md: ToMd = None,
    ipynb: ToIpynb = None,
) -> None:
    """Show a session again: its requests, calls, results and answers; or write it to a file for others."""
    from llmos.kernel import config, vault
    from llmos.kernel.scrub import Scrub
    from llmos.kernel.secrets import Scanner
    from llmos.memory.log import SessionStore
    from llmos.render import Screen, view

    # A secret may have been registered after it was logged.
    scrub = Scrub(Scanner(vault.known(config.home())))
    store = SessionStore(config.home())
    events = [scrub.event(event) for event in store.read(id)]
    if tree_html:
        from llmos.treepage import write

        print(f"written: {write(events, tree_html)}")
    if html or md or ipynb:
        from llmos.export import write_each

        workspace = store.folder / store.find(id) / "workspace"
        for path in write_each(events, workspace, {".html": html, ".md": md, ".ipynb": ipynb}, scrub.text):
            print(f"written: {path}")
    elif tree_html:
        return
    elif tree:
        from llmos.trees import drawn

        print("\n".join(drawn(events)))
    else:
        with view(as_json=True) if json else Screen(transcript=True, labels=labels) as screen:
            for event in events:
                screen.show(event)
