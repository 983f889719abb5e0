"""Fine-tunes a checkpoint of one's own with LoRA, by trl and peft: ``llmos finetune``.

Low-rank adapters (Hu et al. 2021, "LoRA") are trained beside the frozen weights and put into them at the end, so that
what comes out is an ordinary checkpoint. Texts are written by the checkpoint's own chat template. Nothing is
downloaded and nothing is sent: the hub is off, and so is what trl would tell it. The embedded kernel has loops of its
own: see prefer and improve.
"""

import importlib.util
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.kernel.errors import ModelError, UsageError
from llmos.training import chats, outcomes
from llmos.training.chats import Said
from llmos.training.curves import Curves

METHODS = ("sft", "dpo", "reward", "grpo")
RATES = {"sft": 2e-4, "dpo": 5e-5, "reward": 1e-4, "grpo": 5e-5}
NEEDED = ("trl", "peft", "datasets", "transformers")
INSTALL = "pip install 'llmos[train]'"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint is tuned. ``rate`` 0 is the method's own; ``group``: answers drawn to a prompt (grpo);
    ``length``: most tokens of a text, ``answer`` of a drawn answer; ``beta``: how near to the start dpo stays."""

    method: str
    steps: int = 200
    batch: int = 4
    rate: float = 0.0
    rank: int = 16
    seed: int = 0
    group: int = 4
    length: int = 1024
    answer: int = 256
    beta: float = 0.1


def finetune(model: str, data: Path, out: Path, recipe: Recipe) -> dict[str, float]:
    """Tune a checkpoint on a file into ``out``: a checkpoint, ``adapter``, ``log.jsonl`` and ``curves.png``.

    Returns the last numbers of the log. Raises UsageError for data that cannot be used, a method that is none, an
    ``out`` that is not empty or a missing extra; ModelError for a model that is no checkpoint here.
    """
    if recipe.method not in METHODS:
        raise UsageError(f"there is no method {recipe.method!r}; there are: {', '.join(METHODS)}")
    rows = chats.read(data)
    usable(rows, data, recipe.method)
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UsageError(f"{lacking[0]} is not installed; install what training needs: {INSTALL}")
    folder = checkpoint(model)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; give another --out")
    alone()
    tokenizer = load_tokenizer(folder)
    made = written(rows, data, tokenizer, recipe.method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what trl still asks transformers for
        return _train(folder, tokenizer, made, out, recipe, Curves(out))


def usable(rows: Sequence[chats.Row], data: Path, method: str) -> None:
    """Raises UsageError where a file holds nothing for a method, or an outcome that cannot be checked."""
    wanted = {
        "sft": (chats.ends(rows), "dialogue: messages that are not judged bad, or prompt with chosen or completion"),
        "dpo": (chats.pairs(rows), "comparison: prompt with chosen and rejected, or good and bad ends of one request"),
        "reward": (chats.pairs(rows), "comparison: prompt with chosen and rejected"),
        "grpo": (chats.checked(rows), "prompt whose answer can be checked: prompt with expect"),
    }
    found, what = wanted[method]
    if not found:
        raise UsageError(f"{data} holds no {what}; {method} learns from these alone")
    for row in chats.checked(rows) if method == "grpo" else ():
        if row.expect is not None and (why := outcomes.problem(row.expect)):
            raise UsageError(f"{data}, line {row.line}: {why}")


def checkpoint(model: str) -> Path:
    """The folder of a checkpoint that is on this machine. Raises ModelError for what is none."""
    from llmos.kernel.checkpoint import read_json
    from llmos.kernel.config import EMBEDDED

    if model == EMBEDDED:
        raise ModelError("the embedded kernel is trained by python -m llmos.training; finetune takes other checkpoints")
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = _cached(model)
    read_json(folder / "config.json")
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"no safetensors in {folder}; llmos loads no other format")
    return folder


def _cached(name: str) -> Path:
    """A checkpoint of the hub's cache. Raises ModelError."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:  # a wrong name, nothing kept: the hub has an exception for each
        raise ModelError(f"no checkpoint at {name}: give a folder that holds one; nothing is downloaded") from error


def alone() -> None:
    """Keep the hub's client from the network, whether it is loaded already or not, and transformers quiet."""
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TRL_EXPERIMENTAL_SILENCE"):
        os.environ[name] = "1"
    from huggingface_hub import constants
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    constants.HF_HUB_OFFLINE = constants.HF_HUB_DISABLE_TELEMETRY = True


def load_tokenizer(folder: Path) -> Any:
    """The checkpoint's tokenizer. Raises ModelError where it has none or no chat template."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers has many for a folder without a tokenizer
        raise ModelError(f"the tokenizer in {folder} cannot be loaded: {str(error).splitlines()[0]}") from error
    if not tokenizer.chat_template:
        raise ModelError(f"{folder} has no chat template; finetune takes checkpoints that hold dialogues")
    if tokenizer.eos_token is None:
        raise ModelError(f"the tokenizer in {folder} names no end of a turn (eos_token)")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def written(rows: Sequence[chats.Row], data: Path, tokenizer: Any, method: str) -> Rows:
    """What trl is given: texts by the chat template. Raises UsageError for a dialogue that it cannot write."""
    made: Rows = []
    if method == "sft":
        for end in chats.ends(rows):
            prompt, said = _texts(end, end.said, data, tokenizer)
            made.append({"prompt": prompt, "completion": said})
    elif method == "grpo":
        for row in chats.checked(rows):
            prompt = _text(row, row.prompt, data, tokenizer, True)
            made.append({"prompt": prompt, "expect": json.dumps(row.expect)})
    else:
        for pair in chats.pairs(rows):
            prompt, chosen = _texts(pair, pair.chosen, data, tokenizer)
            _, rejected = _texts(pair, pair.rejected, data, tokenizer)
            whole = {"chosen": prompt + chosen, "rejected": prompt + rejected}
            made.append(whole if method == "reward" else {"prompt": prompt, "chosen": chosen, "rejected": rejected})
    return made


def _texts(one: chats.End | chats.Pair, said: Sequence[Said], data: Path, tokenizer: Any) -> tuple[str, str]:
    """A prompt and what is said after it."""
    prompt = _text(one, one.prompt, data, tokenizer, True)
    whole = _text(one, (*one.prompt, *said), data, tokenizer, False)
    if not whole.startswith(prompt):
        raise UsageError(f"{data}, line {one.line}: the chat template writes the prompt otherwise when more follows it")
    # What a template writes after the end of a turn is not the assistant's to say.
    return prompt, whole[len(prompt) :].rstrip()


def _text(
    one: chats.End | chats.Pair | chats.Row, messages: Sequence[Said], data: Path, tokenizer: Any, asks: bool
) -> str:
    """Messages by the chat template, without the mark that the tokenizer puts first by itself."""
    try:
        text = str(
            tokenizer.apply_chat_template(
                [dict(m) for m in messages],
                tools=[dict(t) for t in one.tools] or None,
                tokenize=False,
                add_generation_prompt=asks,
            )
        )
    except Exception as error:  # a template is a program of its own
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{data}, line {one.line}: the chat template does not take it: {why}") from error
    first = tokenizer.bos_token
    begins = bool(first) and tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]
    return text.removeprefix(first) if begins else text


def _train(folder: Path, tokenizer: Any, made: Rows, out: Path, recipe: Recipe, curves: Curves) -> dict[str, float]:
    """Run trl's trainer of the method and write the checkpoint."""
    import torch
    from datasets import Dataset, disable_progress_bars
    from peft import LoraConfig, TaskType

    disable_progress_bars()
    torch.manual_seed(recipe.seed)  # the head of a reward model begins at random
    scores = recipe.method == "reward"
    model = load_model(folder, scores, tokenizer)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        target_modules="all-linear",
        task_type=TaskType.SEQ_CLS if scores else TaskType.CAUSAL_LM,
        modules_to_save=["score"] if scores else None,
    )
    trainer = _trainer(recipe)(
        model=model,
        args=arguments(recipe, out, torch.cuda.is_available()),
        train_dataset=Dataset.from_list(made),
        processing_class=tokenizer,
        peft_config=config,
        callbacks=[_teller(curves)],
        **({"reward_funcs": [rewards]} if recipe.method == "grpo" else {}),
    )
    trainer.train()
    trainer.model.save_pretrained(out / "adapter")
    merged = trainer.model.merge_and_unload()
    merged.save_pretrained(out)
    tokenizer.save_pretrained(out)
    curves.draw()
    last: dict[str, float] = {}
    for point in curves.points():
        last |= {k: float(str(v)) for k, v in point.items() if isinstance(v, int | float)}
    return last


def load_model(folder: Path, scores: bool, tokenizer: Any) -> Any:
    """The checkpoint to train, with a head for one score where it ``scores``. Raises ModelError."""
    import torch
    import transformers

    kind = transformers.AutoModelForSequenceClassification if scores else transformers.AutoModelForCausalLM
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    more = {"num_labels": 1} if scores else {}
    try:
        model = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=dtype, **more)
    except Exception as error:  # transformers has many for weights that do not fit
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{folder} cannot be loaded: {why}") from error
    model.config.pad_token_id = tokenizer.pad_token_id
    return model


def _trainer(recipe: Recipe) -> Callable[..., Any]:
    import trl

    name = {"sft": "SFTTrainer", "dpo": "DPOTrainer", "reward": "RewardTrainer", "grpo": "GRPOTrainer"}[recipe.method]
    trainer: Callable[..., Any] = getattr(trl, name)
    return trainer


def arguments(recipe: Recipe, out: Path, gpu: bool) -> Any:
    """The configuration that trl takes for a method."""
    import trl

    common: dict[str, Any] = {
        "output_dir": str(out),
        "max_steps": recipe.steps,
        "per_device_train_batch_size": recipe.batch,
        "learning_rate": recipe.rate or RATES[recipe.method],
        "lr_scheduler_type": "cosine",
        "seed": recipe.seed,
        "report_to": "none",
        "push_to_hub": False,
        "save_strategy": "no",
        "logging_steps": max(1, recipe.steps // 40),
        "disable_tqdm": True,
        "bf16": gpu,
        "use_cpu": not gpu,
        "gradient_checkpointing": gpu,
        "dataloader_pin_memory": gpu,
    }
    if recipe.method == "sft":
        return trl.SFTConfig(**common, max_length=recipe.length, completion_only_loss=True)
    if recipe.method == "dpo":
        return trl.DPOConfig(**common, max_length=recipe.length, beta=recipe.beta)
    if recipe.method == "reward":
        return trl.RewardConfig(**common, max_length=recipe.length)
    # A step's answers are whole groups.
    common["per_device_train_batch_size"] = recipe.group * max(1, recipe.batch // recipe.group)
    return trl.GRPOConfig(**common, num_generations=recipe.group, max_completion_length=recipe.answer)


def rewards(completions: Sequence[str], expect: Sequence[str], **rest: Any) -> list[float]:
    """1 for each answer that is right, else 0."""
    return [float(outcomes.right(text, json.loads(one))) for text, one in zip(completions, expect, strict=True)]


def _teller(curves: Curves) -> Any:
    """What writes trl's log as ours."""
    from transformers import TrainerCallback

    class Teller(TrainerCallback):  # type: ignore[misc]
        """Writes the numbers of each log."""

        def on_log(
            self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **rest: Any
        ) -> None:
            """One point."""
            kept = {k: v for k, v in (logs or {}).items() if isinstance(v, int | float)}
            curves.tell({"step": state.global_step, **kept})

    return Teller()
