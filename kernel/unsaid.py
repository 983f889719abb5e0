"""Numbers that nobody needs to say: small ones, clocks, calendars, parts and powers of ten."""

_ROUND = (36, 40, 45, 48, 50, 52, 60, 64, 72, 75, 80, 90, 96, 100, 144, 180, 200, 273, 360, 365, 366, 500, 1000, 1440)
_PARTS = ("0.1", "0.2", "0.25", "0.5", "0.75", "0.01", "0.001", "1.5", "2.5", "273.15")
UNSAID = frozenset(
    [*_PARTS, *map(str, _ROUND), "3600", "10000", "86400", "1000000"]
    + [f"{n:{w}}" for n in range(32) for w in ("", "02")]
)
