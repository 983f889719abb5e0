"""The tree the calculator's grammar makes: numbers, names, operators and calls as plain frozen values."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from llmos.tools.calc_unit_table import Unit


@dataclass(frozen=True, slots=True)
class Num:
    """An exact number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Name:
    """A constant or a variable."""

    text: str


@dataclass(frozen=True, slots=True)
class Unary:
    """``op`` is ``-``, or the postfix ``%`` (percent), ``!`` (factorial), ``deg`` (degrees to radians)."""

    op: str
    arg: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """``op`` is one of ``+ - * / ^ mod off``."""

    op: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Relation:
    """``op`` is one of ``= != < <= > >=``."""

    op: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """A function by its lower-case name, lists in its arguments flattened."""

    name: str
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Day:
    """A date literal."""

    day: date


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its unit."""

    value: Fraction
    unit: Unit


@dataclass(frozen=True, slots=True)
class Compound:
    """Measures side by side, which add: ``2 hours 30 minutes``."""

    parts: tuple[Measure, ...]


Node = Num | Name | Unary | Binary | Relation | Call | Day | Measure | Compound
