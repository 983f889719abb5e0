"""The browser on real pages: real Chromium in its box, a site on loopback, what the model is shown."""

import contextlib
import re
from typing import Any

import pytest

from llmos.kernel.tool import ToolError

pytestmark = pytest.mark.usefixtures("chromium")


def ref(shown: str, name: str) -> int:
    """The number of what carries this name."""
    found = re.search(r"\[" + re.escape(name) + r"[^\]]*\]\{(\d+)\}", shown)
    assert found, (name, shown)
    return int(found[1])


def test_a_page_is_shown_with_its_links_and_forms(act: Any, site: Any) -> None:
    shown = act("open", url=site.url())
    assert shown.startswith(f"[1] Skerry Museum\n{site.url()}")
    assert "# Skerry Museum of Coasts" in shown
    assert re.search(r"- \[Opening hours and prices\]\{\d+\}", shown)
    assert re.search(r'\[text field, hint "search the museum"\]\{\d+\} \[Find button\]\{\d+\}', shown)
    assert act.last.label.origins == ("web:localhost",)
    assert act.last.label.integrity == "untrusted"
    assert act.last.readings[0].location == site.url()


def test_a_link_is_clicked_and_back_returns(act: Any, site: Any) -> None:
    shown = act("open", url=site.url())
    visit = act("click", ref=ref(shown, "Opening hours and prices"))
    assert "Adults pay 12 crowns" in visit
    with pytest.raises(ToolError, match="not on the page any more"):
        act("click", ref=ref(shown, "Tides"))
    assert "open since 1931" in act("back")


def test_a_form_is_filled_and_sent(act: Any, site: Any) -> None:
    shown = act("open", url=site.url())
    found = act("type", ref=ref(shown, "text field"), text="turbine", submit=True)
    assert "built in 1987 by Norvik Works" in found
    assert "/find?q=turbine" in found


def test_scripts_run_and_choices_are_made(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("scripted.html"))
    assert "High tide today is 2.7 metres. 20 readings." in shown
    assert "NOSCRIPTWORD" not in shown
    shown = act("select", ref=ref(shown, "choice"), option="South pier")
    assert "Tide there: 3.4 m" in shown
    with pytest.raises(ToolError, match="there are: North pier, South pier"):
        act("select", ref=ref(shown, "choice"), option="West pier")


def test_tables_become_files_that_python_reads(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("table.html"))
    name = re.search(r"kept as (table-\d+\.csv): 13 rows, columns: Year, Visitors, Income", shown)
    assert name
    rows = (act.workspace / name[1]).read_text().splitlines()
    assert rows[1] == '2015,"3,100","31,000"'
    assert len(rows) == 14
    assert "HIDDENROW" not in (act.workspace / name[1]).read_text()
    assert "Table: Visitors by year" in shown
    assert shown.count("kept as") == 1


def test_what_loads_lazily_is_loaded(act: Any, site: Any) -> None:
    assert "77 gulls" in act("open", url=site.url("lazy.html"))


def test_an_endless_list_goes_on_by_scrolling(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("scroll.html"))
    assert "Item number 19" in shown
    for _ in range(3):
        shown = act("scroll", to="end")
    assert "Item number 59" in shown


def test_frames_and_shadow_trees_are_part_of_the_page(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("frames.html"))
    assert "Adults pay 12 crowns" in shown
    assert "The inner code is 4711" in shown
    assert "weighs 180 kg" not in shown
    assert "Pressed inside" in act("click", ref=ref(shown, "Press button"))
    shown = act("open", url=site.url("shadow.html"))
    assert "Card of Slotted name: depth 41 m" in shown
    assert "Counted 9 seals" in act("click", ref=ref(shown, "Count button"))


def test_a_banner_hides_nothing_and_can_be_closed(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("banner.html"))
    assert "took 14 boats" in shown
    assert "1987 took none" in shown
    assert "We use cookies" not in act("click", ref=ref(shown, "Accept button"))


def test_dialogs_are_told_and_closed(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("dialogs.html"))
    assert "19:40" not in shown
    told = act("click", ref=ref(shown, "Tell button"))
    assert "the page said: The ferry is late" in told
    assert "Told." in told
    assert "Ferry times: 8:15 and 19:40." in act("click", ref=ref(told, "Window button"))


def test_new_windows_are_tabs(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("popup.html"))
    assert "Adults pay 12 crowns" in act("click", ref=ref(shown, "Open hours in a new window"))
    assert "2. Visit" in act("tabs")
    assert act("tabs", close=2).splitlines()[0].endswith("(in use)")
    assert "# Popup" in act("read")


def test_long_pages_come_in_parts_and_words_are_found(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("long.html"))
    parts = re.search(r"part 1 of (\d+)", shown)
    assert parts
    assert int(parts[1]) > 4
    assert "Entry 60" not in shown
    assert "part 2 of" in act("read", more=True)
    assert "Entry 47: the barometer stood at 1007 hPa." in act("read", find="stood at 1007 hPa")
    assert "is not on this page" in act("read", find="zebra crossing of Lagos")
    assert "barometer" in act("read", article=True)


def test_a_file_is_downloaded_and_a_pdf_is_read(act: Any, site: Any) -> None:
    shown = act("open", url=site.url())
    line = act("download", url=str(ref(shown, "Report")))
    assert "as visitors.csv" in line
    assert (act.workspace / "visitors.csv").read_text().startswith("year,visitors")
    assert "as visitors.csv" in act("open", url=site.url("report.csv"))
    paper = act("open", url=site.url("paper.pdf"))
    assert "We counted 212 species on 14 islands." in paper
    assert act.last.readings


def test_servers_that_misbehave_are_told_of(act: Any, site: Any) -> None:
    assert "the server says 404" in act("open", url=site.url("nowhere"))
    assert "the server says 500" in act("open", url=site.url("status/500"))
    assert "Late but here" in act("open", url=site.url("slow?s=1"))
    broken = [act("open", url=site.url("broken")) for _ in range(3)]  # Chromium now and then drops what came
    assert all("not all of it came" in shown for shown in broken)
    assert any("The first half is here" in shown for shown in broken)
    assert "led here" in act("open", url=site.url("redirect?to=/visit.html"))
    with pytest.raises(ToolError, match="cannot be opened: 127\\.0\\.0\\.1 is on this machine"):
        act("open", url=site.url(f"redirect?to=http://127.0.0.1:{site.server_port}/"))


def test_letters_of_all_kinds_arrive(act: Any, site: Any) -> None:
    assert "Caf\u00e9 \u2013 na\u00efve \u20ac5" in act("open", url=site.url("latin"))
    assert "\u6771\u4eac\u306e\u4eba\u53e3" in act("open", url=site.url("shiftjis"))
    hebrew = act("open", url=site.url("hebrew.html"))
    assert "4,120" in hebrew
    assert "HIDDENRTL" not in hebrew


@pytest.mark.slow
def test_a_page_of_20_megabytes_is_read_in_part(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("big"))
    assert "A page of 20 MB" in shown
    assert "only its first part was read" in shown


def test_a_compressed_bomb_ends_at_the_cap(act: Any, site: Any) -> None:
    with contextlib.suppress(ToolError):
        act("open", url=site.url("bomb"))
    assert act.web.meter.taken < 100 << 20
    assert "Skerry" in act("open", url=site.url())


def test_data_is_sent_nowhere_without_leave(act: Any, site: Any) -> None:
    shown = act("open", url=site.url("login.html"))
    shown = act("type", ref=ref(shown, "text field"), text="ada")
    assert '[text field = "ada"]' in shown
    with pytest.raises(ToolError, match="--allow-post localhost"):
        act("type", ref=ref(shown, "password field"), text="lovelace", submit=True)
    assert site.posted == []


def test_a_picture_is_an_artifact(act: Any, site: Any) -> None:
    act("open", url=site.url())
    act("screenshot")
    assert act.last.artifacts[0].mime == "image/png"


def test_where_calls_lead_is_told_to_policy(act: Any, site: Any) -> None:
    tools = {tool.name: tool for tool in act.tools.tools()}
    act("open", url=site.url())
    assert tools["browser_open"].reach({"url": site.url("boat.html")}) == "found"  # an allowed host
    assert tools["browser_open"].reach({"url": "https://example.org/x?q=secret"}) == "anywhere"
    assert tools["browser_click"].reach({"ref": 1}) == "found"
    assert tools["browser_open"].capabilities == {"net"}
    assert tools["browser_read"].capabilities == frozenset()
