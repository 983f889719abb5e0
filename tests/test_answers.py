"""Answers: the sentence for each verb and its result."""

import pytest

from llmos.kernel.answers import ANSWERS, NAMES, answer
from llmos.kernel.slots import Column
from llmos.kernel.verbs import CHARTS, FIXED

TABLE = [Column("year", "year"), Column("place", "text"), Column("pay", "number"), Column("tax", "number")]


def test_every_verb_has_its_sentence() -> None:
    assert set(ANSWERS) == set(FIXED)
    assert set(NAMES) == set(CHARTS)


@pytest.mark.parametrize(
    ("said", "result", "sentence"),
    [
        ("mean #3", "12.5", "The mean of pay is 12.5."),
        ("most #2 #3", "place,pay\nAix, en P,7", "Aix, en P has the highest pay: 7."),
        ("columns", "['year', 'it's', 'pay']", "The columns are year, it's, pay."),
        ("lookup #2 'Aix' #3", "[7, 8]", "pay for Aix: 7, 8."),
        ("means #2 #3", "a,1\nb,2", "The mean of pay by place:\na,1\nb,2"),
        ("plot #1 #3", "[plot-1.png]", "Here is the plot of pay by year."),
        ("bar #2 #3 #4", "", "Here is the bar chart of pay and tax by place."),
        ("scatter #3 #4", "", "Here is the scatter plot of tax against pay."),
        (
            "plot #1 #3 where #2 'Aix' 'Bath' since 1990 log",
            "",
            "Here is the plot of pay by year for Aix and Bath since 1990, on a logarithmic axis.",
        ),
        ("bar #2 #3 best 5 color 'red'", "", "Here is the bar chart of pay by place, the top 5 in red."),
        ("plot #1 #3 between 1990 1999", "", "Here is the plot of pay by year from 1990 to 1999."),
        ("title 'Our pay'", "", "The title is Our pay now."),
    ],
)
def test_a_result_is_read_out(said: str, result: str, sentence: str) -> None:
    assert answer(said, TABLE, result) == sentence
