"""Words of tables that mean much the same: rain and precipitation, percent and rate. No grammar, no other subject."""

from functools import lru_cache

# A line is a group; a word may stand in several.
_NOUNS = """
rain rainfall precipitation wet
snow snowfall
temperature degree celsius fahrenheit warmth heat
wind gust breeze
sun sunshine sunny
sea ocean
unemployment unemployed jobless joblessness
employment employed job jobs
labor labour
employee staff worker workforce headcount personnel
factory manufacturing industry
shop store outlet retail
price cost charge fare
valuation valued worth post
cost expense expenditure spending spend
revenue turnover sales income takings
sales sold
profit earnings margin
salary wage pay income earnings
tax taxes duty
budget funds funding
money cash amount
debt loan borrowing owed
fee charge
rent lease
house home dwelling housing
people population inhabitant resident person
child children kid
man men male
woman women female
customer client buyer
user account member subscriber
visitor guest tourist attendance
viewer audience watcher
student pupil learner
teacher instructor
patient case
death dead died fatality mortality
birth born
doctor physician
illness disease sickness
weight mass heavy
height tall size
length long duration
width wide
depth deep
speed velocity fast pace tempo bpm
distance far mileage km kilometer kilometre miles mi
area size surface
duration length seconds minutes hours time
age old years
year annual yearly yr
month monthly mth
week weekly
day daily date
quarter quarterly
hour hourly
country nation state
city town
region area district province
team club side
player athlete
game match
goal score
point score
rating score review
film movie
song track tune title
book title
author writer
school college university
car vehicle auto
bike bicycle cycle
train rail railway
plane flight aircraft
ship vessel boat
fuel petrol gas gasoline
energy power electricity
emission co2 carbon
oil petroleum crude
water consumption usage
food meal
wheat grain corn crop
harvest yield crop
animal species
dog cat pet
tree forest
product item article
order purchase
quantity units pieces number
stock inventory
brand make manufacturer
type kind category class
group category
name title
round stage series
investor backer lead
valuation value worth
market share
vote ballot
party faction
percentage percent share proportion
exchange currency forex
usd dollar buck
eur euro
gbp pound sterling
jpy yen
celsius c
fahrenheit f
kg kilo kilogram
lb pound lbs
liter litre
minute min
second sec
holiday vacation leave
labour labor workforce
vacation holidays
download install
click visit view
page site website
error bug defect fault
test exam grade mark
ticket seat
accident crash collision
crime offence theft
fire blaze
earthquake quake tremor magnitude
"""
_MEASURES = """
percent percentage pct rate share proportion %
max maximum high highest hot hottest peak top
min minimum low lowest cold coldest bottom
average mean avg typical
median middle
total sum overall
count number quantity
change growth increase
"""


def _groups(text: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for n, line in enumerate(text.strip().splitlines()):
        for word in line.split():
            found.setdefault(word, set()).add(n)
            # As words are compared: without the plural's ending.
            found.setdefault(word[:-1] if len(word) > 3 and word.endswith("s") else word, set()).add(n)
    return found


_NOUN_GROUPS, _MEASURE_GROUPS = _groups(_NOUNS), _groups(_MEASURES)


def known(word: str) -> bool:
    """Whether it is a word of its own here, and so no shorter form of another."""
    return word in _NOUN_GROUPS or word in _MEASURE_GROUPS


@lru_cache(maxsize=100_000)
def synonyms(one: str, other: str) -> bool:
    """Whether two nouns mean much the same."""
    return not _NOUN_GROUPS.get(one, set()).isdisjoint(_NOUN_GROUPS.get(other, ()))


def measure(word: str) -> bool:
    """Whether a word tells how something is measured and not what: ``max``, ``percent``."""
    return word in _MEASURE_GROUPS


@lru_cache(maxsize=100_000)
def same_measure(one: str, other: str) -> bool:
    """Whether two such words mean the same."""
    return not _MEASURE_GROUPS.get(one, set()).isdisjoint(_MEASURE_GROUPS.get(other, ()))
