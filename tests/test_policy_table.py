"""Every decision there is, against the policy said once more in plain code; and every slip in the rules' file shows.

The rules are data, so what mutates code does not reach them: here each line is left out, moved, turned round, widened
and narrowed, and some decision must change.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations, product
from typing import Any, NamedTuple, get_args

import pytest

from llmos.kernel import policy
from llmos.kernel.policy import EVERYTHING, Grant, Grants, Rule, State, decide, rules
from llmos.kernel.tool import Capability, Reach, Tool, ToolOutput
from llmos.kernel.types import Label

SUBSETS = [frozenset(s) for s in chain(*(combinations(sorted(EVERYTHING), n) for n in range(len(EVERYTHING) + 1)))]
MINE = (Grant("t"),)


class Case(NamedTuple):
    """What a decision may depend on; ``does`` is None for a tool that does not say."""

    known: bool
    does: frozenset[Capability] | None
    reach: Reach
    untrusted: bool
    private: bool
    granted: bool
    denied: bool
    attended: bool
    secret: bool


Told = tuple[str, str, bool]


def cases() -> Iterator[Case]:
    """All of them."""
    for reach, bits in product(get_args(Reach), product([False, True], repeat=6)):
        yield from (Case(True, does, reach, *bits) for does in [*SUBSETS, None])
        yield Case(False, None, reach, *bits)


def decided(case: Case, state: State) -> Told:
    """What policy says, with the two taints in the call's label or in the session's state."""
    tool = Tool("t", "", {}, lambda a, c: ToolOutput(""), case.does) if case.known else None
    untrusted, private = case.untrusted and not state.untrusted, case.private and not state.private
    label = Label((), "untrusted" if untrusted else "trusted", "user" if private else "anyone")
    grants = Grants(MINE if case.granted else (), MINE if case.denied else ())
    ruling = decide(tool, "{}", label, state, grants, case.attended, case.secret, case.reach)
    return ruling.verdict, ruling.rule, ruling.yes


def expected(case: Case) -> Told:
    """The same, said in code."""
    verdict, rule, yes = _expected(case)
    return ("deny", f"{rule}, nobody to ask", False) if verdict == "ask" and not case.attended else (verdict, rule, yes)


def _expected(case: Case) -> Told:
    does = EVERYTHING if case.does is None else case.does
    if not case.known:
        return "deny", "unknown-tool", False
    if case.denied:
        return "deny", "denied-by-you", False
    if does <= {"exec"}:
        return "allow", "boxed" if does else "pure", False
    if case.secret:
        return "deny", "secret-leaves", False
    if case.does is not None and does <= {"note"} and not case.untrusted:
        return "allow", "notes", False
    if (
        case.does is not None
        and does <= {"net"}
        and (case.reach == "named" or (case.reach == "found" and not case.private))
    ):
        return "allow", "named-by-you" if case.reach == "named" else "found-on-the-way", False
    if case.untrusted:
        return "ask", "untrusted-private-act" if case.private else "untrusted-arguments", False
    if case.granted:
        return "allow", "granted-by-you", False
    if case.does is None:
        return "ask", "undeclared", True
    first: tuple[tuple[Capability, str], ...] = (
        ("note", "keeps-notes"),
        ("spend", "spends"),
        ("write", "writes"),
        ("net", "reaches-out"),
    )
    return "ask", next(name for capability, name in first if capability in does), True


def test_every_decision_is_the_one_that_was_meant() -> None:
    for case in cases():
        for bits in product([False, True], repeat=3):
            state = State(bits[0] and case.untrusted, bits[1] and case.private, bits[2])
            assert decided(case, state) == expected(case), (case, state)


def changed(rule: Rule, **change: Any) -> Rule:
    """The rule with one thing else."""
    return replace(rule, **change)


def slips(all_rules: tuple[Rule, ...]) -> Iterator[tuple[str, tuple[Rule, ...]]]:
    """The rules with one slip each, and its name."""
    for n, rule in enumerate(all_rules):
        before, after = all_rules[:n], all_rules[n + 1 :]
        yield f"{rule.name} left out", (*before, *after)
        if after:
            yield f"{rule.name} after the next", (*before, after[0], rule, *after[1:])
        for other in {"allow", "ask", "deny"} - {rule.verdict}:
            yield f"{rule.name}: {other}", (*before, changed(rule, verdict=other), *after)
        if rule.verdict == "ask":
            yield f"{rule.name}: yes", (*before, changed(rule, yes=not rule.yes), *after)
        for name in ("known", "denied", "granted", "declared", "tainted", "completes", "secret", "private"):
            now: bool | None = getattr(rule, name)
            if now is not None:
                yield f"{rule.name}: not {name}", (*before, changed(rule, **{name: not now}), *after)
                yield f"{rule.name}: whatever {name}", (*before, changed(rule, **{name: None}), *after)
        for name in ("only", "does"):
            said: frozenset[Capability] | None = getattr(rule, name)
            if said is not None:
                yield f"{rule.name}: whatever {name}", (*before, changed(rule, **{name: None}), *after)
                for one in EVERYTHING:
                    yield f"{rule.name}: {name} ^ {one}", (*before, changed(rule, **{name: said ^ {one}}), *after)
        if rule.reach is not None:
            yield f"{rule.name}: wherever", (*before, changed(rule, reach=None), *after)
            for place in get_args(Reach):
                yield f"{rule.name}: reach ^ {place}", (*before, changed(rule, reach=rule.reach ^ {place}), *after)


# What changes nothing, because two lines that never fit the same call change places, or because a line says what the
# lines before it have settled: an undeclared tool does everything, so that it is never within ``only``, and the last
# line is reached by tools that reach out and do no other act.
HARMLESS = {
    "unknown-tool after the next",
    "secret-leaves after the next",
    "boxed after the next",
    "notes after the next",
    "named-by-you after the next",
    "found-on-the-way after the next",
    "pure: whatever declared",
    "boxed: whatever declared",
    "notes: whatever declared",
    "named-by-you: whatever declared",
    "found-on-the-way: whatever declared",
    "found-on-the-way: reach ^ named",
    "spends: does ^ note",
    "writes: does ^ note",
    "writes: does ^ spend",
    "reaches-out: whatever does",
    "reaches-out: does ^ exec",
    "reaches-out: does ^ note",
    "reaches-out: does ^ write",
    "reaches-out: does ^ spend",
}


def test_every_slip_in_the_rules_changes_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    meant = [(case, expected(case)) for case in cases()]
    unseen, made = set(), 0
    for name, slipped in slips(rules()):
        monkeypatch.setattr(policy, "rules", lambda slipped=slipped: slipped)
        made += 1
        if all(decided(case, State()) == told for case, told in meant):
            unseen.add(name)
    assert made >= 100
    assert unseen == HARMLESS
