"""Search engines: local ones for real, those of the web by what they answer; no network is one clear line."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmos.tools.egress import Gate, Refused
from llmos.tools.egress_http import Fetched, Headers, fetch
from llmos.tools.search import SearchError, choose
from llmos.tools.search_local import Folder, Site
from llmos.tools.search_web import BY_KEY, DuckDuckGo, Keyed, SearXNG

DUCK = """<div class="result results_links"><h2><a class="result__a"
 href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fexample.org%2Fa%3Fb%3D1&rut=x">A <b>boat</b></a></h2>
<a class="result__snippet" href="x">An old <b>boat</b> of oak.</a></div>
<div class="result result--ad"><a class="result__a" href="https://ads.example/">Buy boats</a></div>
<div class="result"><a class="result__a" href="javascript:alert(1)">Odd</a></div>
<div class="result"><a class="result__a" href="https://example.net/">Plain</a></div>"""


def answer(body: str, status: int = 200) -> Any:
    def get(url: str, headers: Headers | None) -> Fetched:
        get.url, get.headers = url, headers  # type: ignore[attr-defined]
        return Fetched(url, status, {}, body.encode())

    return get


def nothing(url: str, headers: Headers | None) -> Fetched:
    raise Refused("example.org was not found: Name or service not known")


def test_duckduckgos_page_is_read_without_its_advertisements() -> None:
    get = answer(DUCK)
    hits = DuckDuckGo().search("old boat", get)
    assert [(h.title, h.url, h.snippet) for h in hits] == [
        ("A boat", "https://example.org/a?b=1", "An old boat of oak."),
        ("Plain", "https://example.net/", ""),
    ]
    assert get.url == "https://html.duckduckgo.com/html/?q=old+boat"
    assert DuckDuckGo().search("x", answer("")) == []


def test_searxng_and_brave_answer_in_json() -> None:
    rows = [{"title": "T", "url": "https://e.org/", "content": "C", "description": "D"}, {"url": "file:///etc"}, 7]
    get = answer(json.dumps({"results": rows}))
    engine = SearXNG("http://localhost:8888/search")
    assert [h.snippet for h in engine.search("x y", get)] == ["C"]
    assert get.url == "http://localhost:8888/search?format=json&q=x+y"
    assert engine.hosts == ("localhost:8888",)
    get = answer(json.dumps({"web": {"results": rows}}))
    assert [h.snippet for h in Keyed(BY_KEY["brave"], "key").search("x", get)] == ["D"]
    assert ("X-Subscription-Token", "key") in get.headers


@pytest.mark.parametrize(
    "engine",
    [
        DuckDuckGo(),
        SearXNG("https://s.example"),
        *(Keyed(k, "k", "x") for k in BY_KEY.values()),
        Site("https://e.example/"),
    ],
)
def test_no_network_is_one_clear_line(engine: Any) -> None:
    with pytest.raises(SearchError, match=r"cannot be reached.*no network") as caught:
        engine.search("x", nothing)
    assert "\n" not in str(caught.value)
    if not isinstance(engine, Site):
        with pytest.raises(SearchError, match="503"):
            engine.search("x", answer("", 503))


def test_engines_by_key_are_asked_as_each_wants_it() -> None:
    said = {
        "kagi": {"data": [{"t": 0, "title": "T", "url": "https://e.org/", "snippet": "S"}, {"t": 1, "list": ["x"]}]},
        "mojeek": {"response": {"status": "OK", "results": [{"title": "T", "url": "https://e.org/", "desc": "S"}]}},
        "google": {"items": [{"title": "T", "link": "https://e.org/", "snippet": "S"}]},
    }
    for name, data in said.items():
        get = answer(json.dumps(data))
        hits = Keyed(BY_KEY[name], "a key", "an id").search("x y", get)
        assert [(h.title, h.url, h.snippet) for h in hits] == [("T", "https://e.org/", "S")]
        assert get.url.endswith("q=x+y")
        assert ("key=a+key" in get.url) == (name != "kagi")
        assert (("Authorization", "Bot a key") in get.headers) == (name == "kagi")

    def told(url: str, headers: Headers | None) -> Fetched:
        raise Refused(f"{url} was not found")

    with pytest.raises(SearchError, match="was not found") as caught:
        Keyed(BY_KEY["google"], "a key", "an id").search("x", told)
    assert "key=…" in str(caught.value)


def test_odd_answers_are_no_results_or_one_line() -> None:
    for body in ("[]", "{}", '{"results": 3}', '{"web": []}'):
        assert SearXNG("https://s.example").search("x", answer(body)) == []
        assert all(Keyed(kind, "k", "x").search("x", answer(body)) == [] for kind in BY_KEY.values())
    with pytest.raises(SearchError, match="no JSON"):
        SearXNG("https://s.example").search("x", answer("<html>"))


def test_a_folder_is_searched_offline(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("The lighthouse keeper lit the lamps. " * 3)
    (tmp_path / "b.html").write_text("<title>Boats</title><script>lighthouse</script><p>Boats of oak.</p>")
    (tmp_path / "c.bin").write_text("lighthouse")
    (tmp_path / "d.txt").symlink_to("/etc/hostname")
    engine = Folder(tmp_path)
    assert [h.url for h in engine.search("lighthouse lamp", nothing)] == ["file:a.md"]
    assert [h.title for h in engine.search("boat", nothing)] == ["Boats"]
    assert engine.search("zebra", nothing) == []


def test_a_site_is_read_once_by_its_links(site: Any) -> None:
    gate = Gate.of([site.host])
    engine = Site(site.url())
    hits = engine.search("who built the Faering boat", lambda url, headers: fetch(gate, url, None, headers))
    assert hits[0].title == "The Faering boat"
    assert "Ola Brekke" in hits[0].snippet
    asked = len(site.hits)
    assert engine.search("open Tuesday to Sunday, closed on Mondays", nothing)[0].title == "Visit"
    assert len(site.hits) == asked


def test_engines_are_chosen_by_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMOS_SEARCH", raising=False)
    for variable in (v for kind in BY_KEY.values() for v in kind.variables):
        monkeypatch.delenv(variable, raising=False)
    assert isinstance(choose(), DuckDuckGo)
    assert isinstance(choose("https://search.example/"), SearXNG)
    assert isinstance(choose(f"folder:{tmp_path}"), Folder)
    assert isinstance(choose("site:http://localhost:1/"), Site)
    for wrong in ("brave", "google", "altavista", f"folder:{tmp_path}/none", "site:ftp://x"):
        with pytest.raises(ValueError, match=r"key|engine|folder|site"):
            choose(wrong)
    monkeypatch.setenv("LLMOS_SEARCH", f"folder:{tmp_path}")
    assert isinstance(choose(), Folder)
