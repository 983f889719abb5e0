"""``python -m llmos.training.scaling``: small pretraining runs, the law that fits them, a prediction and its outcome.

Runs every size on every budget, fits L(N, D) = E + A / N^a + B / D^b, writes what it predicts of one larger run, with
the time, then trains that run and tells prediction against outcome. Stopped, it goes on where it was; what is in the
folder --out is not done again. Without --corpus it learns from the packaged phrases, of which there are too few for
more than a try.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from llmos.kernel.config import WEIGHTS
from llmos.training.__main__ import shape
from llmos.training.scaling.law import Law, Point, bootstrap, fit, interval, predicted
from llmos.training.scaling.picture import draw
from llmos.training.scaling.runs import Recipe, Runs

SIZES = ("128x2", "128x4", "192x3")
BUDGETS = (100_000, 200_000, 400_000)
LARGER = ("192x5", 500_000)
SHIPPED = ("320x7", 2_400 * 32_768)  # the embedded kernel's shape, and the tokens that it was pretrained on
FIGURES = ("e", "a", "alpha", "b", "beta")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, fit, predict, train the larger run, compare."""
    options = parsed(arguments)
    recipe = Recipe(text=options.text, held=options.held, seed=options.seed)
    try:
        runs = Runs(options.out, options.tokenizer, options.corpus, recipe)
        points = [p for name in options.sizes for p in runs.size(*sized(name), options.budgets)]
        law = fit(points)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    drawn = bootstrap(points, law, options.draws, options.seed)
    told = prediction(options.out / "prediction.json", law, drawn, options.larger)
    larger = runs.size(*sized(options.larger[0]), [options.larger[1]])[0]
    report = {
        "name": "scaling",
        "torch": torch.__version__,
        "corpus": options.corpus is not None,
        "recipe": asdict(recipe),
        "runs": [p.public() for p in points],
        "law": {n: round(getattr(law, n), 4) for n in FIGURES},
        "intervals": {n: [round(x, 4) for x in interval([getattr(one, n) for one in drawn])] for n in FIGURES},
        "error_of_fit": round(sum(abs(law.loss(p.parameters, p.tokens) / p.loss - 1) for p in points) / len(points), 5),
        "prediction": told,
        "outcome": larger.public(),
        "error_of_prediction": round(told["larger"]["loss"] / larger.loss - 1, 5),
    }
    (options.out / "scaling.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    draw(points, law, larger, told["larger"], options.out / "scaling.png")
    print(table(points, law, report))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m llmos.training.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs") / "scaling", help="where runs and results lie")
    parser.add_argument("--corpus", type=Path, help="folder of openly licensed text; without it: phrases only")
    parser.add_argument("--tokenizer", type=Path, default=WEIGHTS, help="folder with tokenizer.json")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="HIDDENxLAYERS")
    parser.add_argument("--budgets", nargs="+", type=int, default=BUDGETS, metavar="TOKENS")
    parser.add_argument("--larger", default=":".join(map(str, LARGER)), metavar="SIZE:TOKENS", help="what is predicted")
    parser.add_argument("--text", type=int, default=Recipe.text, help="tokens of text to learn from")
    parser.add_argument("--held", type=int, default=Recipe.held, help="tokens of text to measure on")
    parser.add_argument("--draws", type=int, default=200, help="laws fitted for the intervals")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        name, tokens = options.larger.split(":")
        options.larger = name, int(tokens)
        for size in (*options.sizes, name):
            shape(*sized(size))
    except ValueError as error:
        parser.error(f"a size is HIDDENxLAYERS, the larger run SIZE:TOKENS ({error})")
    if options.corpus is not None and not options.corpus.is_dir():
        parser.error(f"there is no folder {options.corpus}")
    options.budgets = sorted(set(options.budgets))
    return options


def sized(name: str) -> tuple[int, int]:
    """Hidden size and layers of a name such as 128x2. Raises ValueError for others."""
    hidden, layers = name.split("x")
    if int(hidden) < 128 or int(layers) < 2:
        raise ValueError(f"{name} is smaller than 128x2, the least that starts out copying")
    return int(hidden), int(layers)


def size_of(name: str) -> int:
    """Parameters of the layers of a shape, without the word vectors."""
    c = shape(*sized(name))
    layer = c.hidden_size * (4 * c.hidden_size + 3 * c.intermediate_size + 2) + 2 * c.head_dim
    return c.num_hidden_layers * layer + c.hidden_size


def prediction(file: Path, law: Law, drawn: Sequence[Law], larger: tuple[str, int]) -> dict[str, Any]:
    """What is predicted of the larger run and of the shipped shape, written down once, with the time."""
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if found["run"] == list(larger):
            return found
    made: dict[str, Any] = {
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "run": list(larger),
        "larger": predicted(law, drawn, size_of(larger[0]), larger[1]),
        "shipped_shape": predicted(law, drawn, size_of(SHIPPED[0]), SHIPPED[1]),
    }
    file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    told, low_high = made["larger"], "{} to {}".format(*made["larger"]["interval"])
    said = f"predicted for {larger[0]} on {larger[1]:,} tokens: {told['loss']} ({low_high})"
    print(f"{made['written']}: {said}", flush=True)
    return made


def table(points: Sequence[Point], law: Law, report: dict[str, Any]) -> str:
    """What is printed at the end."""
    lines = [f"{'run':8} {'parameters':>11} {'tokens':>11} {'loss':>7} {'law':>7}"]
    for p in points:
        fitted = law.loss(p.parameters, p.tokens)
        lines.append(f"{p.name:8} {p.parameters:11,} {p.tokens:11,} {p.loss:7.4f} {fitted:7.4f}")
    for n in FIGURES:
        low, high = report["intervals"][n]
        lines.append(f"{n:6} {report['law'][n]:.4f} [{low:.4f} to {high:.4f}]")
    for what in ("larger", "shipped_shape"):
        told = report["prediction"][what]
        low, high = told["interval"]
        lines.append(
            f"predicted {what}: {told['loss']} [{low} to {high}] at {told['parameters']:,} parameters, "
            f"{told['tokens']:,} tokens"
        )
    off = report["error_of_prediction"]
    lines.append(f"outcome of the larger run: {report['outcome']['loss']:.4f}, prediction off by {off:+.2%}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
