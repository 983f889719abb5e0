"""Cookies stay where the user named a profile, and nowhere else; a page that came with them is the user's own."""

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, Scripted, ToolCall, UsageError, cli
from llmos.kernel.tool import ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Decision, Label
from llmos.tools.browser import BrowserTools
from llmos.tools.browser_make import check
from llmos.tools.browser_profile import Profile, ProfileError, forget, listed
from llmos.tools.marks import Marks

COOKIE = {"name": "who", "value": "ada", "domain": "museum.example", "path": "/", "session": True, "expires": -1}


def browse(site: Any, folder: Path, profile: Profile | None) -> tuple[Callable[..., ToolOutput], Callable[[], None]]:
    """Acts of a browser of its own, and what ends it."""
    gate, engine = check([site.host], [site.host], f"site:{site.url()}")
    made = BrowserTools(folder, gate, engine, lambda name, body: name, Marks(), profile=profile)
    tools = {tool.name: tool for tool in made.tools()}

    def act(name: str, **arguments: Any) -> ToolOutput:
        return tools[f"browser_{name}"].run(arguments, ToolContext(folder))

    return act, made.web.close


def sign_in(act: Callable[..., ToolOutput], site: Any) -> ToolOutput:
    shown = act("open", url=site.url("login.html"))
    assert shown.label == Label(("web:localhost",), "untrusted", "anyone")
    fields = re.findall(r"\[(?:text|password) field[^\]]*\]\{(\d+)\}", shown.preview or shown.text)
    act("type", ref=int(fields[0]), text="ada")
    return act("type", ref=int(fields[1]), text="lovelace", submit=True)


def test_a_named_profile_keeps_the_user_signed_in_and_nothing_else_does(
    chromium: None, site: Any, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    act, end = browse(site, tmp_path, Profile(home, "mine"))
    try:
        there = sign_in(act, site)
        assert "314 crowns" in there.text
        assert there.label == Label(("web:localhost",), "untrusted", "user")
        other, end_other = browse(site, tmp_path, Profile(home, "mine"))
        with pytest.raises(ToolError, match="another session has the profile mine"):
            other("open", url=site.url())
        end_other()
        # On the disk before the session ends, whatever ends it.
        file = home / "browser" / "mine.json"
        assert "ada" in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        with pytest.raises(ProfileError, match="end it first"):
            forget(home, "mine")
    finally:
        end()
    for profile, told in (
        (Profile(home, "mine"), "314 crowns"),
        (None, "Please sign in"),
        (Profile(home, "b"), "sign"),
    ):
        act, end = browse(site, tmp_path, profile)
        shown = act("open", url=site.url("account"))
        end()
        assert told in shown.text
        assert shown.label == Label(("web:localhost",), "untrusted", "user" if told == "314 crowns" else "anyone")
    assert [(k.name, k.cookies, k.sites) for k in listed(home)] == [("b", 0, ()), ("mine", 1, ("localhost",))]


def test_what_leads_on_from_a_page_of_the_users_own_is_asked_about(chromium: None, site: Any, tmp_path: Path) -> None:
    """The page may be one's account, and where it leads may have been written by others: nobody to ask means no."""
    profile = Profile(tmp_path, "mine")
    profile.take()
    profile.keep([{**COOKIE, "domain": "localhost"}])
    profile.give_back()
    verdicts = {}
    for name in ("mine", None):
        steps: list[ToolCall | str] = [
            ToolCall("1", "browser_open", {"url": site.url()}),
            ToolCall("2", "browser_open", {"url": site.url("visit.html")}),
            "So it is.",
        ]
        web: dict[str, Any] = {"browser": True, "allow_hosts": [site.host], "browser_profile": name}
        with LLMOS(model=Scripted(steps), home=tmp_path, **web) as system, system.session() as session:
            session.run(f"open {site.url()}")
            verdicts[name] = [e.verdict for e in session.events() if isinstance(e, Decision)]
    assert verdicts == {"mine": ["allow", "deny"], None: ["allow", "allow"]}


def test_profiles_are_listed_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    assert cli.run_command(["browser", "list"]) == 0
    assert "no profiles" in capsys.readouterr().out
    profile = Profile(tmp_path, "mine")
    profile.take()
    profile.keep([COOKIE, {**COOKIE, "name": "old", "session": False, "expires": 10.0}])
    profile.give_back()
    assert cli.run_command(["browser", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["cookies"], told["sites"]) == ("mine", 1, ["museum.example"])
    assert cli.run_command(["clean", "--json"]) == 0
    assert any(h["name"] == "browser" and h["kind"] == "other" for h in json.loads(capsys.readouterr().out)["held"])
    assert cli.run_command(["browser", "forget", "mine"]) == 0
    assert cli.run_command(["browser", "forget", "mine"]) == 2
    assert "there is no profile 'mine'" in capsys.readouterr().err
    assert list((tmp_path / "browser").iterdir()) == []


def test_a_cookie_of_one_host_is_put_back_as_one_of_that_host(tmp_path: Path) -> None:
    profile = Profile(tmp_path, "p")
    profile.take()
    profile.keep([COOKIE, {**COOKIE, "domain": ".museum.example", "secure": True, "session": False, "expires": 4e9}])
    profile.give_back()
    one, all_of_it = profile.take()
    assert one["url"] == "http://museum.example/"
    assert "domain" not in one
    assert "expires" not in one
    assert (all_of_it["domain"], all_of_it["expires"]) == (".museum.example", 4e9)
    profile.give_back()


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"value": 1}]'])
def test_a_damaged_profile_is_one_line_and_can_be_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "browser").mkdir()
    (tmp_path / "browser" / "p.json").write_text(text)
    for _ in range(2):
        with pytest.raises(ProfileError, match="llmos browser forget p removes it"):
            Profile(tmp_path, "p").take()
    assert [k.cookies for k in listed(tmp_path)] == [0]
    assert forget(tmp_path, "p")


@pytest.mark.parametrize("name", ["../x", ".hidden", "a b", "a/b", "x" * 41])
def test_a_name_that_is_none_is_told_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no name of a profile"):
        LLMOS(home=tmp_path, browser_profile=name)
    with pytest.raises(UsageError, match="no name of a profile"):
        check((), (), None, name)
