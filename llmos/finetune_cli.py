"""``llmos finetune``: tunes a checkpoint of the user's own on dialogues, comparisons or problems that can be checked.

Knows the command line; the recipe is ``training.tuning``.
"""

from pathlib import Path
from typing import Annotated

import typer

Named = Annotated[
    str, typer.Option("--model", metavar="MODEL", help="The checkpoint: a folder or a name in the cache.")
]
Data = Annotated[Path, typer.Option("--data", metavar="FILE.jsonl", help="What it learns from: llmos traces export.")]
Method = Annotated[
    str, typer.Option("--method", metavar="sft|dpo|reward|grpo", help="dialogues, comparisons, or checked answers.")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where the new checkpoint goes; else MODEL-METHOD here.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, metavar="N", help="Steps of training.")]
Batch = Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Texts a step.")]
Rate = Annotated[float, typer.Option("--rate", min=0.0, metavar="R", help="The learning rate; 0: the method's own.")]
Rank = Annotated[int, typer.Option("--lora-rank", min=1, metavar="N", help="The rank of the adapters.")]
Length = Annotated[int, typer.Option("--length", min=8, metavar="N", help="Most tokens of a text.")]
Reply = Annotated[int, typer.Option("--answer", min=1, metavar="N", help="Of grpo: most tokens of an answer.")]
Group = Annotated[int, typer.Option("--group", min=2, metavar="N", help="Of grpo: answers drawn to a prompt.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The seed of whatever is random.")]


def finetune(
    model: Named,
    data: Data,
    method: Method,
    out: Out = None,
    steps: Steps = 200,
    batch: Batch = 4,
    rate: Rate = 0.0,
    lora_rank: Rank = 16,
    length: Length = 1024,
    answer: Reply = 256,
    group: Group = 4,
    seed: Seed = 0,
) -> None:
    """Tune a checkpoint of yours with LoRA: dialogues (sft), comparisons (dpo, reward), checked answers (grpo).

    Needs pip install 'llmos[train]'. What comes out is a checkpoint folder for --model.
    """
    from llmos.training.tuning import Recipe, finetune

    folder = out or Path(f"{Path(model).expanduser().resolve().name}-{method}")
    recipe = Recipe(method, steps, batch, rate, lora_rank, seed, group, length, answer)
    last = finetune(model, data, folder, recipe)
    told = f", loss {last['loss']:.3f}" if "loss" in last else ""
    more = "a model of rewards" if method == "reward" else f'llmos run --model {folder} "REQUEST"'
    print(f"tuned: {steps} steps{told}; {more}; {folder}")
