"""``python -m llmos.training.painter``: makes the embedded painter; stopped, it goes on where it was.

train     the network, from drawn scenes alone; its state lies in the folder --out
save      what was trained so far as a checkpoint, in --save
install   it as package data in tools/weights/
sheet     forty held-out prompts with what is painted of them, in --out
measure   does it paint what was said? held-out prompts, looked at by their pixels and by a checker, which is trained
          first where --out has none: minutes
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch

from llmos.tools.image_checkpoint import WEIGHTS
from llmos.tools.painter import PainterPipeline
from llmos.training.painter import checker, measure
from llmos.training.painter.train import LARGE, Budget, Recipe, Training, parameters, save, shaped, trained

MOST = 16 << 20  # bytes that the weights may have as package data


def main() -> None:
    """Run the step asked for, or train and install."""
    began = time.monotonic()
    options = _options()
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")
    given = {key: getattr(options, key) for key in ("steps", "batch", "pool", "rate") if getattr(options, key)}
    recipe = replace(LARGE if torch.cuda.is_available() else Recipe(), seed=options.seed, **given)
    if options.start is not None:
        recipe = shaped(recipe, options.start)
    if options.step in ("all", "train"):
        limits = Budget(options.within * 60, began, began + options.minutes * 60, options.every, options.save)
        training = Training(recipe, options.out, options.start, options.processes)
        if not train(training, limits, options.compile):
            print("not at the end yet; run it again to go on")
            return
    if options.step == "save" and options.save is None:
        raise SystemExit("save needs to be told where: --save FOLDER")
    if options.step in ("all", "install", "save"):
        folder = options.save if options.step == "save" else WEIGHTS
        size = save(trained(options.out), folder)
        print(f"{folder}: {size / (1 << 20):.1f} MiB of at most {MOST >> 20}")
        if size > MOST:
            raise SystemExit("the weights are too large to ship")
    if options.step in ("measure", "sheet"):
        painter = PainterPipeline.from_pretrained(WEIGHTS, local_files_only=True, use_safetensors=True)
    if options.step == "sheet":
        options.out.mkdir(parents=True, exist_ok=True)
        measure.sheet(painter, options.seed).save(options.out / "sheet.png")
        print(options.out / "sheet.png")
    if options.step == "measure":
        told = measure.report(painter, checker.kept(options.out), options.prompts, options.seed)
        print(json.dumps(told, indent=2))


def _options() -> argparse.Namespace:
    steps = ["all", "train", "save", "install", "measure", "sheet"]
    parser = argparse.ArgumentParser(prog="python -m llmos.training.painter", description=__doc__.splitlines()[0])
    parser.add_argument("step", nargs="?", default="all", choices=steps)
    parser.add_argument("--out", type=Path, default=Path("runs") / "painter", help="where its state lies")
    parser.add_argument("--steps", type=int, help="how many steps in all; by default what suits this machine")
    parser.add_argument("--batch", type=int, help="pictures a step")
    parser.add_argument("--rate", type=float, help="how fast it learns at the most")
    parser.add_argument("--start", type=Path, help="a painter to begin with, whose shape is kept")
    parser.add_argument("--pool", type=int, help="captions that are read at once")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long; run it again to go on")
    parser.add_argument("--within", type=float, default=float("inf"), help="minutes in all: the rate falls with them")
    parser.add_argument("--save", type=Path, help="the folder of the checkpoint, written whenever the state is")
    parser.add_argument("--every", type=float, default=300.0, help="seconds from state to state")
    parser.add_argument("--processes", type=int, default=0, help="that draw for a GPU; by default all cores but two")
    parser.add_argument("--compile", action="store_true", help="have torch compile the network: a minute at first")
    parser.add_argument("--prompts", type=int, default=200, help="how many are measured")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def train(training: Training, budget: Budget, compiled: bool = False) -> bool:
    """Train, telling now and then; at the end, how fast it was. Whether all of it is done."""
    print(f"{parameters(training.model) / 1e6:.1f} million parameters on {training.device}, from step {training.step}")
    losses: list[torch.Tensor] = []
    began, first = time.monotonic(), training.step

    def told(step: int, loss: torch.Tensor) -> None:
        losses.append(loss)
        if step % 50 == 0:
            mean, pace = float(torch.stack(losses[-50:]).mean()), (step - first) / (time.monotonic() - began)
            print(f"step {step:,} after {training.seconds:.0f} s  loss {mean:.4f}  {pace:.2f} steps/s", flush=True)

    training.run(told, budget, compiled)
    done, took = training.step - first, time.monotonic() - began
    if done:
        ends = (float(torch.stack(part).mean()) for part in (losses[:10], losses[-10:]))
        print("{} steps in {:.0f} s, {:.3f} a second; loss {:.4f} to {:.4f}".format(done, took, done / took, *ends))
    return training.done(budget)


if __name__ == "__main__":
    main()
