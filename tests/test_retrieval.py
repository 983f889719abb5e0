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
