"""A long talk for the measurement of paging: facts told at random turns, asked for later in other words, and chatter.

Seeded, so that the same talk is had each time. Knows no models and no memory.
"""

import random
from dataclasses import dataclass

# What is told, how it is asked for later, and how many of each kind there are at most: {a} and {b} are drawn, {n} too.
_KINDS = (
    ("{a} was born on the {n}th of {b}.", "when is {a}'s birthday?", "name", "month"),
    ("The door of the {a} opens with {n}{n}.", "which digits let me into the {a}?", "place", ""),
    ("{a} brings the {b} to the dinner, for {n} people.", "what will {a} bring when we eat together?", "name", "dish"),
    ("I put the {a} on shelf {n}.", "where do I find the {a}?", "thing", ""),
    ("Our train to {a} leaves at {n}:25 from platform {n}.", "when do we go to {a}?", "city", ""),
    ("{a} must not eat {b}, said the doctor on day {n}.", "what may I not serve {a}?", "name", "dish"),
    ("For the {a} we paid {n}0 euros in advance.", "how high was the deposit for the {a}?", "thing", ""),
    ("The cat {a} gets {n} drops of {b} oil each evening.", "how much medicine does {a} need?", "pet", "dish"),
    ("The contract with {a} ends in {b} after {n} years.", "until when are we bound to {a}?", "firm", "month"),
    ("{a} wrote that the roof of the {b} will cost {n}00.", "what did {a} say about the costs?", "name", "place"),
)
_WORDS = {
    "name": "Ada Bruno Carla Dmitri Elif Farid Greta Hiro Ines Jonas Karin Lars Mina Nils Olga Pavel Rosa Sven Tara",
    "month": "January February March April May June July August September October November December",
    "place": "cellar garage attic workshop laundry greenhouse boathouse archive library office",
    "dish": "lentils walnuts sherbet dumplings celery trout custard lobster barley figs",
    "thing": "kettle lantern trumpet ladder compass sewing-machine telescope wheelbarrow typewriter accordion",
    "city": "Bergen Porto Lviv Graz Turku Nantes Bilbao Gdansk Split Leuven",
    "pet": "Momo Tiger Pixel Biscuit Nutmeg Clover Domino Pepper Ziggy Waffle",
    "firm": "Halden Orbis Quarto Veltin Sondra Numis Tarvo Ekko Mirell Lanta",
}
_CHATTER = (
    "{name} called about the {thing} and will call again.",
    "I walked past the {place} and it rained on the {thing}.",
    "Somebody in {city} makes {dish} in a new way.",
    "{pet} slept beside the {thing} all day.",
    "The people of {firm} sent a long letter about nothing.",
    "In {month} the {place} is always cold.",
    "{name} and {pet} were in {city} last {month}.",
    "I do not know yet what to do with the {place}.",
)
LONG = 15  # every so many turns of chatter a long text is pasted


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user says; ``fact`` is what it asks for, empty where it asks for nothing."""

    text: str
    fact: str = ""


def talk(turns: int, facts: int, seed: int = 7) -> list[Turn]:
    """So many turns, in which so many facts, at most 50, are told at random turns, and each is asked for once.

    It is asked for at any turn after the one that told it, all as likely.
    """
    choose = random.Random(seed)
    pairs = [_fact(_KINDS[n % len(_KINDS)], n, choose) for n in range(facts)]
    made: list[Turn | None] = [None] * turns
    choose.shuffle(pairs)
    places = sorted(choose.sample(range(turns * 9 // 10), facts), reverse=True)  # the last have the least choice
    for place, (told, _) in zip(places, pairs, strict=True):
        made[place] = Turn(told)
    for place, (told, asked) in zip(places, pairs, strict=True):
        later = choose.choice([n for n in range(place + 1, turns) if made[n] is None])
        made[later] = Turn(asked, told)
    return [turn or Turn(_chatter(n, choose)) for n, turn in enumerate(made)]


def _fact(kind: tuple[str, str, str, str], number: int, choose: random.Random) -> tuple[str, str]:
    told, asked, first, second = kind
    words = _WORDS[first].split()
    # Kinds that speak of the same sort of things each take their own part of them.
    a = words[(number // len(_KINDS) + 5 * (_KINDS.index(kind) % (len(words) // 5))) % len(words)]
    b = choose.choice(_WORDS[second].split()) if second else ""
    n = choose.randrange(11, 29)
    return told.format(a=a, b=b, n=n), asked.format(a=a, b=b, n=n)


def _chatter(number: int, choose: random.Random) -> str:
    def one() -> str:
        return choose.choice(_CHATTER).format(**{k: choose.choice(v.split()) for k, v in _WORDS.items()})

    return " ".join(one() for _ in range(25 if number % LONG == 0 else choose.randrange(1, 4)))
