"""What a request that goes on points to, put in its words, and what it asks of what was done as a whole."""

import pytest

from llmos.kernel.acts import Act, parsed
from llmos.kernel.going import going
from llmos.kernel.heard import without
from llmos.kernel.mentions import said, wanted
from llmos.kernel.restated import restated
from llmos.kernel.slots import Column
from llmos.kernel.verbs import spell

CREWS = [
    Column("crew", "text", False, ("Ann", "Bo")),
    Column("faculty", "text", True, ("Physics", "Law")),
    Column("sky", "text", True, ("rain", "cloud")),
    Column("year", "year", True),
    Column("trips_2022", "number"),
    Column("trips_2023", "number"),
    Column("pay", "number"),
]


def go_on(before: str, request: str, result: str = "", earlier: tuple[str, ...] = ()) -> str:
    """What follows from a request after a verb, for the crews."""
    act = parsed(before, CREWS)
    act = Act(act.verb, act.given, act.rows, act.how, result)
    text = restated(request, CREWS, act)
    linked = {n: v for n, c in enumerate(CREWS, 1) if (v := wanted(text, said(text, c.values)))}
    done = [*(parsed(one, CREWS) for one in earlier), act]
    return going(text, without(text, CREWS, "_"), CREWS, linked, act, done)


@pytest.mark.parametrize(
    ("before", "request_", "text"),
    [
        ("total #6", "and the year before?", "and the trips_2022?"),
        ("mean #7 where #4 2019", "and the following year?", "and in 2020?"),
        ("mean #7", "and the year before?", "and the year before?"),
        ("mean #7", "only for physicists", "only for Physics"),
        ("mean #7", "and when it was rainy?", "and for rain?"),
        ("bar #1 #7", "the three best please", "the 3 best please"),
        ("bar #1 #7", "one two three", "one two three"),
    ],
)
def test_what_is_pointed_to_is_named(before: str, request_: str, text: str) -> None:
    assert restated(request_, CREWS, parsed(before, CREWS)) == text


@pytest.mark.parametrize(
    ("before", "request_", "then"),
    [
        ("total #6", "and the year before?", "total #5"),
        ("mean #7", "and for law students?", "mean #7 where #2 'Law'"),
        ("sumof #3 'cloud' #7", "and when it rained?", "sumof #3 'rain' #7"),
        ("mean #7", "and per faculty?", "means #2 #7"),
        ("mean #7 where #2 'Law'", "draw that for every faculty", "averages #2 #7"),
        ("totals #2 #7", "what percentage is Law's?", "share #2 'Law' #7"),
        ("totals #2 #7", "draw that as a pie", "pie #2 #7"),
        ("scatter #6 #7", "how are those two correlated", "correlation #6 #7"),
        ("bar #1 #7 where #2 'Law'", "which of those was seen least", "least #1 #7 where #2 'Law'"),
        ("barh #1 #7", "in dark green please", "barh #1 #7 color 'darkgreen'"),
        ("barh #1 #7", "bright red please", "barh #1 #7 color 'red'"),
        ("plot #4 #7 since 2017", "show all the years again", "plot #4 #7"),
        ("over #1 #7 20", "how many are those?", "above #7 20"),
        ("above #7 20 where #2 'Law'", "which ones?", "over #1 #7 20 where #2 'Law'"),
        ("rows where #2 'Law'", "and who are they?", "names #1 where #2 'Law'"),
        ("total #7", "how many of those were Ann's", "lookup #1 'Ann' #7"),
        ("counts #2", "what percentage is Law?", "portion #2 'Law'"),
        ("most #1 #7", "how many got more than 1,500", "above #7 1500"),
        ("plot #4 #7", "and the trips_2023 in the same graph", "plot #4 #7 #6"),
        ("plot #4 #7 where #2 'Law'", "compare it with Physics", "plot #4 #7 where #2 'Law' 'Physics'"),
        ("bar #1 #6 sorted", "and put 2022 beside it", "bar #1 #6 #5 sorted"),
    ],
)
def test_a_request_goes_on(before: str, request_: str, then: str) -> None:
    assert go_on(before, request_) == then
    assert spell(then, CREWS)


@pytest.mark.parametrize(
    ("before", "request_", "result", "then"),
    [
        ("most #1 #7", "and the second best?", "crew,pay\nAnn,9", "second #1 #7"),
        ("least #1 #7", "and the second lowest?", "crew,pay\nBo,2", "worst 2 #1 #7"),
        ("most #1 #7", "who came third?", "crew,pay\nAnn,9", "best 3 #1 #7"),
        ("mean #7", "how many were above that?", "5.5", "above #7 5.5"),
        ("mean #7", "which ones are below the average?", "5.5", "under #1 #7 5.5"),
        ("total #7", "how many were above the average?", "55", ""),
    ],
)
def test_a_request_goes_on_from_what_came_out(before: str, request_: str, result: str, then: str) -> None:
    assert go_on(before, request_, result) == then


def test_what_was_done_before_the_last_is_known() -> None:
    charts = ("plot #4 #7", "plot #4 #7 since 2017", "bar #1 #7")
    assert go_on("mean #7", "go back to the first plot", "5", charts) == "plot #4 #7"
    assert go_on("mean #7", "back to the previous chart", "5", charts) == "plot #4 #7 since 2017"
    assert go_on("total #5", "plot both years per crew", "5", ("total #6",)) == "bar #1 #6 #5"
    assert go_on("total #5", "plot both", "5") == ""
    assert go_on("above #7 5", "now put the trips_2023 in there as well", "2", charts[:1]) == "plot #4 #7 #6"
