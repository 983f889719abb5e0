"""A checkpoint on this machine as a Model: wire + engine + grammar. The embedded kernel is the default.

Several sessions and threads may share one model, which decodes for all of them at once. Knows nothing of sessions or
tools' effects. ``remote`` and ``scripted`` are the other kinds of Model.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmos.kernel.aliases import Aliases
from llmos.kernel.branches import TorchEngine
from llmos.kernel.codec import Codec
from llmos.kernel.config import EMBEDDED, WEIGHTS, int8_wanted
from llmos.kernel.draws import Heads, draw
from llmos.kernel.engine import Branch, Delta, Finished, Sampling, Step, TextDelta
from llmos.kernel.errors import BudgetError, ModelError
from llmos.kernel.examples import TAUGHT, Memory
from llmos.kernel.grammar import Grammars
from llmos.kernel.holds import common_prefix
from llmos.kernel.outward import Outward
from llmos.kernel.parse import Parser, in_thought, text_of
from llmos.kernel.pointers import Pointers
from llmos.kernel.search import beam, most_probable
from llmos.kernel.stores import Net
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message, Part, Source
from llmos.kernel.wire import CONTROL, EmbeddedWire, Wire

READ = 256  # tokens of a request that are looked at for what is improbable
HEAVY = 1_500_000_000  # parameters from which on a CPU takes too long for that
TEMPLATE = Path(__file__).parent / "chat_template.jinja"


class LocalModel:
    """A checkpoint folder, a name on the Hugging Face hub, or (default) the embedded kernel.

    ``device`` is ``cpu``, ``cuda``, … or ``auto``; ``context_length`` narrows the window; ``net`` takes the place of
    the checkpoint's own network; ``int8`` computes with weights of a byte each (default: where ``$LLMOS_INT8`` is 1).
    Raises ModelError when it cannot be loaded, or when its chat template and our reading of it disagree.
    """

    def __init__(
        self,
        path_or_name: str | Path = WEIGHTS,
        device: str = "auto",
        context_length: int | None = None,
        net: Net | None = None,
        int8: bool | None = None,
    ) -> None:
        folder = find(path_or_name)
        self._folder = folder
        self._name = EMBEDDED if folder == WEIGHTS else str(path_or_name)
        self.wire: Wire = load_wire(folder)
        net = net or load_net(folder, pick_device(device), int8_wanted() if int8 is None else int8)
        # The embedded kernel's replies are short and mostly forced; guesses are for larger ones.
        self.engine = TorchEngine(net, context_length, lookup=folder != WEIGHTS)
        self.grammars = Grammars(self.wire.codec, self.wire.form, net.info.vocabulary)
        self._window = min(context_length or net.info.context_length, net.info.context_length)

    @property
    def name(self) -> str:
        """What it was asked for by."""
        return self._name

    @property
    def context_length(self) -> int:
        """The most tokens a prompt and its reply may have together."""
        return self._window

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        """The exact number of prompt tokens."""
        return len(self.wire.render(messages, tools))

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """Stream ``n`` branches, a token of each in turn. Raises BudgetError when the prompt does not fit."""
        ids = self.wire.render(messages, tools)
        with closing(self.engine.open(ids)) as root:
            branches: list[Branch] = [root] if n == 1 else root.fork(n)
            aliases = self.wire.aliases(messages, tools) if isinstance(self.wire, EmbeddedWire) else None
            turns = [self._turn(b, i, tools, sampling, len(ids), aliases) for i, b in enumerate(branches)]
            try:
                while turns:
                    for turn in list(turns):
                        deltas = next(turn, None)
                        if deltas is None:
                            turns.remove(turn)
                        else:
                            yield from deltas
            finally:
                for turn in turns:
                    turn.close()
                for branch in branches:
                    branch.close()

    def score(
        self, messages: Sequence[Message], tools: Sequence[Tool], continuations: Sequence[str]
    ) -> list[list[float]]:
        """The log-probability (nats) of each token of each text, were it the beginning of the next turn."""
        with closing(self.engine.open(self.wire.render(messages, tools))) as root:
            return root.score([self.wire.codec.encode(text) for text in continuations])

    def likeliest(self, messages: Sequence[Message], choices: Sequence[str], bound: int = 256) -> tuple[str, float]:
        """Of ``choices`` the most probable whole reply, and its log-probability (nats): every way to write each counts.

        Raises BudgetError where ``bound`` beginnings do not decide it.
        """
        stops = tuple(self.wire.form.stops)
        with closing(self.engine.open(self.wire.render(messages, ()))) as root:
            found = most_probable(self.engine, root, stops, self.grammars.choices(choices), bound)
        if not found.whole:
            raise BudgetError(f"{bound} beginnings do not decide among {len(choices)} choices; allow more", "tokens")
        return self._told(found.ids), found.logprob

    def beam(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), width: int = 4, most: int = 64
    ) -> list[tuple[str, float]]:
        """The ``width`` best replies of a beam, best first, with their log-probabilities (nats).

        ``most`` tokens each; calls are told as text.
        """
        ids = self.wire.render(messages, tools)
        rules = self.grammars.turn(tools, in_thought(ids, self.wire.form))
        with closing(self.engine.open(ids)) as root:
            found = beam(self.engine, root, tuple(self.wire.form.stops), width, most, rules)
        return [(self._told(one.ids), one.logprob) for one in found]

    def ids(self, text: str) -> list[int]:
        """The token ids of a text, for ``Sampling.bias``."""
        return self.wire.codec.encode(text)

    def _told(self, ids: Sequence[int]) -> str:
        parser = self.wire.parser()
        return text_of([*(d for i in ids for d in parser.feed(i)), *parser.finish()])

    def glance(self, prompts: Sequence[Sequence[Message]], continuations: Sequence[str]) -> list[list[float]]:
        """The log-probability (nats) of the first token of each text, were it to begin the next turn of each prompt.

        All prompts are computed together. Raises ValueError where two texts begin with the same token.
        """
        first = [self.wire.codec.encode(text)[0] for text in continuations]
        if len(set(first)) < len(first):
            raise ValueError("these begin with the same token; score them")
        if not prompts:
            return []
        branches = [self.engine.open(self.wire.render(messages, ())) for messages in prompts]
        try:
            logits = self.engine.logits(branches)
            return (logits[:, first] - logits.logsumexp(1, keepdim=True)).tolist()
        finally:
            for branch in branches:
                branch.close()

    def distinct(
        self,
        prompts: Sequence[Sequence[Message]],
        n: Sequence[int],
        most: int,
        seeds: Sequence[int | None],
        temperature: float = 1.0,
        more: Callable[[int], bool] = lambda tokens: True,
        apart: bool = False,
        heads: Sequence[Sequence[str]] = (),
    ) -> list[list[tuple[str, float]]]:
        """At most so many (``n``) different texts in reply to each prompt, each with its log-probability (nats).

        ``heads`` are what those to each prompt may begin with. See :func:`llmos.kernel.draws.draw`.
        """
        stops, codec = self.wire.form.stops, self.wire.codec
        asked = [self.wire.render(messages, ()) for messages in prompts]
        held = [Heads(codec.encode(text) for text in some) for some in heads]
        found = draw(self.engine, asked, n, most, tuple(stops), seeds, temperature, more, apart, held)
        return [[(codec.decode(one.ids[:-1]), one.logprob) for one in row] for row in found]

    @property
    def fingerprint(self) -> str:
        """A name that changes with the weights."""
        files = sorted(self._folder.glob("*.safetensors"))
        return " ".join([str(self._folder), *(f"{f.stat().st_size}-{f.stat().st_mtime_ns}" for f in files)])

    def logprobs(self, text: str) -> list[float]:
        """The log-probability (nats) of each token of a text that a user says, at most its last :data:`READ`.

        Of the text alone, as the first words of a conversation. Empty where the network does not tell, or slowly.
        """
        info = self.engine.info
        if info.device == "cpu" and info.parameters > HEAVY:
            return []
        # The text as it is, without what is recalled beside it.
        wire = EmbeddedWire(self.wire.codec) if isinstance(self.wire, EmbeddedWire) else self.wire
        ids, blank = (wire.render([Message("user", (Part(t, Source("user")),))], ()) for t in (text, ""))
        start = common_prefix(ids, blank)
        end = len(ids) - common_prefix(ids[start:][::-1], blank[start:][::-1])
        told = [*ids[:start], *ids[start:end][-READ:]]
        if not start or len(told) >= self._window:
            return []
        return self.engine.scores(told)[start - 1 :]

    def close(self) -> None:
        """Free what the engine keeps."""
        self.engine.close()

    def _turn(
        self,
        branch: Branch,
        number: int,
        tools: Sequence[Tool],
        sampling: Sampling,
        prompt: int,
        aliases: Aliases | None,
    ) -> "_Turn":
        # The embedded kernel names what stands in the context; larger models are left free.
        pointers = None if aliases is None else Pointers(self.grammars.vocabulary, aliases)
        outward = None if aliases is None else Outward(aliases)
        thinking = in_thought(branch.ids, self.wire.form)
        free = sampling.calls and not (sampling.choices or sampling.schema)
        tools = tools if free else ()
        if sampling.choices:
            grammar = self.grammars.choices(sampling.choices)
        elif sampling.schema:
            grammar = self.grammars.value(sampling.schema)
        else:
            grammar = self.grammars.turn(tools, thinking, pointers, sampling.marks)
        # Branches of one request differ by their seeds, and each is the same whatever runs beside it.
        own = replace(sampling, seed=sampling.seed + number)
        steps = branch.decode(own, grammar, tuple(self.wire.form.stops))
        parser = self.wire.parser(number, thinking, tools)
        end = Finished("", prompt, branch=number)
        return _Turn(parser, steps, self.wire.form.stops, StopStrings(sampling.stop, number), end, outward)


class _Turn:
    """One branch's reply as it is decoded: each ``next`` is one token's deltas."""

    def __init__(
        self,
        parser: Parser,
        steps: Iterator[Step],
        stops: frozenset[int],
        cut: "StopStrings",
        end: Finished,
        outward: Outward | None,
    ) -> None:
        self._parser = parser
        self._steps = steps
        self._stops = stops
        self._cut = cut
        self._end = end
        self._outward = outward

    def __iter__(self) -> "_Turn":
        return self

    def __next__(self) -> list[Delta]:
        if self._steps is _NONE:
            raise StopIteration
        step = next(self._steps, None)
        if step is None:
            return self._finish("length")
        end = self._end
        self._end = replace(end, generated_tokens=end.generated_tokens + 1, logprob=end.logprob + step.logprob)
        if step.token in self._stops:
            return self._finish("stop")
        out = self._cut.feed(self._told(self._parser.feed(step.token)))
        return [*out, *self._close("stop")] if self._cut.hit else out

    def close(self) -> None:
        """Stop decoding."""
        if hasattr(self._steps, "close"):
            self._steps.close()
        self._steps = _NONE

    def _finish(self, reason: str) -> list[Delta]:
        rest = self._told(self._parser.finish())
        out = self._cut.feed([*rest, *(self._outward.flush(self._end.branch) if self._outward else [])])
        return [*out, *([] if self._cut.hit else self._cut.flush()), *self._close(reason)]

    def _told(self, deltas: list[Delta]) -> list[Delta]:
        return self._outward.feed(deltas) if self._outward is not None else deltas

    def _close(self, reason: str) -> list[Delta]:
        self.close()
        return [replace(self._end, reason=reason)]


_NONE: Iterator[Step] = iter(())


class StopStrings:
    """Cuts text at the first of ``stop``; holds back what may be the beginning of one. ``hit`` once it has cut."""

    def __init__(self, stop: Sequence[str], branch: int = 0) -> None:
        self._stop = [s for s in stop if s]
        self._branch = branch
        self._held = ""
        self.hit = False

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        """The deltas that may be shown now."""
        if self.hit or not self._stop:
            return [] if self.hit else deltas
        out: list[Delta] = []
        for delta in deltas:
            if not isinstance(delta, TextDelta):
                out += [*self.flush(), delta]
                continue
            text = self._held + delta.text
            found = [at for at in (text.find(s) for s in self._stop) if at >= 0]
            if found:
                self.hit, self._held = True, text[: min(found)]
                return [*out, *self.flush()]
            keep = max(n for s in self._stop for n in range(len(s)) if text.endswith(s[:n]))
            self._held = text[len(text) - keep :]
            out += self._text(text[: len(text) - keep])
        return out

    def flush(self) -> list[Delta]:
        """What was held back, at the end."""
        held, self._held = self._held, ""
        return self._text(held)

    def _text(self, text: str) -> list[Delta]:
        return [TextDelta(text, self._branch)] if text else []


def find(path_or_name: str | Path) -> Path:
    """The folder of a checkpoint; a name is looked up in the hub's cache, then downloaded. Raises ModelError."""
    folder = Path(path_or_name).expanduser()
    if folder.is_dir():
        return folder
    if folder == WEIGHTS:
        raise ModelError("the embedded kernel's weights are missing: reinstall llmos, or train them with training/")
    name = str(path_or_name)
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(f"no checkpoint at {name}: give a folder, or a hub name such as Qwen/Qwen3-4B")
    return _download(name)


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = ["*.safetensors", "*.json", "*.jinja"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=True))
    except Exception:
        try:
            return Path(snapshot_download(name, allow_patterns=patterns))
        except Exception as error:  # network, name, licence: the hub has an exception for each
            line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(f"{name} is no folder here and cannot be downloaded: {line}") from error


def load_wire(folder: Path) -> Wire:
    """The embedded format where the checkpoint is written in it, else its family's own, proved. Raises ModelError."""
    from llmos.kernel.template import chat_template

    codec = Codec.load(folder)
    template = chat_template(folder)
    if all(name in codec.control for name in CONTROL) and template in ("", TEMPLATE.read_text(encoding="utf-8")):
        return EmbeddedWire(codec, Memory(folder / TAUGHT))
    from llmos.kernel.families import TemplateWire

    return TemplateWire.load(folder, codec, template)


def load_net(folder: Path, device: str, int8: bool = False) -> Any:
    """The lean forward pass for Llama-like checkpoints, transformers for all else. Raises ModelError."""
    from llmos.kernel.lean import Lean
    from llmos.kernel.shape import Shape

    try:
        Shape.read(folder)
    except (ValueError, KeyError, TypeError):
        from llmos.kernel.fallback import TransformersNet

        return TransformersNet(folder, device)
    return Lean(folder, device, int8=int8)


def pick_device(device: str) -> str:
    """``auto`` is CUDA where there is one, else the CPU."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def describe(model: Any) -> str:
    """One line on how a model was loaded, for ``llmos doctor``."""
    info = model.engine.info
    return f"{model.name}: {info.parameters / 1e6:.1f}M parameters, {info.dtype} on {info.device}, {info.notes[0]}"
