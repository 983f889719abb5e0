"""``python -m llmos.training.painter``: makes the embedded painter; stopped, it goes on where it was.

train     the network, from drawn scenes alone; its state and what it painted lie in the folder --out
install   the result as package data in tools/weights/
sheet     forty held-out prompts with what is painted of them, in --out
measure   does it paint what was said? held-out prompts, looked at by their pixels
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch

from llmos.tools.image_checkpoint import WEIGHTS
from llmos.tools.painter import PainterPipeline
from llmos.training.painter import measure
from llmos.training.painter.train import LARGE, Recipe, Training, parameters, save, shaped

MOST = 16 << 20  # bytes that the weights may have as package data


def main() -> None:
    """Run the step asked for, or train and install."""
    parser = argparse.ArgumentParser(prog="python -m llmos.training.painter", description=__doc__.splitlines()[0])
    parser.add_argument("step", nargs="?", default="all", choices=["all", "train", "install", "measure", "sheet"])
    parser.add_argument("--out", type=Path, default=Path("runs") / "painter", help="where its state lies")
    parser.add_argument("--steps", type=int, help="how many steps in all; by default what suits this machine")
    parser.add_argument("--batch", type=int, help="pictures a step")
    parser.add_argument("--rate", type=float, help="how fast it learns at the most")
    parser.add_argument("--start", type=Path, help="a painter to begin with, whose shape is kept")
    parser.add_argument("--pool", type=int, help="captions that are read at once")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long; run it again to go on")
    parser.add_argument("--prompts", type=int, default=200, help="how many are measured")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    given = {key: getattr(options, key) for key in ("steps", "batch", "pool", "rate") if getattr(options, key)}
    recipe = replace(LARGE if torch.cuda.is_available() else Recipe(), seed=options.seed, **given)
    if options.start is not None:
        recipe = shaped(recipe, options.start)
    if options.step in ("all", "train") and not train(Training(recipe, options.out, options.start), options.minutes):
        print("not at the end yet; run it again to go on")
        return
    if options.step in ("all", "install"):
        size = save(Training(recipe, options.out).pipeline(), WEIGHTS)
        print(f"{WEIGHTS}: {size / (1 << 20):.1f} MiB of at most {MOST >> 20}")
        if size > MOST:
            raise SystemExit("the weights are too large to ship")
    if options.step in ("measure", "sheet"):
        painter = PainterPipeline.from_pretrained(WEIGHTS, local_files_only=True, use_safetensors=True)
    if options.step == "sheet":
        options.out.mkdir(parents=True, exist_ok=True)
        measure.sheet(painter, options.seed).save(options.out / "sheet.png")
        print(options.out / "sheet.png")
    if options.step == "measure":
        print(json.dumps(measure.report(painter, options.prompts, options.seed), indent=2))


def train(training: Training, minutes: float) -> bool:
    """Train, telling now and then; at the end, how fast it was. Whether all steps are done."""
    print(f"{parameters(training.model) / 1e6:.1f} million parameters on {training.device}, from step {training.step}")
    losses: list[torch.Tensor] = []
    began, first = time.monotonic(), training.step

    def told(step: int, loss: torch.Tensor) -> None:
        losses.append(loss)
        if step % 50 == 0:
            mean, pace = float(torch.stack(losses[-50:]).mean()), (step - first) / (time.monotonic() - began)
            print(f"step {step:,} of {training.recipe.steps:,}  loss {mean:.4f}  {pace:.2f} steps/s", flush=True)

    training.run(told, began + minutes * 60)
    done, took = training.step - first, time.monotonic() - began
    if done:
        ends = (float(torch.stack(part).mean()) for part in (losses[:10], losses[-10:]))
        print("{} steps in {:.0f} s, {:.3f} a second; loss {:.4f} to {:.4f}".format(done, took, done / took, *ends))
    return training.step >= training.recipe.steps


if __name__ == "__main__":
    main()
