"""What was taught that is easily outdated or cut short: which tables there are, how far Roman numerals go."""

import pytest

from llmos.memory.library import tables
from llmos.training.phrasebook import entries

NAMES = {
    "funding_rounds_scale_ai.csv": "Scale AI",
    "top_economies_gdp.csv": "GDP of the largest economies",
    "population_by_country.csv": "population by country",
    "co2_mauna_loa_annual.csv": "CO2",
    "global_temperature_annual.csv": "global temperature",
    "sea_level_yearly.csv": "sea level",
    "brent_oil_monthly.csv": "oil",
    "gold_price_monthly.csv": "gold prices",
    "us_cpi_monthly.csv": "consumer prices",
    "inflation_by_country.csv": "inflation by country",
    "penguins.csv": "penguins",
    "us_state_population.csv": "US states",
    "movie_budgets.csv": "film budgets",
    "college_majors.csv": "college majors",
    "drinks_by_country.csv": "drinks by country",
    "seattle_weather.csv": "weather in Seattle",
}


def test_each_table_of_the_library_is_named_to_who_asks_for_them() -> None:
    (answer,) = next(e["answers"] for e in entries("direct") if e["intent"] == "library")
    assert set(NAMES) == {t.file for t in tables()}
    assert [name for name in NAMES.values() if name not in answer] == []


@pytest.mark.parametrize(("number", "roman"), [(2024, "MMXXIV"), (499, "CDXCIX"), (944, "CMXLIV"), (88, "LXXXVIII")])
def test_roman_numerals_go_beyond_hundreds(number: int, roman: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = next(e["code"] for e in entries("python") if "roman {n}?" in e["prompts"])
    exec(code.replace("{n}", str(number)))
    assert capsys.readouterr().out == f"{roman}\n"
