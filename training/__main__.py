"""``python -m llmos.training``: makes the embedded kernel, step by step; each step resumes where it was stopped.

tokenizer   byte-level BPE from the corpus
pretrain    next-word prediction on plain English
finetune    assistant dialogues with tool calls
rank        the encoder that finds what was taught again
install     the result as package data in kernel/weights, with what it was taught

solve, alone, trains the solver on, with the encoder as it is.
together, alone, trains ranker, solver and model beside each other, from a checkpoint on: for a GPU lent for minutes.
browsing, alone, writes dialogues with the browser as JSON lines, for larger checkpoints.
"""

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import torch

from llmos.kernel.examples import RANKER, TAUGHT
from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.training import browsing, finetune, pretrain, rank, recall, tokenizer
from llmos.training.loop import LONG, Budget, save_weights
from llmos.training.solve import solve
from llmos.training.stories import stories, written
from llmos.training.together import together

WEIGHTS = Path(__file__).parent.parent / "kernel" / "weights"
PRETRAINING = 0.3  # share of the time
HEAD = 64  # features of an attention head
INNER = 2.75  # width of the feed-forward layers, as a multiple of the hidden size


def shape(hidden: int, layers: int) -> Qwen3Config:
    """A kernel of this size. Raises ValueError where heads do not divide it."""
    if hidden % HEAD:
        raise ValueError(f"the hidden size has to be a multiple of {HEAD}, not {hidden}")
    heads = hidden // HEAD
    return Qwen3Config(
        hidden_size=hidden,
        intermediate_size=round(INNER * hidden),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=HEAD,
        rope_theta=1e6,
    )


def install(made: Path, weights: Path = WEIGHTS) -> None:
    """Write the checkpoint directory that ships: weights in bfloat16, tokenizer, configuration, chat template."""
    from safetensors.torch import load_file

    weights.mkdir(parents=True, exist_ok=True)
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    # The window is what training has shown, not what the position tables allow.
    config["max_position_embeddings"] = LONG
    model = Qwen3(Qwen3Config.from_json(config))
    model.load_state_dict(load_file(made / "model.safetensors"), strict=False)
    save_weights(model, weights / "model.safetensors", torch.bfloat16)
    (weights / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}, indent=2) + "\n", encoding="utf-8")
    vocabulary = json.loads((made / "tokenizer.json").read_text(encoding="utf-8"))
    told = json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":"))
    (weights / "tokenizer.json").write_text(f"{told}\n", encoding="utf-8")
    template = (WEIGHTS.parent / "chat_template.jinja").read_text(encoding="utf-8")
    settings = json.loads((made / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["chat_template"] = template
    (weights / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    control = config["vocab_size"] - len(tokenizer.CONTROL)
    end, pad = (control + tokenizer.CONTROL.index(name) for name in ("<|im_end|>", "<|endoftext|>"))
    generation = {"do_sample": False, "eos_token_id": end, "pad_token_id": pad}
    recall.write(weights / TAUGHT)
    (weights / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")


def _browsing(options: argparse.Namespace) -> None:
    browsing.write(options.out / "browsing.jsonl", options.dialogues, options.seed)
    print(f"written: {options.out / 'browsing.jsonl'}")


def _solve(options: argparse.Namespace) -> None:
    told = [*written(), *(stories(options.corpus) if options.corpus else ())]
    solve(WEIGHTS, recall.taught(), told, options.minutes, options.seed)


def _together(options: argparse.Namespace) -> None:
    together(options.start, options.corpus, options.out, options.minutes, options.writers, options.seed)


ALONE = {"browsing": _browsing, "solve": _solve, "together": _together}  # steps that are no part of all


def main() -> None:
    """Run the steps asked for, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m llmos.training", description=__doc__.splitlines()[0])
    parser.add_argument(
        "step",
        nargs="?",
        default="all",
        choices=["all", "tokenizer", "pretrain", "finetune", "rank", "install", *ALONE],
    )
    parser.add_argument(
        "--corpus", type=Path, help="folder of openly licensed text (see docs); without it: phrases only"
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where checkpoints and logs go")
    parser.add_argument(
        "--minutes", type=float, default=48.0, help="training time in all, three tenths of it pretraining"
    )
    parser.add_argument("--dialogues", type=int, default=44_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=256, help=f"features of a token, a multiple of {HEAD}")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument(
        "--left-out", type=float, default=0.0, help="rank: share of the phrases to leave out and measure it on"
    )
    parser.add_argument("--start", type=Path, default=WEIGHTS, help="together: the checkpoint that is trained on")
    parser.add_argument("--writers", type=int, default=6, help="together: processes that write dialogues and thoughts")
    parser.add_argument("--go-on", action="store_true", help="rank: from the weights that ship, not from new ones")
    parser.add_argument("--rank-minutes", type=float, default=math.inf, help="rank: it ends then, whatever its steps")
    options = parser.parse_args()
    try:
        config = shape(options.hidden, options.layers)
    except ValueError as error:
        parser.error(str(error))
    if options.step in ALONE:
        ALONE[options.step](options)
        return
    torch.set_num_threads(max(1, torch.get_num_threads()))
    first, second = options.out / "pre", options.out / "tuned"
    began = time.monotonic()
    if options.step in ("all", "tokenizer") and not (first / "tokenizer.json").exists():
        tokenizer.train(first, options.corpus, config.vocab_size, options.seed)
    if options.step in ("all", "pretrain"):
        # The rate stays up: training goes on with the dialogues.
        budget = Budget(minutes=PRETRAINING * options.minutes, fall=0.0)
        pretrain.pretrain(first, options.corpus, config, budget, options.seed)
    if options.step in ("all", "finetune"):
        budget = Budget(minutes=(1 - PRETRAINING) * options.minutes)
        finetune.finetune(first, second, options.corpus, options.dialogues, budget, options.seed)
    if options.step in ("all", "rank"):
        third = options.out / "rank"
        third.mkdir(parents=True, exist_ok=True)
        known = recall.taught()
        told = [*written(), *(stories(options.corpus) if options.corpus else ())]
        begin = WEIGHTS / RANKER if options.go_on else None
        recipe = replace(rank.recipe(), left_out=options.left_out, minutes=options.rank_minutes, start=begin)
        weights = rank.train(known, third, options.seed, recipe, told)
        rank.write(weights, known, WEIGHTS / RANKER)
    if options.step in ("all", "install"):
        install(second)
    print(f"{options.step}: done in {(time.monotonic() - began) / 60:.1f} min")


if __name__ == "__main__":
    main()
