"""The model card: its figures come from one command, and the command prints all that it names."""

import json
import re
from pathlib import Path

import pytest

from llmos.bench import _card

ROOT = Path(__file__).parent.parent
CARD = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The cells of the card's rows that name a command."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in CARD.splitlines() if line.startswith("|")
    ]
    return [row for row in cells if any(f"`{command}`" in row for command in _card.COMMANDS.values())]


def test_every_figure_of_the_card_is_one_that_the_command_prints() -> None:
    others = {
        name: source for source in ("recorded", "scaling") for name in _card.measured(source, None, None)["figures"]
    }
    assert len(rows()) > 40
    for label, *rest in rows():
        assert label in _card.ROWS or label in others, label
        source = _card.ROWS[label][0] if label in _card.ROWS else others[label]
        assert f"`{_card.COMMANDS[source]}`" in rest, label


def test_what_the_card_says_of_the_weights_and_of_training_is_so() -> None:
    value = {row[0]: row[1] for row in rows()}
    found = {source: _card.measured(source, None, None) for source in ("weights", "recorded", "scaling")}
    printed = [line for line in _card.table(found).splitlines() if line.startswith("|")][2:]
    assert len(printed) == sum(len(f["figures"]) for f in found.values())
    for line in printed:
        label, told, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        assert value[label] == told, label
    assert re.search(r"at most 40 MiB", CARD)
    assert found["weights"]["figures"]["mebibytes"] <= 40


def test_figures_are_told_as_what_they_are() -> None:
    shares = {"figures": {"accuracy": 0.914, "items": 336}, "intervals": {"accuracy": [0.879, 0.939]}}
    suite = {"figures": {"gap": 0.25}, "intervals": {"gap": [0.1, 0.4]}, "counts": {}, "when": "2026-11-28"}
    printed = _card.table({"requests": shares, "reversal": suite})
    assert "| all requests, right to the end | 91.4% | 87.9% to 93.9% |" in printed
    assert "| lost from forwards to backwards | 0.25 | 0.1 to 0.4 |" in printed
    assert "| requests: items | 336 |" in printed


def test_what_was_measured_is_kept_and_what_cannot_be_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _card.main(["--out", str(tmp_path), "--only", "weights"]) == 0
    assert "| parameters | " in capsys.readouterr().out
    kept = json.loads((tmp_path / "weights.json").read_text())
    (tmp_path / "weights.json").write_text(json.dumps({**kept, "figures": {"parameters": 7}}))
    monkeypatch.setattr(_card, "SCALING", tmp_path / "none.json")
    monkeypatch.setattr(_card.scaling, "__defaults__", (tmp_path / "none.json",))
    assert _card.main(["--out", str(tmp_path), "--only", "weights", "scaling"]) == 1
    shown = capsys.readouterr()
    assert "| parameters | 7 |" in shown.out
    assert "scaling is left out" in shown.err
