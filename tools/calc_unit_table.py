"""Units of measurement: the table.

Factors are exact fractions where the definition is exact. A year is 365 days and a month a twelfth of it; cups, pints,
gallons and fluid ounces are US ones unless ``imperial`` stands before; a ton is the US short ton, a tonne 1000 kg;
a calorie is 4.184 J; kB and KB are 1000 bytes, KiB 1024. Not here: currencies, shoe sizes, logarithmic units.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

Dims = tuple[int, ...]  # powers of: length, mass, time, temperature, data, angle, current
NO_DIMS: Dims = (0,) * 7
PI = Fraction("3.14159265358979323846264338327950288419716939937510")


@dataclass(frozen=True, slots=True)
class Unit:
    """``value * factor + offset`` is the value in SI base units (bytes are 8 bits, angles radians)."""

    name: str
    factor: Fraction
    dims: Dims
    offset: Fraction = Fraction(0)


KINDS: dict[str, Dims] = {
    "length": (1, 0, 0, 0, 0, 0, 0), "area": (2, 0, 0, 0, 0, 0, 0), "volume": (3, 0, 0, 0, 0, 0, 0),
    "mass": (0, 1, 0, 0, 0, 0, 0), "time": (0, 0, 1, 0, 0, 0, 0), "temperature": (0, 0, 0, 1, 0, 0, 0),
    "data": (0, 0, 0, 0, 1, 0, 0), "angle": (0, 0, 0, 0, 0, 1, 0), "current": (0, 0, 0, 0, 0, 0, 1),
    "speed": (1, 0, -1, 0, 0, 0, 0), "acceleration": (1, 0, -2, 0, 0, 0, 0), "force": (1, 1, -2, 0, 0, 0, 0),
    "energy": (2, 1, -2, 0, 0, 0, 0), "power": (2, 1, -3, 0, 0, 0, 0), "pressure": (-1, 1, -2, 0, 0, 0, 0),
    "frequency": (0, 0, -1, 0, 0, 0, 0), "data rate": (0, 0, -1, 0, 1, 0, 0), "charge": (0, 0, 1, 0, 0, 0, 1),
    "voltage": (2, 1, -3, 0, 0, 0, -1), "resistance": (2, 1, -3, 0, 0, 0, -2), "density": (-3, 1, 0, 0, 0, 0, 0),
    "fuel economy": (-2, 0, 0, 0, 0, 0, 0), "flow": (3, 0, -1, 0, 0, 0, 0),
}  # fmt: skip

# kind: "factor name name …; …"; a space inside a name is written _. Which of them take SI prefixes: _PREFIXED.
_TABLE: dict[str, str] = {
    "length": """1 m meter meters metre metres; 1e-10 angstrom angstroms; 1e-6 micron microns; 0.0254 in inch inches;
        0.3048 ft foot feet; 0.9144 yd yds yard yards; 1609.344 mi mile miles;
        1852 nmi nautical_mile nautical_miles; 201.168 furlong furlongs; 20.1168 chain chains; 5.0292 rod rods;
        1.8288 fathom fathoms; 0.1016 hand hands; 5556 league leagues; 0.0000254 mil mils thou;
        9460730472580800 ly lightyear lightyears light_year light_years;
        149597870700 au astronomical_unit astronomical_units; 30856775814913673 pc parsec parsecs""",
    "area": """4046.8564224 acre acres; 10000 ha hectare hectares; 100 are ares; 0.09290304 sqft; 0.83612736 sqyd;
        2589988.110336 sqmi; 0.00064516 sqin; 1000000 sqkm; 1 sqm""",
    "volume": """1e-3 l L liter liters litre litres; 1e-6 cc ccs; 3.785411784e-3 gal gallon gallons us_gallon
        us_gallons; 9.46352946e-4 qt quart quarts; 4.73176473e-4 pt pint pints; 2.365882365e-4 cup cups us_cup us_cups;
        2.5e-4 metric_cup metric_cups;
        2.95735295625e-5 floz fl_oz fluid_ounce fluid_ounces us_fluid_ounce us_fluid_ounces;
        1.478676478125e-5 tbsp tbsps tablespoon tablespoons; 4.92892159375e-6 tsp tsps teaspoon teaspoons;
        4.54609e-3 imperial_gallon imperial_gallons uk_gallon uk_gallons imp_gal;
        5.6826125e-4 imperial_pint imperial_pints uk_pint uk_pints; 1.1365225e-3 imperial_quart imperial_quarts;
        2.84130625e-5 imperial_fluid_ounce imperial_fluid_ounces;
        0.158987294928 bbl barrel barrels oil_barrel oil_barrels; 0.03523907016688 bushel bushels;
        0.028316846592 cuft; 1.6387064e-5 cuin; 1 cbm""",
    "mass": """1e-3 g gram grams gramme grammes gm gms; 1000 t tonne tonnes metric_ton metric_tons;
        0.45359237 lb lbs pound pounds; 0.028349523125 oz ounce ounces; 6.35029318 st stone stones;
        907.18474 ton tons short_ton short_tons us_ton us_tons;
        1016.0469088 long_ton long_tons imperial_ton imperial_tons; 6.479891e-5 gr grain grains;
        2e-4 ct carat carats; 0.0311034768 ozt troy_ounce troy_ounces; 50.80234544 cwt hundredweight;
        14.593902937206365 slug slugs; 100 quintal quintals""",
    "time": """1 s sec secs second seconds; 60 min mins minute minutes; 3600 h hr hrs hour hours; 86400 d day days;
        604800 wk wks week weeks; 1209600 fortnight fortnights; 2628000 mo month months;
        31536000 y yr yrs year years; 315360000 decade decades; 3153600000 century centuries;
        31536000000 millennium millennia; 7884000 quarter quarters""",
    "data": """1 bit bits b; 8 B byte bytes; 4 nibble nibbles""",
    "data rate": """1 bps; 8 Bps""",
    "current": """1 A amp amps ampere amperes""",
    "charge": """1 coulomb coulombs; 3600 Ah amp_hour amp_hours""",
    "voltage": """1 V volt volts""",
    "resistance": """1 ohm ohms""",
    "speed": """0.44704 mph; 1852/3600 kn knot knots kt kts; 5/18 kph kmh kmph; 1 mps; 0.3048 fps;
        299792458 lightspeed speed_of_light""",
    "force": """1 N newton newtons; 4.4482216152605 lbf pound_force; 9.80665 kgf kilogram_force; 1e-5 dyne dynes dyn""",
    "energy": """1 J joule joules; 3600 Wh watt_hour watt_hours watthour watthours; 4.184 cal calorie calories;
        4184 Cal food_calorie food_calories; 1055.05585262 BTU BTUs Btu; 105505585.262 therm therms;
        1.602176634e-19 eV electronvolt electronvolts; 1e-7 erg ergs;
        1.3558179483314004 ftlb ft_lb ft_lbs foot_pound foot_pounds; 4184000000 ton_of_tnt tons_of_tnt""",
    "power": """1 W watt watts; 745.69987158227022 hp horsepower; 735.49875 PS metric_horsepower;
        3516.8528420667 ton_of_refrigeration""",
    "pressure": """1 Pa pascal pascals; 1e5 bar bars; 101325 atm atms atmosphere atmospheres; 6894.757293168361 psi;
        133.322387415 mmHg mmhg; 3386.389 inHg inhg; 101325/760 torr torrs""",
    "frequency": """1 Hz hertz; 1/60 rpm""",
    "angle": """1 rad rads radian radians; PI/180 deg degree degrees; PI/200 grad grads gradian gradians;
        PI/10800 arcmin arcmins arcminute arcminutes; PI/648000 arcsec arcsecs arcsecond arcseconds;
        PI*2 turn turns rev revs revolution revolutions""",
}
_TEMPERATURES = [
    ("K kelvin kelvins", Fraction(1), Fraction(0)),
    ("C degC celsius centigrade degrees_celsius degree_celsius degrees_C degrees_c", Fraction(1), Fraction("273.15")),
    (
        "F degF fahrenheit degrees_fahrenheit degree_fahrenheit degrees_F degrees_f",
        Fraction(5, 9),
        Fraction("459.67") * 5 / 9,
    ),
    ("R degR rankine", Fraction(5, 9), Fraction(0)),
]
_PREFIX = {
    "k": ("kilo", 3), "M": ("mega", 6), "G": ("giga", 9), "T": ("tera", 12), "P": ("peta", 15), "E": ("exa", 18),
    "h": ("hecto", 2), "d": ("deci", -1), "c": ("centi", -2), "m": ("milli", -3), "u": ("micro", -6), "n": ("nano", -9),
    "p": ("pico", -12), "f": ("femto", -15), "da": ("deca", 1),
}  # fmt: skip
_PREFIXED = {
    "m": "meter meters metre metres", "g": "gram grams gramme grammes", "l": "liter liters litre litres", "L": "",
    "s": "second seconds sec", "t": "tonne tonnes ton tons", "b": "bit bits", "bit": "", "bits": "", "B": "byte bytes",
    "bps": "", "Bps": "", "A": "amp amps ampere amperes", "Ah": "amp_hours", "V": "volt volts", "ohm": "ohms",
    "N": "newton newtons", "J": "joule joules", "Wh": "watt_hour watt_hours watthour watthours",
    "cal": "calorie calories", "eV": "electronvolt electronvolts", "W": "watt watts", "Pa": "pascal pascals",
    "bar": "bars", "Hz": "hertz", "pc": "parsec parsecs", "rad": "",
}  # fmt: skip
_IEC = {"Ki": "kibi", "Mi": "mebi", "Gi": "gibi", "Ti": "tebi", "Pi": "pebi"}
# Small letters mean what people mean by them; the exact spellings (Mb, MB) are looked up first.
_COMMON = {
    "kb": "kB", "KB": "kB", "mb": "MB", "gb": "GB", "tb": "TB", "pb": "PB", "kbps": "kbps", "Kbps": "kbps", "Kb": "kb_",
    "mbps": "Mbps", "gbps": "Gbps", "KPH": "kph", "kwh": "kWh", "KWh": "kWh", "mhz": "MHz", "kj": "kJ", "KM": "km",
    "Kg": "kg", "KG": "kg", "kcals": "kcal", "kw": "kW", "mpa": "MPa", "ML": "mL", "mw": "MW", "gw": "GW",
}  # fmt: skip


@lru_cache(maxsize=1)
def units() -> Mapping[str, Unit]:
    """Every unit by its exact spelling (spaces as ``_``), some 1,600, and the names folded to small letters."""
    table: dict[str, Unit] = {}
    for kind, lines in _TABLE.items():
        for line in lines.split(";"):
            factor, *names = line.split()
            table |= {name: Unit(name, _factor(factor), KINDS[kind]) for name in names}
    for temperature, size, offset in _TEMPERATURES:
        table |= {n: Unit(n, size, KINDS["temperature"], offset) for n in temperature.split()}
    prefixed = dict(_prefixed(table))
    table = {**prefixed, **table, "kb_": prefixed["kb"]}
    table |= {"mpg": Unit("mpg", Fraction("1609.344") / Fraction("0.003785411784"), KINDS["fuel economy"])}
    imperial = Unit("imperial_mpg", Fraction("1609.344") / Fraction("0.00454609"), KINDS["fuel economy"])
    table |= dict.fromkeys(("imperial_mpg", "uk_mpg"), imperial)
    table |= {alias: table[name] for alias, name in _COMMON.items()}
    folded: dict[str, Unit | None] = {}
    for name, unit in table.items():
        same = folded.get(name.lower(), unit)
        folded[name.lower()] = unit if same and (same.factor, same.dims) == (unit.factor, unit.dims) else None
    return {**{name: unit for name, unit in folded.items() if unit}, **table}


def _factor(text: str) -> Fraction:
    if text.startswith("PI"):
        return PI * Fraction(text[3:]) if text[2] == "*" else PI / Fraction(text[3:])
    return Fraction(text)


def _prefixed(table: Mapping[str, Unit]) -> Iterator[tuple[str, Unit]]:
    for symbol, longs in _PREFIXED.items():
        unit = table[symbol]
        for short, (long, power) in _PREFIX.items():
            if unit.dims in (KINDS["data"], KINDS["data rate"]) and power < 3:
                continue
            scaled = unit.factor * Fraction(10) ** power
            names = [short + symbol] if symbol != "bits" else []
            for name in [*names, *(long + word for word in longs.split())]:
                yield name, Unit(name, scaled, unit.dims)
    for power, (short, long) in enumerate(_IEC.items(), 1):
        for name, bits in (
            (short + "B", 8),
            (short + "b", 1),
            (f"{long}byte", 8),
            (f"{long}bytes", 8),
            (f"{long}bits", 1),
        ):
            yield name, Unit(name, Fraction(bits * 1024**power), KINDS["data"])
