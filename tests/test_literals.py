"""Literals: numbers and days as people write them."""

import pytest

from llmos.kernel.literals import literals


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("what is 15% of 2,400?", ["15", "2400"]),
        ("five hundred and six minus one hundred ninety-eight", ["506", "198"]),
        ("a hundred, two thousand and three, forty two", ["100", "2003", "42"]),
        ("two hundred and seven and four hundred and sixteen", ["207", "416"]),
        ("the difference of thirty and twelve, or of ninety-one and thirty-seven", ["30", "12", "91", "37"]),
        ("half a million, twelve hundred, three million two hundred thousand and six", ["500000", "1200", "3200006"]),
        ("2.4 million, 3k and 1.5 bn", ["2400000", "3000", "1500000000"]),
        ("3x^2 - 4x + .5", ["3", "2", "4", "0.5"]),
        ("no one said 12\u202f500", ["12500"]),
        ("from 5 March 2024 to June 3rd, 2025, not 2024-01-05", ["2024-03-05", "2025-06-03", "2024-01-05"]),
        ("from 1 feb to march 1st in 2028", ["2028-02-01", "2028-03-01", "2028"]),
        ("from 1 feb to march 2", ["1", "2"]),
        ("31 feb 2024", ["31", "2024"]),
        ("29.2.1988 and 5. 10. 2024, not 31.2.2024", ["1988-02-29", "2024-10-05"]),
        ("25 m by 10 m at 14:35", ["25", "10", "14", "35"]),
        ("x2, v1.2.3 and Q3", []),
        ("", []),
    ],
)
def test_numbers_and_days_are_read_as_people_write_them(text: str, found: list[str]) -> None:
    assert [literal.value for literal in literals(text)] == found


def test_a_literal_tells_where_it_stands_and_whether_it_is_a_day() -> None:
    text = "2,400 on 3 May 2021"
    number, day = literals(text)
    assert (text[number.start : number.end], number.day) == ("2,400", False)
    assert (text[day.start : day.end], day.day) == ("3 May 2021", True)
