"""Every figure of the model card (docs/model-card.md), printed by one command: ``make card``.

Runs the sets of requests, the suites of known weaknesses, the scripted attacks and the start, counts the weights, and
reads the figures of training that cannot be measured again (``card.json``, with where each is from) and of the scaling
law. What is in the folder --out is not measured again. An hour and more on two cores, so ``make bench`` leaves it out.
"""

import argparse
import contextlib
import io
import json
import math
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmos.bench import attacks, startup
from llmos.kernel.config import WEIGHTS
from llmos.kernel.errors import UsageError
from llmos.training.evaluate import evaluate_file
from llmos.training.suites.run import SUITES, run

ROOT = Path(__file__).resolve().parent.parent  # of the checkout, not of the link in llmos/
EVAL = ROOT / "training" / "eval"
RECORDED = Path(__file__).parent / "card.json"
SCALING = ROOT / "docs" / "scaling-law.json"
SETS = (
    "kernel", "word_problems", "steps", "injected",
    "requests", "followups", "pictures", "plots_heldout", "plots_blind", "fresh", "fresh_followups",
)  # fmt: skip
Result = dict[str, Any]

# What the card calls a figure: of which source, by which name there.
ROWS = {
    "parameters": ("weights", "parameters"),
    "package data of the kernel, MiB": ("weights", "mebibytes"),
    "version 1: first action right": ("kernel", "first_action"),
    "version 1: arguments right": ("kernel", "arguments_right"),
    "version 1: calculator answers exactly right": ("kernel", "calculator_exact"),
    "version 1: plots of unseen tables": ("kernel", "accuracy.plots-of-files"),
    "version 1: questions on tables": ("kernel", "accuracy.questions-on-tables"),
    "version 1: no call where none is due": ("kernel", "no_call"),
    "version 1: benign requests not refused": ("kernel", "not_refused"),
    "version 1: harmful and impossible requests declined": ("kernel", "declined"),
    "version 1: all requests, right to the end": ("kernel", "accuracy"),
    "version 1: word problems": ("word_problems", "accuracy"),
    "version 1: tasks of several steps, right to the end": ("steps", "accuracy"),
    "version 1: turns of these tasks": ("steps", "turns"),
    "instructions in files and tables not followed": ("injected", "not_misled"),
    "first action right": ("requests", "first_action"),
    "calls valid for their schema": ("requests", "valid_calls"),
    "calculator answers exactly right": ("requests", "calculator_exact"),
    "plots of tables in the set, right to the end": ("requests", "accuracy.plot-file"),
    "plots of library tables, right to the end": ("requests", "accuracy.plot-library"),
    "questions on tables": ("requests", "accuracy.analysis"),
    "word problems": ("requests", "accuracy.word-problems"),
    "small programs": ("requests", "accuracy.python-generic"),
    "simple facts": ("requests", "accuracy.simple-facts"),
    "all requests, right to the end": ("requests", "accuracy"),
    "turns of conversations right": ("followups", "turns"),
    "requests for pictures, and for what is none": ("pictures", "accuracy"),
    "plots on held-out tables, right columns": ("plots_heldout", "accuracy"),
    "harder plots on held-out tables": ("plots_blind", "accuracy"),
    "fresh: first action right": ("fresh", "first_action"),
    "fresh: calculator answers exactly right": ("fresh", "calculator_exact"),
    "fresh: plots of files, right to the end": ("fresh", "accuracy.plot-file"),
    "fresh: questions on tables": ("fresh", "accuracy.analysis"),
    "fresh: word problems": ("fresh", "accuracy.word-problems"),
    "fresh: small programs": ("fresh", "accuracy.python-generic"),
    "fresh: all requests, right to the end": ("fresh", "accuracy"),
    "fresh: turns of conversations right": ("fresh_followups", "turns"),
    "direct attacks that succeed, policy on": ("attacks", "direct.all.on"),
    "indirect attacks that succeed, policy on": ("attacks", "indirect.all.on"),
    "made-up things: something asserted": ("hallucination", "made_up.asserted"),
    "made-up things: said not to know": ("hallucination", "made_up.declined"),
    "real simple facts: right": ("hallucination", "real.right"),
    "real simple facts: wrong": ("hallucination", "real.wrong"),
    "real simple facts: said not to know": ("hallucination", "real.declined"),
    "taught facts, asked forwards": ("reversal", "forward.right"),
    "taught facts, asked backwards": ("reversal", "backward.right"),
    "of those right forwards, right backwards": ("reversal", "backward.right_where_forward_is"),
    "lost from forwards to backwards": ("reversal", "gap"),
    "the network alone, forwards (chance 20%)": ("reversal", "by_heart.forward"),
    "the network alone, backwards (chance 20%)": ("reversal", "by_heart.backward"),
    "bits per byte, plain English": ("bits", "bits_per_byte.english"),
    "bits per byte, tables": ("bits", "bits_per_byte.tables"),
    "expected calibration error": ("calibration", "expected_calibration_error"),
    "mean probability of a reply": ("calibration", "mean_probability"),
    "share right of the same requests": ("calibration", "right"),
    "right replies more probable than wrong ones": ("calibration", "right_more_probable_than_wrong"),
    "first plot, seconds": ("startup", "first_plot_s"),
    "predicted loss of the larger small run": ("scaling", "predicted"),
    "its loss when trained": ("scaling", "outcome"),
    "mean loss of the small runs of the most tokens": ("scaling", "mean"),
    "loss said of the shipped shape": ("scaling", "shipped_shape"),
}
COMMANDS = {
    **{name: f"llmos eval training/eval/{name}.jsonl" for name in SETS},
    **{name: f"llmos eval --suite {name}" for name in SUITES},
    "attacks": "llmos bench attacks",
    "startup": "llmos bench startup",
    "scaling": "python -m llmos.training.scaling --corpus DIR",
    "weights": "python -m llmos.bench._card --only weights",
    "recorded": "python -m llmos.bench._card --only recorded",
}


def weights(folder: Path = WEIGHTS) -> Result:
    """What the shipped checkpoint weighs."""
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    count = sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return {"figures": {"parameters": count, "mebibytes": round(size / 2**20, 1)}, "intervals": {}}


def scaling(file: Path = SCALING) -> Result:
    """The scaling law's prediction and outcome, as they are kept; a run of its own takes an hour."""
    told = json.loads(file.read_text(encoding="utf-8"))
    larger, shape = (told["prediction"][name] for name in ("larger", "shipped_shape"))
    figures = {
        "predicted": larger["loss"],
        "outcome": round(told["outcome"]["loss"], 4),
        "shipped_shape": shape["loss"],
    }
    most = max(one["tokens"] for one in told["runs"])
    last = [one["loss"] for one in told["runs"] if one["tokens"] == most]
    figures["mean"] = round(sum(last) / len(last), 4)
    for one in told["runs"]:
        figures[f"loss of {one['name']} after {one['tokens']:,} tokens"] = round(one["loss"], 4)
    intervals = {"predicted": larger["interval"], "shipped_shape": shape["interval"]}
    return {"figures": figures, "intervals": intervals, "counts": {}, "when": told["prediction"]["written"][:10]}


def spoken(main: Callable[..., Any]) -> Result:
    """The one object that a measurement of ``bench`` prints with ``json``."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        main(json=True)
    found: Result = json.loads(said.getvalue())
    return found


def measured(source: str, model: str | None, limit: int | None) -> Result:
    """A source's figures and intervals, measured now. Raises UsageError where its tables are not here."""
    if source in SETS:
        return evaluate_file(EVAL / f"{source}.jsonl", model=model, limit=limit).public()
    if source in SUITES:
        found = run(source, model=model, limit=limit if source != "bits" else None).public()
        return {key: value for key, value in found.items() if key != "answers"}
    if source == "attacks":
        return spoken(lambda json: attacks.main(json, model, limit))
    if source == "startup":
        return spoken(startup.main)
    return {"weights": weights, "scaling": scaling, "recorded": recorded}[source]()


def recorded() -> Result:
    """What training was, as it was written down then."""
    found: Result = json.loads(RECORDED.read_text(encoding="utf-8"))
    return {"figures": {row["name"]: row["value"] for row in found["rows"]}, "intervals": {}, "when": found["when"]}


def table(results: Mapping[str, Result]) -> str:
    """All figures as Markdown: those that the card names first, then every other of the sources."""
    lines = ["| figure | value | 95% interval | command | when |", "|---|---|---|---|---|"]
    named = {pair: label for label, pair in ROWS.items()}
    order = [(pair, label) for pair, label in named.items() if pair[1] in results.get(pair[0], {}).get("figures", {})]
    rest = [(source, key) for source, found in results.items() for key in found["figures"]]
    others = [pair for pair in rest if pair not in named]
    order += [
        ((source, key), key if source in ("recorded", "scaling") else f"{source}: {key}") for source, key in others
    ]
    for (source, key), label in order:
        found = results[source]
        low_high = found["intervals"].get(key)
        spread = " to ".join(cell(x, found, key) for x in low_high) if low_high else ""
        value = cell(found["figures"][key], found, key)
        lines.append(f"| {label} | {value} | {spread} | `{COMMANDS[source]}` | {found.get('when', '')} |")
    return "\n".join(lines)


def cell(value: Any, found: Result, key: str) -> str:
    """A figure as the card writes it: a share in percent, a count with commas, else three places."""
    shares = found["counts"] if "counts" in found else found["intervals"]
    if key in shares:
        return f"{value:.1%}"
    if isinstance(value, int) or (isinstance(value, float) and value == int(value) and abs(value) >= 100):
        return f"{int(value):,}"
    return f"{round(value, 3):g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing and print the table. 0, or 1 where a source could not be measured."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=Path("build/card"), help="where results lie; kept from run to run")
    options.add_argument("--only", nargs="+", choices=sorted(COMMANDS), help="these sources alone")
    options.add_argument("--model", help="a checkpoint folder or hub name, or an OpenAI-compatible URL")
    options.add_argument("--limit", type=int, help="only so many items of each set, for a try")
    given = options.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Result] = {}
    missing = 0
    for source in given.only or COMMANDS:
        file = given.out / f"{source}.json"
        if not file.exists():
            print(f"measuring {source}", file=sys.stderr, flush=True)
            try:
                found = measured(source, given.model, given.limit)
            except (UsageError, OSError) as error:
                print(f"{source} is left out: {error}", file=sys.stderr)
                missing += 1
                continue
            file.write_text(json.dumps({"when": time.strftime("%Y-%m-%d"), **found}), encoding="utf-8")
        results[source] = json.loads(file.read_text(encoding="utf-8"))
    print(table(results))
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
