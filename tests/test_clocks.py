"""Times of day, and how long it is between them."""

import pytest

from llmos.kernel.clocks import clocks
from llmos.tools.calculator import evaluate


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("what's 14:30 plus 95 minutes", "16:05"),
        ("The film starts at 19:40 and lasts 135 minutes. When does it end?", "21:55"),
        ("meeting at 10:15 for 1 h 50 min ends at", "12:05"),
        ("quarter past six plus fifty minutes", "07:05"),
        ("what time was it 45 minutes before midnight", "23:15"),
        ("I must be there at 18:00 and the way takes 50 minutes, when should I leave", "17:10"),
        ("dinner is at seven pm and the roast needs two and a half hours, what time do I put it in", "16:30"),
        ("it's 15:00 in London and Tokyo is 9 hours ahead, what time there", "00:00"),
        ("when it's noon in Paris, what time is it in Delhi, 3.5 hours ahead", "15:30"),
        ("Tokyo is 9 hours ahead of London. It's 15:00 in Tokyo, what time in London?", "06:00"),
        ("It is 9:00 in New York, which is 5 hours behind London. What time is it in London?", "14:00"),
        ("how many minutes from 9:15 to 11:40", "145 minutes"),
        ("from 07:25 till 10:10 how many minutes", "165 minutes"),
        ("I slept from 10:30 pm to 6:15 am, how long in hours", "7.75 hours"),
        ("half past nine to a quarter to twelve in minutes", "135 minutes"),
        ("school from 8:15 to 1:30, how long", "5 hours 15 minutes"),
        ("worked 9:00 to 17:30 with 45 min lunch, hours?", "7.75 hours"),
        ("add 2 h 45 min and 1 h 30 min, in minutes", "255 minutes"),
        ("1h15 + 2h50", "4 hours 5 minutes"),
        ("subtract 50 minutes from two hours", "1 hour 10 minutes"),
        ("an hour and a half plus half an hour", "2 hours 0 minutes"),
    ],
)
def test_what_is_asked_of_times_is_read_as_it_is_meant(request_: str, answer: str) -> None:
    assert evaluate(clocks(request_)) == answer


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "what time is it",
        "3 hours 20 minutes in minutes",
        "the shop is open 9:00 to 17:00",
        "At 8:00 a train leaves at 60 mph and drives 3 hours, how far",
        "we start at 9:00 and walk 4 hours, how many km",
        "worked 9:00 to 17:00 at 15 per hour, how much",
        "remind me at 5 pm that it takes 2 hours and ends late",
        "open from 9 to 5 with 1 hour lunch",
        "mean of 2 hours and 30 minutes",
        "ratio 3:25 to 4",
        "hours between 8:00 on 2024-03-01 and 9:00 on 2024-03-04",
    ],
)
def test_what_asks_anything_else_is_left_alone(request_: str) -> None:
    assert clocks(request_) == ""
