"""The Python API: functions as tools, answers as values, personas on one model from threads, a clean close."""

import datetime
import enum
import inspect
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

import llmos
from llmos import (
    LLMOS,
    Answer,
    LLMOSError,
    ModelError,
    Persona,
    Scripted,
    ToolCall,
    ToolContext,
    UsageError,
    tool,
)
from llmos.kernel.function import FunctionTool, describe
from llmos.kernel.types import Message, Progress, Result, Text


class Unit(enum.Enum):
    C = "celsius"
    F = "fahrenheit"


class Place(BaseModel):
    city: str
    land: str = "DE"


@tool(does="nothing", derives=True)
def weather(
    place: Place,
    day: datetime.date,
    unit: Unit = Unit.C,
    kind: Literal["rain", "sun"] = "sun",
    hours: list[int] | None = None,
    most: Annotated[int, Field(ge=1, le=9)] = 3,
) -> dict[str, Any]:
    """Weather at a place on a day.

    Args:
        place: where
        day (date): which day, such as 2024-03-31;
            today if it is not said
        most: how many hours at most

    Returns:
        the weather.
    """
    return {"city": place.city, "day": day, "unit": unit, "kind": kind, "hours": hours, "most": most}


def run(made: FunctionTool, home: Path, arguments: dict[str, Any], **settings: Any) -> Any:
    """The result of a call of a tool through the public door."""
    model = Scripted([ToolCall("x", made.name, arguments), "done"])
    with LLMOS(model=model, home=home, tools=[made], **settings) as system, system.session() as session:
        session.run("go")
        (result,) = [e.result for e in session.events() if isinstance(e, Result)]
    return result


def test_the_schema_comes_from_the_signature() -> None:
    schema = weather.parameters
    assert weather.description == "Weather at a place on a day."
    assert schema["required"] == ["place", "day"]
    properties = schema["properties"]
    assert properties["place"]["description"] == "where"
    assert properties["day"]["description"] == "which day, such as 2024-03-31; today if it is not said"
    assert (properties["day"]["type"], properties["day"]["format"]) == ("string", "date")
    assert properties["kind"]["enum"] == ["rain", "sun"]
    assert properties["kind"]["default"] == "sun"
    assert properties["hours"]["anyOf"][0] == {"type": "array", "items": {"type": "integer"}}
    assert (properties["most"]["minimum"], properties["most"]["maximum"]) == (1, 9)
    assert schema["additionalProperties"] is False
    assert "title" not in json.dumps({**schema, "$defs": {}}).replace('"title":', "title")
    assert weather(Place(city="Bonn"), datetime.date(2024, 3, 31))["most"] == 3


def test_the_function_gets_what_its_hints_say(tmp_path: Path) -> None:
    call = {"place": {"city": "Bonn"}, "day": "2024-03-31", "unit": "fahrenheit", "hours": [9, 12]}
    result = run(weather, tmp_path, call)
    assert result.ok
    assert json.loads(result.preview) == {
        **{"city": "Bonn", "day": "2024-03-31", "unit": "fahrenheit"},
        **{"kind": "sun", "hours": [9, 12], "most": 3},
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"place": {"city": "Bonn"}}, "'day' is a required property"),
        ({"place": {"city": "Bonn"}, "day": "2024-13-40"}, "day: Input should be a valid date"),
        ({"place": {"city": "Bonn"}, "day": "2024-03-31", "most": 10}, "most: 10 is greater than the maximum of 9"),
        ({"place": {"city": "Bonn"}, "day": "2024-03-31", "sky": 1}, "sky"),
        ({"place": {"city": "Bonn"}, "day": "2024-03-31", "kind": "snow"}, "kind"),
    ],
)
def test_wrong_arguments_are_results(arguments: dict[str, Any], told: str, tmp_path: Path) -> None:
    result = run(weather, tmp_path, arguments)
    assert not result.ok
    assert told in result.preview
    assert "\n" not in result.preview


def test_five_lines_make_a_tool(tmp_path: Path) -> None:
    @tool(does="nothing")
    def double(n: int) -> int:
        """Twice a number. n: the number"""
        return 2 * n

    assert double.description == "Twice a number."
    assert run(double, tmp_path, {"n": 21}).preview == "42"


def test_a_tool_that_does_not_say_what_it_does_is_asked_about(tmp_path: Path) -> None:
    @tool
    def ring(times: int = 1) -> None:
        """Rings."""

    assert "not allowed (undeclared" in run(ring, tmp_path / "a", {}).preview
    assert run(ring, tmp_path / "b", {}, approve=lambda call: True).preview == "done"
    assert run(ring, tmp_path / "c", {}, allow=["ring"]).ok


def test_errors_become_results(tmp_path: Path) -> None:
    @tool(does="nothing")
    def fail(why: str) -> str:
        raise ValueError(why)

    result = run(fail, tmp_path, {"why": "no luck"})
    assert (result.ok, result.preview) == (False, "error: fail failed: ValueError: no luck")


def test_a_tool_ends_at_its_timeout(tmp_path: Path) -> None:
    @tool(does="nothing", timeout=0.2)
    def sleep(seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    assert run(sleep, tmp_path / "a", {"seconds": 0}).preview == "slept"
    assert run(sleep, tmp_path / "b", {"seconds": 30}).preview == "error: sleep did not end within 0.2 s"


def test_progress_and_the_workspace_come_by_the_context(tmp_path: Path) -> None:
    @tool(does="nothing")
    async def count(to: int, context: ToolContext) -> str:
        """Counts."""
        for n in range(to):
            context.progress(f"{n + 1} of {to}")
        return context.workspace.name

    assert list(count.parameters["properties"]) == ["to"]
    model = Scripted([ToolCall("x", "count", {"to": 3}), "done"])
    with LLMOS(model=model, home=tmp_path, tools=[count]) as system:
        told = [e.text for e in system.stream("count") if isinstance(e, Progress)]
    assert told == ["1 of 3", "2 of 3", "3 of 3"]


def test_functions_that_cannot_be_tools() -> None:
    def untyped(x):  # type: ignore[no-untyped-def]
        return x

    def many(*xs: int) -> int:
        return 0

    def odd(x: "Nowhere") -> int:  # type: ignore[name-defined]  # noqa: F821
        return 0

    def alien(x: threading.Thread) -> int:
        return 0

    for function, told in ((untyped, "no type hint"), (many, "named parameters"), (odd, "Nowhere"), (alien, "Thread")):
        with pytest.raises(UsageError, match=told) as error:
            tool(function)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="no tool does 'fly'"):
        tool(does="fly")(describe)
    with pytest.raises(UsageError, match="no name of a tool"):
        tool(name="a b")(describe)


@pytest.mark.parametrize(
    ("doc", "told"),
    [
        ("Adds. a: the first, b: the second", ("Adds.", {"a": "the first,", "b": "the second"})),
        ("Adds.\n\n:param a: one\n:param b: two\n:return: sum", ("Adds.", {"a": "one", "b": "two"})),
        ("Adds.\n\nArgs:\n    a (int): one\n    b: two\n\nRaises:\n    E: never", ("Adds.", {"a": "one", "b": "two"})),
        ("Says http://a: b", ("Says http://a: b", {})),
        ("", ("", {})),
    ],
)
def test_docstrings_of_several_kinds(doc: str, told: tuple[str, dict[str, str]]) -> None:
    assert describe(doc, ["a", "b"]) == told


class Bill(BaseModel):
    """What a bill says."""

    total: float
    due: datetime.date
    paid: bool = False

    @field_validator("total")
    @classmethod
    def _more(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("a bill is more than nothing")
        return value


GOOD = '{"total": 84.2, "due": "2024-04-15"}'


def test_an_answer_is_a_value(tmp_path: Path) -> None:
    call = ToolCall("x", "calculator", {"expression": "80 + 4.2"})
    model = Scripted([call, "It is 84.20, due in April.", GOOD, "fine"])
    with LLMOS(model=model, home=tmp_path) as system, system.session() as session:
        bill = session.run("how much?", returns=Bill)
        assert bill == Bill(total=84.2, due=datetime.date(2024, 4, 15))
        kept = [e.text for e in session.events() if isinstance(e, Text) and e.by == "kernel"]
        assert kept == [GOOD]
        session.run("thanks")
    assert model.offered[2] == []
    assert '"total"' in model.seen[2][-1].text
    assert all(GOOD not in message.text for message in model.seen[3])


def test_a_value_that_is_wrong_is_asked_for_once_more(tmp_path: Path) -> None:
    wrong = '{"total": -1, "due": "2024-04-15"}'
    with LLMOS(model=Scripted(["x", wrong, GOOD]), home=tmp_path / "a") as system:
        assert system.run("how much?", returns=Bill).total == 84.2
    with (
        LLMOS(model=Scripted(["x", wrong, "what?"]), home=tmp_path / "b") as system,
        pytest.raises(ModelError, match="no Bill"),
    ):
        system.run("how much?", returns=Bill)
    with LLMOS(model=Scripted(["x", "[1, 2]"]), home=tmp_path / "c") as system:
        assert system.run("which?", returns=list[int]) == [1, 2]
    with LLMOS(model=Scripted(["x"]), home=tmp_path / "d") as system, pytest.raises(UsageError, match="returns=Thread"):
        system.run("which?", returns=threading.Thread)


def test_personas_share_a_model_from_threads(tmp_path: Path) -> None:
    """Each of many threads hears its own persona alone."""

    def reply(messages: Sequence[Message]) -> str:
        time.sleep(0.005)
        return messages[0].text.split("You speak as ")[1].split(".")[0] + " to " + messages[-1].text

    names = [f"Persona {letter}" for letter in "ABCD"]
    with LLMOS(model=Scripted(reply), home=tmp_path) as system:

        def ask(n: int) -> str:
            return system.run(f"request {n}", persona=Persona(names[n % 4], tools=[])).text

        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(ask, range(24)))
    assert said == [f"{names[n % 4]} to request {n}" for n in range(24)]


def test_a_stream_ends_with_the_answer(tmp_path: Path) -> None:
    with LLMOS(model=Scripted(["one two"]), home=tmp_path) as system:
        events = list(system.stream("count", persona=Persona("A")))
    assert isinstance(events[-1], Answer)
    assert "".join(e.text for e in events if isinstance(e, Text) and e.delta).strip() == "one two"


def test_closing_is_clean_and_may_be_done_twice(tmp_path: Path) -> None:
    before = threading.active_count()
    system = LLMOS(model=Scripted(["a"]), home=tmp_path)
    session = system.session()
    session.run("hi")
    id = session.id
    system.close()
    system.close()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.05)
    assert threading.active_count() <= before
    with LLMOS(model=Scripted(["b"]), home=tmp_path) as again:
        assert again.session(id).run("still there?").text == "b"
    with pytest.raises(LLMOSError):
        LLMOS(model=Scripted([]), home=tmp_path).run(" ")


def test_every_public_method_is_documented() -> None:
    silent = []
    for name in llmos.__all__:
        thing = getattr(llmos, name)
        for key, value in vars(thing).items() if isinstance(thing, type) else ():
            public = not key.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
            if public and not inspect.getdoc(value):
                silent.append(f"{name}.{key}")
    assert silent == []
