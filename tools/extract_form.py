"""The form of an extraction: its fields, the JSON schema that follows from them, how values are told. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from llmos.kernel.tool import OwnError

TYPES = ("number", "integer", "boolean", "date", "choice", "text")
MOST_FIELDS, MOST_TEXT, LARGEST = 12, 200, 1e15
FIELDS: Mapping[str, Any] = {
    "type": "array",
    "minItems": 1,
    "maxItems": MOST_FIELDS,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$"},
            "type": {"enum": list(TYPES)},
            "about": {"type": "string", "maxLength": 200},
            "choices": {
                "type": "array",
                "minItems": 1,
                "maxItems": 24,
                "items": {"type": "string", "minLength": 1, "maxLength": 60},
            },
            "pattern": {"type": "string", "maxLength": 100},
        },
        "required": ["name", "type"],
        "additionalProperties": False,
    },
}
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
# Letters, classes and fixed or bounded repeats, at most three of them open: nothing that takes long to match.
_PIECE = r"(?:[A-Za-z0-9 _:/@.-]|\\[dw.]|\[[A-Za-z0-9 _:/@.-]+\])"
_PATTERN = re.compile(rf"(?:{_PIECE}(?:\{{\d{{1,2}}(?:,\d{{1,2}})?\}})?)+")
_SIMPLE: Mapping[str, Mapping[str, Any]] = {
    "number": {"type": ["number", "null"]},
    "integer": {"type": ["integer", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"anyOf": [{"type": "string", "pattern": _DATE}, {"type": "null"}]},
}


@dataclass(frozen=True, slots=True)
class Field:
    """A value to read: its name, its type, what it is about; the choices of a choice, the pattern of a text."""

    name: str
    type: str
    about: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def __str__(self) -> str:
        kind = " | ".join(self.choices) if self.choices else self.type
        return f"- {self.name} ({kind}){': ' if self.about else ''}{self.about}"

    def schema(self) -> Mapping[str, Any]:
        """The JSON schema of its value; null stands for one that the text does not give."""
        if self.type == "choice":
            return {"enum": [*self.choices, None]}
        if self.type == "text":
            pattern = {"pattern": f"^{self.pattern}$"} if self.pattern else {}
            return {"anyOf": [{"type": "string", "maxLength": MOST_TEXT, **pattern}, {"type": "null"}]}
        return _SIMPLE[self.type]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether a value that fits the schema is one: a day of the calendar, a number of ordinary size."""
        value = values[self.name]
        if self.type == "date" and value is not None:
            try:
                date.fromisoformat(value)
            except ValueError:
                return False
        return not isinstance(value, (int, float)) or isinstance(value, bool) or abs(value) < LARGEST


def read_form(given: Sequence[Mapping[str, Any]]) -> list[Field]:
    """The fields as a call names them. Raises OwnError where they do not go together."""
    form = [Field(**{**field, "choices": tuple(field.get("choices", ()))}) for field in given]
    for field in form:
        if (field.type == "choice") != bool(field.choices):
            raise OwnError(f"{field.name}: choices go with the type choice, and that with choices")
        if field.pattern and not (field.type == "text" and _allowed(field.pattern)):
            raise OwnError(f"{field.name}: a pattern is for text: letters, [a-z0-9], \\d, {{n}} or {{m,n}}, no groups")
    if len({field.name for field in form}) < len(form):
        raise OwnError("two fields have the same name")
    return form


def schema_of(form: Sequence[Field]) -> dict[str, Any]:
    """The JSON schema of a filled-in form: every field, in order, and nothing else."""
    return {
        "type": "object",
        "properties": {field.name: field.schema() for field in form},
        "required": [field.name for field in form],
        "additionalProperties": False,
    }


def told(field: Field, value: Any) -> str:
    """A value in a line that may be shown: of a text its length alone."""
    if value is None:
        return f"{field.name}: not given"
    if field.type == "text":
        return f"{field.name}: text of {len(value)} characters, not shown"
    return f"{field.name}: {str(value).lower() if isinstance(value, bool) else value}"


def _allowed(pattern: str) -> bool:
    if pattern.count(",") > 3 or not _PATTERN.fullmatch(pattern):
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
