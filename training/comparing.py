"""Comparisons for the embedded kernel: a better and a worse end of a request as it meets them, and a loop over them.

They come from files (see chats: what ``llmos traces export`` writes of feedback, and votes in the same form), or are
made of the dialogues of the recipe, the worse end then being a wrong expression or what another request was answered.
What a step costs is for :mod:`prefer` and :mod:`reward` to say. The loop stops and resumes.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from llmos.kernel.aliases import Aliases
from llmos.kernel.codec import Codec
from llmos.kernel.errors import ModelError, UsageError
from llmos.kernel.examples import TAUGHT, Memory
from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.kernel.wire import render_training
from llmos.training import chats
from llmos.training.chats import Said
from llmos.training.curves import Curves
from llmos.training.device import device
from llmos.training.dialogues import dialogues, system_message, tools
from llmos.training.loop import LONG, Document

SAVED, TOLD = 50, 10  # steps from one checkpoint to the next, and from one line of the log
WARM = 10  # steps
COPIED = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")
_SIGNS = {"+": "-", "-": "+", "*": "/", "/": "*"}


@dataclass(frozen=True)
class Plan:
    """``steps`` of ``batch`` comparisons at a ``rate``; ``held``: share of the prompts that are measured instead."""

    steps: int = 200
    batch: int = 8
    rate: float = 2e-5
    held: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Compared:
    """A better and a worse document, and what they have in common by name; only the ends count."""

    name: str
    chosen: Document
    rejected: Document


@dataclass(frozen=True)
class Ends:
    """A better and a worse end of a request, as messages."""

    prompt: Sequence[Message]
    chosen: Sequence[Message]
    rejected: Sequence[Message]


Cost = Callable[[Sequence[Compared]], tuple[Tensor, Mapping[str, float]]]


def message(said: Said) -> Message:
    """A message of a chat as the kernel has it."""
    role = said["role"]
    calls = tuple(
        ToolCall(str(c.get("id") or f"c{n}"), c["function"]["name"], c["function"]["arguments"])
        for n, c in enumerate(said.get("tool_calls") or (), 1)
    )
    parts = (Part(said["content"], Source("kernel" if role == "assistant" else role)),) if said["content"] else ()
    return Message(role, parts, calls, str(said.get("tool_call_id") or ""))


def read(paths: Sequence[Path]) -> list[Ends]:
    """The comparisons of files. Raises UsageError for a file that holds none."""
    found = []
    for path in paths:
        some = chats.pairs(chats.read(path))
        if not some:
            raise UsageError(f"{path} holds no comparison: prompt with chosen and rejected, or good and bad ends")
        for one in some:
            asked = [message(m) for m in one.prompt if m["role"] != "system"]
            found.append(Ends(asked, [message(m) for m in one.chosen], [message(m) for m in one.rejected]))
    return found


def made(count: int, seed: int) -> list[Ends]:
    """So many comparisons of the recipe's dialogues: the first call or answer, against a worse one."""
    rng, firsts = random.Random(seed), list[tuple[Message, Message]]()
    for group in dialogues(2 * count, seed):
        firsts += [(talk[0], talk[1]) for talk in group if talk[1].role == "assistant"]
    found: list[Ends] = []
    for asked, said in firsts:
        other = rng.choice(firsts)[1]
        worse = _wrong(said, rng) if rng.random() < 0.5 else None
        worse = worse or (other if _kind(other) != _kind(said) else None)
        if worse is not None and len(found) < count:
            found.append(Ends([asked], [said], [worse]))
    return found


def _wrong(said: Message, rng: random.Random) -> Message | None:
    """A call of the calculator with one sign of its expression turned; None where there is none to turn."""
    call = next((c for c in said.calls if isinstance(c, ToolCall) and c.name == "calculator"), None)
    if call is None:
        return None
    text = str(call.arguments.get("expression", ""))
    signs = [m.start() for m in re.finditer(r"(?<=[\w%)] )[-+*/](?= [\w(])", text)]
    if not signs:
        return None
    at = rng.choice(signs)
    turned = {**call.arguments, "expression": text[:at] + _SIGNS[text[at]] + text[at + 1 :]}
    return replace(said, calls=(replace(call, arguments=turned),))


def _kind(said: Message) -> str:
    """What an answer does: the tool that it calls, or its words."""
    return next((c.name for c in said.calls if isinstance(c, ToolCall)), said.text)


def encoded(every: Sequence[Ends], folder: Path) -> list[Compared]:
    """Comparisons as the kernel in a folder meets them, with short names and examples; those that fit its window."""
    codec, memory = Codec.load(folder), Memory(folder / TAUGHT)
    told, found = tools(), list[Compared]()
    for ends in every:
        start = [system_message(), *ends.prompt]
        name = json.dumps([m.text for m in ends.prompt])
        sides = []
        for end in (ends.chosen, ends.rejected):
            heard = Aliases([*start, *end], memory).messages
            first = len(render_training(heard[: len(start)], told, codec)[0])
            ids, own = render_training(heard, told, codec)
            sides.append((ids, [False] * first + own[first:]))
        if all(len(ids) <= LONG and any(own) for ids, own in sides) and sides[0] != sides[1]:
            found.append(Compared(name, *sides))
    return found


def apart(every: Sequence[Compared], share: float, seed: int) -> tuple[list[Compared], list[Compared]]:
    """Comparisons to train on and to measure, no prompt among both. Raises UsageError where one side stays empty."""
    names = sorted({one.name for one in every})
    random.Random(f"held-{seed}").shuffle(names)
    held = set(names[: max(1, round(share * len(names)))])
    parts = [one for one in every if one.name not in held], [one for one in every if one.name in held]
    if not all(parts):
        raise UsageError("there are too few comparisons: some to train on and some to measure are needed")
    return parts


def load(folder: Path) -> Qwen3:
    """The kernel of a folder, in fp32, on the device. Raises ModelError."""
    from safetensors.torch import load_file

    from llmos.kernel.checkpoint import read_json

    try:
        model = Qwen3(Qwen3Config.from_json(read_json(folder / "config.json")))
        state = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
        model.load_state_dict(state, strict=False)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{folder} holds no kernel: {why}") from error
    return model.to(device())


def padded(documents: Sequence[Document]) -> tuple[Tensor, Tensor]:
    """Ids of one batch, ``(n, longest)``, padded at the end, and which of them count."""
    longest = max(len(ids) for ids, _ in documents)
    ids, own = torch.zeros(len(documents), longest, dtype=torch.long), torch.zeros(len(documents), longest)
    for n, (tokens, counts) in enumerate(documents):
        ids[n, : len(tokens)], own[n, : len(tokens)] = torch.tensor(tokens), torch.tensor(counts, dtype=torch.float)
    return ids.to(device()), own.to(device())


def batches(documents: Sequence[Document], size: int = 16) -> Iterator[list[int]]:
    """The places of documents of like length together."""
    order = sorted(range(len(documents)), key=lambda n: len(documents[n][0]))
    yield from (order[i : i + size] for i in range(0, len(order), size))


def train(model: nn.Module, pairs: Sequence[Compared], cost: Cost, out: Path, plan: Plan) -> Curves:
    """Train a model by what a batch of comparisons costs; goes on from ``out/state.pt``, logs there."""
    torch.manual_seed(plan.seed)
    curves, saved, rng = Curves(out), out / "state.pt", random.Random(plan.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=0.0)
    step = _resume(model, optimiser, saved, rng)
    while step < plan.steps:
        batch = rng.choices(pairs, k=plan.batch)
        share = min(1.0, (step + 1) / WARM) * max(0.05, 1 - step / plan.steps)
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * share
        lost, told = cost(batch)
        optimiser.zero_grad()
        lost.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % TOLD == 0 or step in (1, plan.steps):
            curves.tell({"step": step, "loss": lost.item(), **told})
        if step % SAVED == 0 or step == plan.steps:
            state = {"step": step, "rng": rng.getstate(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "model": model.state_dict()}, saved.with_suffix(".part"))
            saved.with_suffix(".part").replace(saved)
    return curves


def _resume(model: nn.Module, optimiser: torch.optim.Optimizer, saved: Path, rng: random.Random) -> int:
    """Take up a checkpoint if there is one; its step."""
    if not saved.exists():
        return 0
    state = torch.load(saved, map_location=device(), weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    rng.setstate(state["rng"])
    return int(state["step"])
