"""What is answered when a verb was done: a sentence each, with the names it was done to and what came of it.

The embedded kernel decides whether it answers or goes on; how a result is read out needs no deciding. Knows verbs, not
models. ``{0}`` is what a verb was done to, by its place; ``{r}`` the result, ``{r0}`` and ``{r1}`` the two cells of
its last line.
"""

import re
from calendar import month_name
from collections.abc import Sequence

from llmos.kernel.kept import cut, sentence
from llmos.kernel.slots import Column
from llmos.kernel.verbs import CHANGED, CHARTS, split

ANSWERS = {
    "mean": "The mean of {0} is {r}.",
    "total": "The sum of {0} is {r}.",
    "highest": "The largest {0} is {r}.",
    "lowest": "The smallest {0} is {r}.",
    "median": "The median of {0} is {r}.",
    "spread": "The standard deviation of {0} is {r}.",
    "range": "The range of {0} is {r}.",
    "growth": "{0} at the end is {r} times what it was at the start.",
    "correlation": "The correlation of {0} and {1} is {r}.",
    "rows": "The table has {r} rows.",
    "size": "The table has {r} rows and columns.",
    "columns": "The columns are {r}.",
    "summary": "Here is the summary:\n{r}",
    "missing": "Missing values by column:\n{r}",
    "head": "The first rows:\n{r}",
    "sort": "Sorted by {0}, the first ten rows:\n{r}",
    "most": "{r0} has the highest {1}: {r1}.",
    "least": "{r0} has the lowest {1}: {r1}.",
    "best": "The top {0} by {2}:\n{r}",
    "lookup": "{2} for {1}: {r}.",
    "change": "{1} changed by {r} from {2} to {3}.",
    "share": "{1} has {r}% of all {2}.",
    "above": "{r} rows have {0} above {1}.",
    "below": "{r} rows have {0} below {1}.",
    "over": "{1} is above {2} for {r}.",
    "under": "{1} is below {2} for {r}.",
    "first": "{1} is first above {2} at {r}.",
    "exceeds": "{1} is larger than {2} for {r}.",
    "means": "The mean of {1} by {0}:\n{r}",
    "totals": "The sum of {1} by {0}:\n{r}",
    "counts": "The count by {0}:\n{r}",
    "values": "The values of {0} are {r}.",
    "kinds": "There are {r} different values of {0}.",
    "topsum": "{r0} has the highest total {1}: {r1}.",
    "lowsum": "{r0} has the lowest total {1}: {r1}.",
    "topmean": "{r0} has the highest mean {1}: {r1}.",
    "meanof": "The mean of {2} for {1} is {r}.",
    "sumof": "The sum of {2} for {1} is {r}.",
    "count": "There are {r} rows for {1}.",
    "pick": "The rows for {1}:\n{r}",
    "names": "{0}: {r}.",
    "higher": "{r} rows have {0} above {1}.",
    "second": "{r0} has the second highest {1}: {r1}.",
    "worst": "The lowest {0} by {2}:\n{r}",
    "tail": "The last rows:\n{r}",
    "gain": "{0} changed by {r} from the first row to the last.",
    "rise": "{0} changed by {r}% from the first row to the last.",
    "ratio": "The sum of {0} is {r} times the sum of {1}.",
    "within": "{r} rows have {0} between {1} and {2}.",
    "portion": "{r}% of the rows are {1}.",
    "often": "{r}% of the rows have {0} above {1}.",
    "gap": "{1} for {2} less that for {3} is {r}.",
    "meangap": "The mean {1} for {2} less that for {3} is {r}.",
    "lowmean": "{r0} has the lowest mean {1}: {r1}.",
    "common": "{r0} is the most common {0}: {r1} rows.",
    "rare": "{r0} is the rarest {0}: {r1} rows.",
    "pergroup": "There are {r} rows for each {0} on average.",
    "peaks": "The largest {1} by {0}:\n{r}",
    "earliest": "The earliest {0} is {r}.",
    "latest": "The latest {0} is {r}.",
    "hist": "Here is the histogram of {0}.",
    "bins": "Here is the histogram of {1} with {0} bins.",
    "smooth": "Here is the plot of {2} by {1}, smoothed over {0} rows.",
    "box": "Here is the box plot of {0} by {1}.",
    "lines": "Here is the plot of {2} by {0} for each {1}.",
    "compare": "Here is the plot of {2} by {0} for {3} and {4}.",
    "clusters": "Here is the scatter plot of {1} against {0} for each {2}.",
    "tally": "Here is the plot of the count by {0}.",
    "sums": "Here is the plot of the total {1} by {0}.",
    "averages": "Here is the plot of the mean {1} by {0}.",
    "logarithmic": "The y axis is logarithmic now.",
    "linear": "The y axis is linear again.",
    "trend": "I added the linear trend line.",
    "extrapolate": "The trend line runs to {0} now.",
    "turned": "The labels of the x axis are turned now.",
    "grid": "The grid is on.",
    "markers": "The points are marked now.",
    "title": "The title is {0} now.",
    "xlabel": "The x label is {0} now.",
    "ylabel": "The y label is {0} now.",
}
NAMES = {
    "plot": "plot",
    "line": "line chart",
    "bar": "bar chart",
    "barh": "horizontal bar chart",
    "area": "area chart",
    "scatter": "scatter plot",
    "pie": "pie chart",
}
_ROWS = {
    "where": " for {}",
    "since": " since {}",
    "until": " until {}",
    "between": " from {} to {}",
    "best": ", the top {}",
    "worst": ", the lowest {}",
    "sorted": ", sorted",
    "log": ", on a logarithmic axis",
    "color": " in {}",
}
MOST = 40  # of a list are read out
_QUOTE = re.compile(r"(?<![A-Za-z])'|'(?![A-Za-z])")


def answer(said: str, columns: Sequence[Column], result: str) -> str:
    """The sentence for a verb that was done, as in :func:`llmos.kernel.verbs.spell`. Raises Misspelt."""
    verb, rest = split(said)
    plain = [columns[int(w[1:]) - 1].name if re.fullmatch(r"#\d+", w) else w.strip("'\"") for w in rest]
    if verb in CHARTS:
        return _chart(verb, rest, plain)
    shown = _QUOTE.sub("", result[1:-1]) if result[:1] in ("[", "(") else result
    last = result.splitlines()[-1].rsplit(",", 1) if result else [""]
    axis = next((columns[int(w[1:]) - 1].kind for w in rest if re.fullmatch(r"#\d+", w)), "")
    last[0], shown = _time(last[0], axis), _time(shown, axis)
    at = cut(rest)
    if at < len(rest) and verb == "rows":
        return f"There are {shown} rows{sentence(rest[at:], plain[at:])}."
    told = ANSWERS[verb].format(*plain, r=_few(shown) if shown != result else shown, r0=last[0], r1=last[-1])
    rows = sentence(rest[at:], plain[at:])
    return (
        f"{rows[1:2].upper()}{rows[2:]}: {told[0].lower() if told.startswith('The') else told[0]}{told[1:]}"
        if rows
        else told
    )


def failed(said: str, error: str) -> str:
    """The sentence for a verb that ended in an error; empty where the kernel may still find another way."""
    if split(said)[0] in CHANGED and error.startswith("error: NameError"):
        return "There is no plot here to change. Ask for one first, for example: plot the gold price since 2000."
    return ""


def _time(shown: str, kind: str) -> str:
    """A first day as the month or the quarter that it stands for."""
    day = re.fullmatch(r"(?:Timestamp\(')?(\d{4})-(\d\d)-01(?: 00:00:00'\))?", shown)
    if day is None or kind not in ("month", "quarter"):
        return re.sub(r"Timestamp\('(\d{4}-\d\d-\d\d) 00:00:00'\)", r"\1", shown)
    if kind == "quarter":
        return f"{day[1]}Q{(int(day[2]) + 2) // 3}"
    return f"{month_name[int(day[2])]} {day[1]} ({day[1]}-{day[2]})"


def _few(shown: str) -> str:
    """A list, at most :data:`MOST` of it, and how many more there are."""
    cells = shown.split(", ")
    return shown if len(cells) <= MOST else f"{', '.join(cells[:MOST])} and {len(cells) - MOST} more"


def _chart(verb: str, rest: Sequence[str], plain: Sequence[str]) -> str:
    count = next((n for n, w in enumerate(rest) if w[0] != "#"), len(rest))
    x, *ys = plain[:count]
    joined = " and ".join([", ".join(ys[:-1]), ys[-1]]) if len(ys) > 1 else ys[0]
    told = f"{joined} against {x}" if verb == "scatter" else f"{joined} by {x}"
    at = count
    while at < len(rest):
        word, end = rest[at], at + 1
        while end < len(rest) and rest[end] not in _ROWS:
            end += 1
        values = plain[at + 1 + (word == "where") : end]
        told += _ROWS[word].format(
            " and ".join(values) if word == "where" else values[0] if values else "", *values[1:]
        )
        at = end
    return f"Here is the {NAMES[verb]} of {told}."
