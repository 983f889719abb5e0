"""A taught answer with another request's numbers, units and words in its places."""

import pytest

from llmos.kernel.adapt import UNITS, adapted, pieces
from llmos.tools.calc_units import unit_named


@pytest.mark.parametrize(
    ("told", "pattern", "expression", "answer"),
    [
        # A unit goes with its number, wherever both stand; the others by their order.
        ("@1 ml, how many US cups", "recipe says @1 cups, how many ml is that?", "@1 cups to ml", "@1 ml to cups"),
        ("how many inches are @1 metres", "@1 inches is how many metres", "@1 inches to m", "@1 m to inches"),
        ("@1 seconds in minutes", "seconds in @1 days?", "@1 days to seconds", "@1 seconds to minutes"),
        ("@1 acres to square metres", "@1 ha in sq m", "@1 ha to square meters", "@1 acres to square meters"),
        ("@1 acres in square feet", "@1 m2 in square feet", "@1 m^2 to square feet", "@1 acres to square feet"),
        ("@1 km/h in m/s", "@1 mph in km/h", "@1 mph to km/h", "@1 km/h to m/s"),
        ("@1 stone in kilos", "@1 pounds in kg", "@1 pounds to kg", "@1 stone to kg"),
        ("@1 eV in kWh", "@1 eV in joules", "@1 eV to joules", "@1 eV to kWh"),
        ("@1 mpg as l/@2km", "@1 l/@2km as mpg", "@1 l/@2km to mpg", "@1 mpg to liters/100km"),
        ("@1 litres per @2 km in mpg", "@1 mpg in litres per @2 km", "@1 mpg to l/@2km", "@1 liters/100km to mpg"),
        ("@1 kW in hp", "@1 kW in PS", "@1 kW to PS", "@1 kW to hp"),
        ("@1 C in F", "@1 celsius in kelvin", "@1 celsius to kelvin", "@1 celsius to fahrenheit"),
        # The name of a function gives way to another function alone.
        ("how many weeks from ~1 to ~2", "how many days from ~1 to ~2", "days(~1, ~2)", "weeks(~1, ~2)"),
        ("my visa runs from ~1 to ~2", "how many days from ~1 to ~2", "days(~1, ~2)", "days(~1, ~2)"),
        ("min of @1 @2", "max of @1 @2", "max(@1, @2)", "min(@1, @2)"),
        ("my marks @1 @2", "sum up @1 @2", "sum(@1, @2)", "sum(@1, @2)"),
        ("help me solve &1(x) pls", "please do solve &1(t) now", "solve(&1, t)", "solve(&1, x)"),
        # What a function takes whole is a list, of any length and with any signs.
        ("mean of @1, @2, @2 and @3", "mean of @1, @2, @3", "mean(@1, @2, @3)", "mean(@1, @2, @2, @3)"),
        ("range of -@1, @2", "range of @1 @2 @3", "max(@1, @2, @3) - min(@1, @2, @3)", "max(-@1, @2) - min(-@1, @2)"),
        ("mode of the @1 values @2, @3 and @3", "mode: @1, @2", "mode(@1, @2)", "mode(@2, @3, @3)"),
        (
            "how far is @1 from the mean of @2, @3, @4",
            "how far is @1 from the mean of @2 and @3",
            "@1 - mean(@2, @3)",
            "@1 - mean(@2, @3, @4)",
        ),
        ("std (sample) of @1 kg, @2 kg, @3 kg", "std of @1, @2", "std(@1, @2)", "std(@1, @2, @3)"),
        # What counts the list goes with its length, and a list that is taken apart has its own length.
        ("error of @1, @2", "error of @1, @2, @3", "std(@1, @2, @3) / sqrt(3)", "std(@1, @2, @3) / sqrt(3)"),
        ("sum @1 @2/@3", "sum @1, @2", "sum(@1, @2)", "sum(@1, @2)"),
        # Words of a program stand in its texts.
        ("reverse Llama in it", "reverse radar for me", "for c in 'radar': print(c)", "for c in 'Llama': print(c)"),
    ],
)
def test_what_stands_in_a_place_goes_into_its_place(told: str, pattern: str, expression: str, answer: str) -> None:
    assert adapted(told, pattern, expression) == answer


def test_a_unit_of_one_letter_stands_behind_a_number_or_a_preposition() -> None:
    assert [p.unit for p in pieces("@1 m in l, c is a letter") if p.unit] == ["m", "liters"]
    assert [p.unit for p in pieces("the min of @1 min") if p.unit] == ["minutes"]


def test_the_spellings_of_a_unit_are_the_same_to_the_calculator() -> None:
    lines = [line.split() for line in UNITS.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    names = [name for line in lines for name in line]
    assert len(set(names)) == len(names)
    for first, *others in lines:
        unit = unit_named(first)
        assert unit is not None, first
        for other in others:
            same = unit_named(other)
            assert same is None or (same.factor, same.dims, same.offset) == (unit.factor, unit.dims, unit.offset), other
