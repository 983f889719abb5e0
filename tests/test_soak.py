"""The soak's own judgement: it must see what grows, what stays behind, and what went wrong; and no more than that."""

from typing import Any

import pytest

from llmos.bench._soak import CAPTURED, LEFT, LIMITS, Captured, verdict
from llmos.kernel.engine import CallMade
from llmos.kernel.scripted import Scripted

STILL = {"seconds": 0.0, "rss_mb": 400.0, "fds": 40.0, "threads": 10.0, "processes": 9.0, "home_mb": 3.0}
BEFORE = {**STILL, "temporary_mb": 0.0, "requests": 1000.0}


def run(**growth: float) -> list[dict[str, float]]:
    """Forty samples in which some figures rise evenly."""
    return [{k: v + growth.get(k, 0.0) * n / 40 for k, v in BEFORE.items()} for n in range(40)]


def test_what_only_moves_a_little_is_sound() -> None:
    assert verdict(run(rss_mb=60, fds=4), BEFORE, BEFORE) == []


@pytest.mark.parametrize("name", LIMITS)
def test_what_grows_after_warm_up_is_found(name: str) -> None:
    (found,) = verdict(run(**{name: 4 * LIMITS[name]}), BEFORE, BEFORE)
    assert found.startswith(f"{name} grew from ")


def test_what_grows_while_it_warms_up_is_not() -> None:
    samples = [{**BEFORE, "rss_mb": 400.0 + 30 * min(n, 10)} for n in range(40)]
    assert verdict(samples, BEFORE, BEFORE) == []


@pytest.mark.parametrize("name", LEFT)
def test_what_stays_behind_is_found(name: str) -> None:
    (found,) = verdict(run(), BEFORE, {**BEFORE, name: BEFORE[name] + LEFT[name] + 1})
    assert "after all was closed" in found


def test_errors_and_a_run_without_samples_are_no_sound_run() -> None:
    assert verdict(run(), BEFORE, BEFORE, ["KeyError: 'x'"]) == ["error: KeyError: 'x'"]
    assert "too short" in verdict([], BEFORE, BEFORE)[0]
    assert "too few requests" in verdict(run(), BEFORE, {**BEFORE, "requests": 6.0})[0]


def test_a_captured_thread_makes_the_attackers_calls_and_then_ends_its_turn() -> None:
    model = Captured(Scripted(["honest"] * 2))

    def said() -> list[Any]:
        return [d for d in model.reply([], []) if not hasattr(d, "reason")]

    model.capture(CAPTURED[0])
    assert [type(d) for d in said()] == [CallMade, CallMade]
    assert "".join(d.text for d in said()) == "done"
    model.capture(None)
    assert "".join(d.text for d in said()) == "honest"
