"""Quantities that are asked for in other units."""

import pytest

from llmos.kernel.conversions import conversion
from llmos.tools.calculator import evaluate


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("12 stone 4 pounds in kg", "78.01788764 kg"),
        ("6 foot 2 in cm", "187.96 cm"),
        ("5'8\" in centimetres", "172.72 cm"),
        ("my baby weighs 7 lb 6, what is that in kilos", "3.34524372875 kg"),
        ("what is 98.6F in C", "37 celsius"),
        ("minus 40 celsius in fahrenheit?", "-40 fahrenheit"),
        ("my recipe says 180 C, my oven has only fahrenheit. what do i set", "356 fahrenheit"),
        ("how many square feet in 85 square meters", "914.93238542 square feet"),
        ("35 mpg to litres per 100 km", "6.72041666667 liters/100km"),
        ("40 uk mpg in l/100km", "7.0620234083 liters/100km"),
        ("15 gallons of petrol in litres (imperial)", "68.19135 liters"),
        ("3/4 pound in grams", "340.1942775 grams"),
        ("half a mile in metres", "804.672 m"),
        ("2 1/2 hours in minutes", "150 minutes"),
        ("12 inches + 3 feet in cm", "121.92 cm"),
        ("100 Mbps in megabytes per second", "12.5 MB/s"),
        ("90 km/h in metres per second", "25 m/s"),
        ("how many inches in a foot", "12 inches"),
        ("10000 seconds in hours and minutes", "2 hours 46.6666666667 minutes"),
        ("how many cm3 in 2 litres", "2000 cm^3"),
    ],
)
def test_a_quantity_is_converted(request_: str, answer: str) -> None:
    assert evaluate(conversion(request_)) == answer


@pytest.mark.parametrize(
    "request_",
    [
        "convert 45 pounds to dollars",
        "i sleep 8 hours a day, how many hours a week?",
        "300 km in 2 hours, speed in km/h?",
        "12 ft by 10 ft in square metres",
        "how many 250 ml cups in 2 litres",
        "1 kcal = 4.184 kJ, 400 kcal in kJ",
        "i have a minute, tell me a joke",
        "5 km in hours",
        "remind me in 5 minutes",
        "5 km",
    ],
)
def test_what_asks_anything_else_is_left_alone(request_: str) -> None:
    assert conversion(request_) == ""
