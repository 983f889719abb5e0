"""Policy: one pure function, default deny, rules as data; more taint, more effects or fewer people never allow more."""

import json
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.kernel import grants as grant_file
from llmos.kernel import policy
from llmos.kernel.errors import UsageError
from llmos.kernel.policy import EVERYTHING, Grant, Grants, Rule, State, decide, read_rules, rules
from llmos.kernel.tool import Capability, Reach, Tool, ToolOutput
from llmos.kernel.types import Label

PLAIN = Label()
UNTRUSTED = Label((), "untrusted")
PRIVATE = Label((), "trusted", "user")
BOTH = Label((), "untrusted", "user")
ORDER = {"allow": 0, "ask": 1, "deny": 2}
REACHES: tuple[Reach, ...] = ("named", "found", "anywhere")
ALLOWED, DENIED = Grants(allow=(Grant("t"),)), Grants(deny=(Grant("t"),))


def tool(*capabilities: Capability, declared: bool = True) -> Tool:
    given = frozenset(capabilities) if declared else None
    return Tool("t", "", {"type": "object"}, lambda a, c: ToolOutput(""), given)


def verdict(
    asked: Tool | None,
    label: Label = PLAIN,
    state: State = State(),  # noqa: B008
    grants: Grants = Grants(),  # noqa: B008
    attended: bool = True,
) -> str:
    return decide(asked, "{}", label, state, grants, attended).verdict


NOTES: list[tuple[Capability, ...]] = [(), ("exec",), ("note",), ("note", "exec")]
ACTS: list[tuple[Capability, ...]] = [("net",), ("write",), ("spend",), ("exec", "net"), ("write", "spend")]


def test_a_pure_tool_and_the_boxed_python_are_always_allowed() -> None:
    for label, attended in product([PLAIN, UNTRUSTED, PRIVATE, BOTH], [True, False]):
        assert verdict(tool(), label, attended=attended) == "allow"
        assert verdict(tool("exec"), label, attended=attended) == "allow"


@pytest.mark.parametrize("does", ACTS)
def test_what_acts_is_asked_for_and_denied_where_nobody_is_there(does: tuple[Capability, ...]) -> None:
    assert verdict(tool(*does)) == "ask"
    ruling = decide(tool(*does), "{}", PLAIN, State(), attended=False)
    assert ruling.verdict == "deny"
    assert "nobody to ask" in ruling.rule


def test_an_undeclared_tool_is_asked_for_and_an_unknown_one_is_denied() -> None:
    assert decide(tool(declared=False), "{}", PLAIN, State()).rule == "undeclared"
    assert decide(None, "{}", PLAIN, State(), ALLOWED).rule == "unknown-tool"


@pytest.mark.parametrize("does", ACTS)
def test_a_grant_allows_acts_until_others_text_is_in_view(does: tuple[Capability, ...]) -> None:
    assert verdict(tool(*does), grants=ALLOWED, attended=False) == "allow"
    assert verdict(tool(*does), PRIVATE, grants=ALLOWED) == "allow"
    assert decide(tool(*does), "{}", UNTRUSTED, State(), ALLOWED).rule == "untrusted-arguments"
    assert decide(tool(*does), "{}", PLAIN, State(untrusted=True), ALLOWED).rule == "untrusted-arguments"
    assert verdict(tool(*does), UNTRUSTED, grants=ALLOWED, attended=False) == "deny"


@pytest.mark.parametrize("does", ACTS)
def test_the_three_bits_together_are_asked_for_and_no_option_answers(does: tuple[Capability, ...]) -> None:
    for label, state in (
        (BOTH, State()),
        (PLAIN, State(True, True)),
        (UNTRUSTED, State(private=True)),
        (PRIVATE, State(untrusted=True)),
    ):
        ruling = decide(tool(*does), "{}", label, state, ALLOWED)
        assert (ruling.verdict, ruling.rule, ruling.yes) == ("ask", "untrusted-private-act", False)


def test_yes_answers_plain_asks_alone() -> None:
    assert decide(tool("write"), "{}", PLAIN, State()).yes
    assert decide(tool(declared=False), "{}", PLAIN, State()).yes
    assert not decide(tool("write"), "{}", UNTRUSTED, State()).yes
    assert not decide(tool("write"), "{}", PLAIN, State(), attended=False).yes
    assert not decide(None, "{}", PLAIN, State()).yes


def test_a_denial_beats_everything() -> None:
    both = Grants(ALLOWED.allow, DENIED.deny)
    for asked in (tool(), tool("exec"), tool("net"), tool(declared=False)):
        assert decide(asked, "{}", PLAIN, State(), both).rule == "denied-by-you"


def test_a_grant_may_speak_of_some_arguments_alone() -> None:
    berlin = Grants(allow=(Grant("t", (("city", "Berlin"), ("n", "3"))),))
    asked = tool("net")
    assert decide(asked, '{"city":"Berlin","n":3}', PLAIN, State(), berlin).verdict == "allow"
    assert decide(asked, '{"city":"Rome","n":3}', PLAIN, State(), berlin).verdict == "ask"
    assert decide(asked, "{}", PLAIN, State(), berlin).verdict == "ask"
    other = Tool("u", "", {}, lambda a, c: ToolOutput(""), frozenset({"net"}))
    assert decide(other, '{"city":"Berlin","n":3}', PLAIN, State(), berlin).verdict == "ask"


def test_a_star_is_any_value_but_the_argument_must_be_there() -> None:
    anything = Grant("t", (("to", "mum"), ("body", "*")))
    assert anything.covers("t", {"to": "mum", "body": "hi", "bcc": "x"})
    assert not anything.covers("t", {"to": "mum"})
    assert not anything.covers("t", {"to": "x", "body": "hi"})
    assert not anything.covers("u", {"to": "mum", "body": "hi"})
    assert anything.covers_whole("t", {"to": "mum", "body": ""})
    assert not anything.covers_whole("t", {"to": "mum", "body": "hi", "bcc": "x"})
    assert Grant("t").covers_whole("t", {"whatever": 1})
    assert not Grant("t").covers_whole("u", {})


def test_a_denial_may_speak_of_some_arguments_and_holds_whatever_else_there_is() -> None:
    never = Grants(allow=(Grant("t"),), deny=(Grant("t", (("to", "boss"),)),))
    assert decide(tool("net"), '{"bcc":"x","to":"boss"}', PLAIN, State(), never).rule == "denied-by-you"
    assert decide(tool("net"), '{"to":"mum"}', PLAIN, State(), never).rule == "granted-by-you"
    assert decide(None, "{}", PLAIN, State(), Grants(deny=(Grant("XXXX"), Grant("")))).rule == "unknown-tool"


def test_a_ruling_says_why() -> None:
    why = {rule.name: rule.why for rule in rules()}
    for attended in (True, False):
        assert decide(tool("net"), "{}", PLAIN, State(), attended=attended).why == why["reaches-out"]
    assert decide(tool(), "{}", PLAIN, State()).why == why["pure"]


def test_what_no_rule_speaks_of_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "rules", lambda: ())
    ruling = decide(tool(), "{}", PLAIN, State(), ALLOWED)
    assert (ruling.verdict, ruling.rule, ruling.why) == ("deny", "no-rule", "no rule allows it")


capabilities = st.one_of(st.none(), st.frozensets(st.sampled_from(sorted(EVERYTHING))))
labels = st.builds(Label, st.just(()), st.sampled_from(["trusted", "untrusted"]), st.sampled_from(["anyone", "user"]))
states = st.builds(State, st.booleans(), st.booleans(), st.booleans())
everything = st.sampled_from([Grants(), ALLOWED, DENIED, Grants(ALLOWED.allow, DENIED.deny)])


def made(does: frozenset[Capability] | None) -> Tool:
    return Tool("t", "", {}, lambda a, c: ToolOutput(""), does)


@given(capabilities, labels, states, everything, st.booleans())
def test_more_taint_never_allows_more(
    does: frozenset[Capability] | None, label: Label, state: State, grants: Grants, attended: bool
) -> None:
    before = ORDER[verdict(made(does), label, state, grants, attended)]
    worse = [
        (Label((), "untrusted", label.readers), state),
        (Label((), label.integrity, "user"), state),
        (label, State(True, state.private, state.acted)),
        (label, State(state.untrusted, True, state.acted)),
        (label, State(state.untrusted, state.private, True)),
    ]
    for tainted, bits in worse:
        assert ORDER[verdict(made(does), tainted, bits, grants, attended)] >= before


@given(capabilities, labels, states, st.booleans(), st.lists(st.sampled_from(["", "a=1", "a=*", "a=1 b=2"])), st.data())
def test_a_further_denial_never_allows_more(
    does: frozenset[Capability] | None,
    label: Label,
    state: State,
    attended: bool,
    held: list[str],
    data: st.DataObject,
) -> None:
    arguments = data.draw(st.sampled_from(["{}", '{"a":1}', '{"a":1,"b":2}', '{"a":2}']))
    mine = tuple(grant_file.parse(f"t {line}") for line in held)
    cut = data.draw(st.integers(0, len(mine)))
    some, all_of_them = Grants(mine[cut:], mine[:cut]), Grants(mine[cut:], mine)
    before = decide(made(does), arguments, label, state, some, attended)
    after = decide(made(does), arguments, label, state, all_of_them, attended)
    assert ORDER[after.verdict] >= ORDER[before.verdict]
    fewer = decide(made(does), arguments, label, state, Grants((), mine[:cut]), attended)
    assert ORDER[fewer.verdict] >= ORDER[before.verdict]
    if after.rule != before.rule:
        assert after.rule == "denied-by-you"


@given(capabilities, st.sampled_from(sorted(EVERYTHING)), labels, states, everything, st.booleans())
def test_more_effects_or_fewer_people_never_allow_more(
    does: frozenset[Capability] | None,
    more: Capability,
    label: Label,
    state: State,
    grants: Grants,
    attended: bool,
) -> None:
    before = ORDER[verdict(made(does), label, state, grants, attended)]
    wider = None if does is None else does | {more}
    assert ORDER[verdict(made(wider), label, state, grants, attended)] >= before
    assert ORDER[verdict(made(None), label, state, grants, attended)] >= before
    assert ORDER[verdict(made(does), label, state, grants, attended=False)] >= before
    assert verdict(made(does), label, state, grants, attended=False) != "ask"
    holding = decide(made(does), "{}", label, state, grants, attended, secret=True)
    assert ORDER[holding.verdict] >= before
    assert holding.verdict == "deny" or (does is not None and does <= {"exec"})


@given(capabilities, labels, states, st.booleans())
def test_without_a_grant_only_computing_is_allowed(
    does: frozenset[Capability] | None, label: Label, state: State, attended: bool
) -> None:
    allowed = verdict(made(does), label, state, Grants(), attended) == "allow"
    tainted = state.untrusted or label.integrity == "untrusted"
    keeps = does == frozenset[Capability]({"note"}) and not tainted
    assert allowed == (does is not None and (does <= {"exec"} or keeps))


def test_a_note_is_kept_freely_until_others_text_is_in_view() -> None:
    assert verdict(tool("note"), PRIVATE, attended=False) == "allow"
    assert verdict(tool("note"), UNTRUSTED) == "ask"
    assert verdict(tool("note"), PLAIN, State(untrusted=True), ALLOWED) == "ask"
    assert verdict(tool("note"), BOTH, attended=False) == "deny"


@given(capabilities, labels, states, everything, st.booleans())
def test_where_a_call_leads_matters_only_to_reading_the_web(
    does: frozenset[Capability] | None, label: Label, state: State, grants: Grants, attended: bool
) -> None:
    asked = [decide(made(does), "{}", label, state, grants, attended, reach=reach) for reach in REACHES]
    order = [ORDER[ruling.verdict] for ruling in asked]
    assert order == sorted(order)
    if does != frozenset({"net"}):
        assert len({ruling.verdict for ruling in asked}) == 1
    private = state.private or label.readers == "user"
    if private:
        assert asked[1].verdict == asked[2].verdict
    for ruling, reach in zip(asked, REACHES, strict=True):
        worse = decide(made(does), "{}", BOTH, State(True, True, True), grants, attended, reach=reach)
        assert ORDER[worse.verdict] >= ORDER[ruling.verdict]


def test_every_rule_decides_something() -> None:
    seen = set()
    for does, label, grants, attended in product(
        [None, *(frozenset[Capability](c) for c in NOTES), *(frozenset[Capability](c) for c in ACTS)],
        [PLAIN, UNTRUSTED, PRIVATE, BOTH],
        [Grants(), ALLOWED, DENIED],
        [True, False],
    ):
        seen.add(decide(made(does), "{}", label, State(), grants, attended).rule.partition(",")[0])
    seen.add(decide(None, "{}", PLAIN, State()).rule)
    seen.add(decide(tool("net"), "{}", PLAIN, State(), secret=True).rule)
    seen |= {decide(tool("net"), "{}", PLAIN, State(), reach=reach).rule for reach in REACHES}
    assert seen == {rule.name for rule in rules()}
    assert all(rule.why for rule in rules())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[rule]]\nname = "x"\nverdict = "perhaps"', "rule 'x' has no verdict"),
        ('[[rule]]\nname = "x"\nverdict = "ask"\nmood = 1', "'mood'"),
        ('[[rule]]\nname = "x"\nverdict = "ask"\ndoes = ["fly"]', "'fly'"),
        ('[[rule]]\nname = "x"\nverdict = "ask"\nreach = ["home"]', "'home'"),
    ],
)
def test_rules_that_say_nonsense_are_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        rules(path)


def test_rules_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("")
    assert read_rules(path) == ()
    lines = ['name = "é"', 'verdict = "ask"', 'why = "w"', "yes = true", "tainted = false", 'only = ["exec"]']
    more = '[[rule]]\nname = "n"\nverdict = "deny"\ndoes = ["net", "spend"]\n'
    path.write_text("\n".join(["[[rule]]", *lines, more]), encoding="utf-8")
    assert read_rules(path) == (
        Rule("é", "ask", "w", True, tainted=False, only=frozenset({"exec"})),
        Rule("n", "deny", does=frozenset({"net", "spend"})),
    )


def test_grants_are_kept_changed_and_taken_back(tmp_path: Path) -> None:
    home = tmp_path / "not" / "yet" / "home"
    assert grant_file.load(home) == Grants()
    kept = grant_file.change(Grants(), "allow", grant_file.parse("weather city=Berlin"), "weather")
    kept = grant_file.change(kept, "deny", Grant("python"), "python")
    grant_file.save(home, kept)
    assert grant_file.load(home) == kept == Grants((Grant("weather", (("city", "Berlin"),)),), (Grant("python"),))
    assert grant_file.change(kept, "deny", Grant("weather"), "weather").allow == ()
    assert grant_file.change(kept, "", None, "python").deny == ()
    assert json.loads((home / "policy.toml").read_text().splitlines()[1].partition("=")[2]) == ["weather city=Berlin"]
    grant_file.save(home, Grants((Grant("note", (("text", "é=世"),)),)))
    assert grant_file.load(home) == Grants((Grant("note", (("text", "é=世"),)),))
    (home / "policy.toml").write_text('deny = ["python"]\n')
    assert grant_file.load(home) == Grants((), (Grant("python"),))


def test_a_condition_needs_a_name_and_an_equals_sign() -> None:
    assert grant_file.condition("a=b=c") == ("a", "b=c")
    for text in ("city", "=x"):
        with pytest.raises(ValueError, match="no condition of the form argument=value"):
            grant_file.condition(text)


@pytest.mark.parametrize("text", ["allow = 3", "allow = [", 'allow = ["weather city"]', 'allow = [""]'])
def test_a_broken_file_of_grants_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(UsageError, match=r"policy\.toml cannot be read"):
        grant_file.load(tmp_path)
