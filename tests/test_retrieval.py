"""How often the right passage is found: the questions of ``retrieval/``, by meaning, by words, and by both."""

from pathlib import Path

import pytest

from llmos.bench import memory as bench
from llmos.kernel import minilm


@pytest.mark.slow
@pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
def test_the_right_passage_is_among_the_first_five(tmp_path: Path) -> None:
    shares = {name: good / count for name, (good, count) in bench.recall(tmp_path / "home").items()}
    assert shares["hybrid"] >= 0.9
    assert shares["hybrid"] > shares["vector"]
    assert shares["hybrid"] > shares["bm25"]


def test_the_times_of_a_search_are_drawn_over_the_size(tmp_path: Path) -> None:
    sizes = {"1k": 3.0, "10k": 4.0, "100k": 9.0, "500": 2.0}
    figures = {f"search_{p}_ms_{size}": value for p in ("p50", "p95") for size, value in sizes.items()}
    bench.plot({**figures, "open_s": 0.1}, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
