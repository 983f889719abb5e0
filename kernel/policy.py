"""Whether a call may happen: one pure function over what the tool declares, what is in view and what the user granted.

The rules are data, in ``policy.toml`` beside this file; what no rule fits is denied. Assumes that the model is
hijacked: nothing here reads the model's words. Knows nothing of models or terminals; asking is dispatch's business.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from llmos.kernel.tool import Capability, Reach, Tool
from llmos.kernel.types import Label

Verdict = Literal["allow", "ask", "deny"]
RULES = Path(__file__).parent / "policy.toml"
EVERYTHING: frozenset[Capability] = frozenset(get_args(Capability))
# Acts: what reaches beyond computing in the box.
OUTWARD: frozenset[Capability] = EVERYTHING - {"exec"}


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict, the name of the rule that gave it, and why; ``yes``: an ask that ``--yes`` answers."""

    verdict: Verdict
    rule: str
    why: str = ""
    yes: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A tool the user allowed or denied, for all calls or those whose arguments have the values of ``where``.

    A value of ``*`` is any.
    """

    tool: str
    where: tuple[tuple[str, str], ...] = ()

    def covers(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Whether it speaks of this call."""
        return self.tool == name and all(
            key in arguments if value == "*" else str(arguments.get(key)) == value for key, value in self.where
        )

    def covers_whole(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Whether it speaks of this call and of each of its arguments: what allows ``to=mum`` allows no ``bcc``."""
        return self.covers(name, arguments) and (not self.where or arguments.keys() <= dict(self.where).keys())


@dataclass(frozen=True, slots=True)
class Grants:
    """What the user decided beforehand."""

    allow: tuple[Grant, ...] = ()
    deny: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """A session's three bits: untrusted text read, private data read, an act beyond this box done. None is ever
    unset."""

    untrusted: bool = False
    private: bool = False
    acted: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of ``policy.toml``; what is None is not asked about."""

    name: str
    verdict: Verdict
    why: str = ""
    yes: bool = False
    known: bool | None = None
    denied: bool | None = None
    granted: bool | None = None
    declared: bool | None = None
    tainted: bool | None = None
    completes: bool | None = None
    secret: bool | None = None
    private: bool | None = None
    reach: frozenset[Reach] | None = None
    only: frozenset[Capability] | None = None
    does: frozenset[Capability] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules speak of."""

    known: bool
    denied: bool
    granted: bool
    declared: bool
    tainted: bool
    completes: bool
    secret: bool
    private: bool
    reach: Reach
    does: frozenset[Capability]


def decide(
    tool: Tool | None,
    arguments: str,
    label: Label,
    state: State,
    grants: Grants = Grants(),
    attended: bool = True,
    secret: bool = False,
    reach: Reach = "anywhere",
) -> Ruling:
    """Decide a call. ``tool`` is None for a name that the session does not have; ``arguments`` are canonical JSON.

    ``label`` is of all that the call may derive from. Where nobody is there to ask (not ``attended``), an ask is a
    denial. ``secret``: the arguments hold a registered secret. ``reach``: where the call leads, as its tool says.
    """
    facts = gather(tool, arguments, label, state, grants, secret, reach)
    for rule in rules():
        if fits(rule, facts):
            if rule.verdict == "ask" and not attended:
                return Ruling("deny", f"{rule.name}, nobody to ask", rule.why)
            return Ruling(rule.verdict, rule.name, rule.why, rule.yes)
    return Ruling("deny", "no-rule", "no rule allows it")


def gather(
    tool: Tool | None,
    arguments: str,
    label: Label,
    state: State,
    grants: Grants,
    secret: bool,
    reach: Reach = "anywhere",
) -> Facts:
    """The facts of a call."""
    does = effects(tool)
    untrusted = state.untrusted or label.integrity == "untrusted"
    private = state.private or label.readers == "user"
    given = json.loads(arguments)
    name = tool.name if tool is not None else ""
    return Facts(
        known=tool is not None,
        denied=any(g.covers(name, given) for g in grants.deny),
        granted=any(g.covers_whole(name, given) for g in grants.allow),
        declared=tool is not None and tool.capabilities is not None,
        tainted=untrusted,
        completes=untrusted and private and bool(does & OUTWARD),
        secret=secret,
        private=private,
        reach=reach,
        does=does,
    )


def effects(tool: Tool | None) -> frozenset[Capability]:
    """What a tool does; an undeclared or unknown one everything."""
    return EVERYTHING if tool is None or tool.capabilities is None else tool.capabilities


def fits(rule: Rule, facts: Facts) -> bool:
    """Whether a rule speaks of these facts."""
    if rule.only is not None and not facts.does <= rule.only:
        return False
    if rule.does is not None and not facts.does & rule.does:
        return False
    if rule.reach is not None and facts.reach not in rule.reach:
        return False
    asked = ("known", "denied", "granted", "declared", "tainted", "completes", "secret", "private")
    return all(getattr(rule, name) in (None, getattr(facts, name)) for name in asked)


@cache
def rules(path: Path = RULES) -> tuple[Rule, ...]:
    """The rules of a file, in order, read once. Raises ValueError where it says what no rule can say."""
    return read_rules(path)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules that a file says now. Raises ValueError as :func:`rules` does."""
    known = {f.name for f in fields(Rule)}
    made = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("rule", []):
        if odd := set(entry) - known:
            raise ValueError(f"{path.name}: a rule cannot say {sorted(odd)[0]!r}")
        if entry.get("verdict") not in get_args(Verdict):
            raise ValueError(f"{path.name}: rule {entry.get('name')!r} has no verdict allow, ask or deny")
        sets = {key: frozenset(entry[key]) for key in ("only", "does", "reach") if key in entry}
        if nowhere := sets.get("reach", frozenset()) - frozenset(get_args(Reach)):
            raise ValueError(f"{path.name}: no call leads {sorted(nowhere)[0]!r}")
        named = frozenset().union(*(value for key, value in sets.items() if key != "reach"))
        if beyond := named - EVERYTHING:
            raise ValueError(f"{path.name}: no tool does {sorted(beyond)[0]!r}")
        made.append(Rule(**{**entry, **sets}))
    return tuple(made)
