"""Verbs: what is done to a table in a word, in and out again."""

import pytest

from llmos.kernel.slots import Column
from llmos.kernel.verbs import FIXED, VERBS, Misspelt, Place, gist, loaded, place, spell, verbs

TABLE = [
    Column("year", "year", True),
    Column("kind of fish", "text", True),
    Column("catch", "number"),
    Column("quota", "number"),
    Column("day", "date"),
    Column("boat's name", "text"),
]

SPELT = [
    ("plot #1 #3", "ax = df.pivot_table(index='year', columns='kind of fish', values='catch').plot()"),
    ("plot #5 #3", "ax = df.plot(x='day', y='catch')"),
    ("plot #5 #3 #4 log", "ax = df.plot(x='day', y=['catch', 'quota'], logy=True)"),
    ("plot #6 #3", "ax = df.plot(x=\"boat's name\", y='catch', kind='bar')"),
    ("plot #3 #4", "ax = df.plot(x='catch', y='quota', kind='scatter')"),
    ("plot #3 #3 #4", "ax = df.plot(x='catch', y=['catch', 'quota'])"),
    ("scatter #5 #3 #4", "ax = df.plot(x='day', y=['catch', 'quota'], style='o')"),
    ("line #6 #3", "ax = df.plot(x=\"boat's name\", y='catch')"),
    ("bar #1 #3", "ax = df.groupby('year')['catch'].mean().plot(kind='bar')"),
    ("bar #2 #3", "ax = df.groupby('kind of fish')['catch'].mean().plot(kind='bar')"),
    ("pie #2 #3", "ax = df.groupby('kind of fish')['catch'].sum().plot(kind='pie')"),
    ("pie #6 #3", "ax = df.set_index(\"boat's name\")['catch'].plot(kind='pie')"),
    ("plot #5 #3 where #2 'cod'", "ax = df[df['kind of fish'] == 'cod'].plot(x='day', y='catch')"),
    ("plot #5 #3 since 2020-05-01", "ax = df[df['day'] >= '2020-05-01'].plot(x='day', y='catch')"),
    ("plot #1 #3 until 1990", "ax = df[df['year'] <= 1990].plot(x='year', y='catch')"),
    ("plot #1 #3 between 1990 1999", "ax = df[df['year'].between(1990, 1999)].plot(x='year', y='catch')"),
    ("bar #6 #3 best 5", "ax = df.nlargest(5, 'catch').plot(x=\"boat's name\", y='catch', kind='bar')"),
    ("bar #6 #3 worst 5", "ax = df.nsmallest(5, 'catch').plot(x=\"boat's name\", y='catch', kind='bar')"),
    ("plot #5 #3 color 'red'", "ax = df.plot(x='day', y='catch', color='red')"),
    ("lookup #6 'Anna' #3", "df.loc[df[\"boat's name\"] == 'Anna', 'catch'].tolist()"),
    ("lookup #1 1990 #3", "df.loc[df['year'] == 1990, 'catch'].tolist()"),
    ("change #1 #3 1980 1990", "s = df.set_index('year')['catch']\ns[1990] - s[1980]"),
    ("count #2 7", "len(df[df['kind of fish'] == '7'])"),
    ("extrapolate 2030", "trend(ax, until='2030')\nax.figure"),
    ("title 'A good year'", "ax.set_title('A good year')\nax.figure"),
    ("best 3 #6 #4", "df.nlargest(3, 'quota')[[\"boat's name\", 'quota']]"),
    ("rows", "len(df)"),
    ("mean #3 where #2 'cod'", "part = df[df['kind of fish'] == 'cod']\npart['catch'].mean()"),
    ("rows before #1 1900", "part = df[df['year'] < 1900]\nlen(part)"),
    (
        "total #3 where #2 'cod' 'eel' between #5 2020-01-01 2020-12-31",
        "part = df[(df['kind of fish'].isin(['cod', 'eel'])) & (df['day'].between('2020-01-01', '2020-12-31'))]\n"
        "part['catch'].sum()",
    ),
]


@pytest.mark.parametrize(("verb", "code"), SPELT)
def test_a_verb_is_code_and_the_code_is_that_verb(verb: str, code: str) -> None:
    assert spell(verb, TABLE) == code
    assert verb in list(verbs(code, TABLE))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_comes_back(verb: str) -> None:
    words = {"x": "#5", "n": "#3", "c": "#2", "v": "'cod'", "k": "12", "t": "'so'"}
    places = FIXED[verb][0] if verb in FIXED else "xn"
    numbers = iter(["#3", "#4"])
    told = " ".join([verb, *(next(numbers) if r == "n" else words[r] for r in places)])
    code = spell(told, TABLE)
    compile(code, "cell", "exec")
    assert told in list(verbs(code, TABLE))


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "fly #1",
        "bar",
        "bar #1",
        "bar #1 #9",
        "bar year #3",
        "rows #1",
        "best x #1 #3",
        "plot #1 #3 where",
        "plot #1 #3 up",
    ],
)
def test_what_is_no_verb_is_refused(wrong: str) -> None:
    with pytest.raises(Misspelt):
        spell(wrong, TABLE)


@pytest.mark.parametrize("code", ["", "df", "print(1)", "ax = df.plot(x='day', y='gone')", "df['catch'].mean() + 1"])
def test_other_code_has_no_verb(code: str) -> None:
    assert not list(verbs(code, TABLE))


@pytest.mark.parametrize(
    ("told", "role", "begun", "used", "following"),
    [
        ("", "verb", "", set(), ""),
        ("ba", "verb", "ba", set(), ""),
        ("bar", "verb", "bar", set(), "x"),
        ("bar ", "x", "", set(), "n"),
        ("bar #1 #", "n", "#", {1}, ""),
        ("plot #1 #3 #", "n", "#", {1, 3}, ""),
        ("plot #1 #3 where #", "c", "#", {1, 3}, "v"),
        ("plot #1 #3 where #2 'New Ze", "v", "'New Ze", {1, 2, 3}, ""),
        ("plot #1 #3 where #2 'New Zealand'", "v", "'New Zealand'", {1, 2, 3}, ""),
        ("plot #1 #3 since ", "v", "", {1, 3}, ""),
        ("lookup #1", "x", "#1", set(), "v"),
        ("title 'So it ", "t", "'So it ", set(), ""),
        ("rows ", "", "", set(), ""),
        ("fly #", "", "#", set(), ""),
    ],
)
def test_where_one_is_in_a_verb(told: str, role: str, begun: str, used: set[int], following: str) -> None:
    verb = told.split(" ")[0] if role != "verb" else ""
    assert place(told) == Place(role, begun, verb, frozenset(used), following)


def test_the_gist_of_a_verb_names_nothing() -> None:
    assert gist("plot #1 #2 where #3 'New Zealand'") == "plot # # where # ''"
    assert gist("best 3 #1 #2") == "best @ # #"
    assert gist("change #1 #3 ~1 @2") == "change # # @ @"


def test_loading_the_table_is_no_part_of_the_verb() -> None:
    assert loaded("df = load('a b.csv')\nlen(df)") == "len(df)"
    assert loaded("len(df)") == "len(df)"
