"""The remote model against a real server: ``transformers serve`` with the embedded kernel, on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import torch

from llmos import LLMOS
from llmos.kernel.branches import TorchEngine
from llmos.kernel.codec import Codec
from llmos.kernel.config import WEIGHTS
from llmos.kernel.engine import CallMade, Delta, Finished, Sampling, TextDelta
from llmos.kernel.errors import ModelError
from llmos.kernel.lean import Lean
from llmos.kernel.openai import to_messages, to_tools
from llmos.kernel.remote import RemoteModel
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.kernel.wire import EmbeddedWire

SCHEMA = {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]}
CALCULATOR = Tool("calculator", "exact arithmetic", SCHEMA, lambda arguments, context: ToolOutput(""))
# The last are answered by calls: numbers go by names in the kernel's own prompts.
ASKED = [("what can you do?", 1), ("who are you?", 0), ("@1 plus @2", 1), ("compute &1", 1)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has loaded the embedded kernel."""
    pytest.importorskip("fastapi")
    command = Path(sys.executable).with_name("transformers")
    if not command.exists():
        pytest.skip("transformers has no command here")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("serve") / "log").open("wb+")
    line = [str(command), "serve", str(WEIGHTS), "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    server = subprocess.Popen(line, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if httpx.get(f"{base}/v1/models", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            if server.poll() is not None:
                break
            time.sleep(0.2)
        else:
            server.kill()
        if server.poll() is not None:
            log.seek(0)
            pytest.fail(f"the server did not start: {log.read().decode(errors='replace')[-600:]}")
        yield f"{base}/v1"
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def say(text: str) -> list[Message]:
    return [Message("user", (Part(text, Source("user")),))]


def shown(deltas: list[Delta]) -> tuple[str, list[tuple[str, dict[str, object]]]]:
    calls = [d.call for d in deltas if isinstance(d, CallMade)]
    text = "".join(d.text for d in deltas if isinstance(d, TextDelta))
    return text, [(c.name, dict(c.arguments)) for c in calls if isinstance(c, ToolCall)]


def test_the_server_says_what_the_engine_says(url: str) -> None:
    from transformers import AutoTokenizer

    model, wire, template = RemoteModel(url), EmbeddedWire(Codec.load(WEIGHTS)), AutoTokenizer.from_pretrained(WEIGHTS)
    engine = TorchEngine(Lean(WEIGHTS, dtype=torch.float32))
    called = 0
    for text, offered in ASKED:
        tools = [CALCULATOR][:offered]
        given = {"tools": to_tools(tools) or None, "add_generation_prompt": True}
        ids = template.apply_chat_template(to_messages(say(text)), **given)["input_ids"]
        parser = wire.parser(tools=tools)
        with closing(engine.open(ids)) as branch:
            steps = branch.decode(Sampling(max_tokens=40), stop=tuple(wire.form.stops))
            local = [d for step in steps for d in parser.feed(step.token)] + parser.finish()
        deltas = list(model.reply(say(text), tools, Sampling(max_tokens=40)))
        assert shown(deltas) == shown(local)
        called += len(shown(local)[1])
        end = deltas[-1]
        assert isinstance(end, Finished)
        assert end.prompt_tokens == len(ids)
        assert 0 < end.generated_tokens <= 41
    assert called
    model.close()


def test_text_streams_and_branches_come_side_by_side(url: str) -> None:
    model = RemoteModel(url)
    first = next(iter(model.reply(say("what can you do?"), [CALCULATOR], Sampling(max_tokens=30))))
    assert isinstance(first, TextDelta)
    assert len(first.text) < 20
    deltas = list(model.reply(say("who are you?"), [], Sampling(max_tokens=12), n=3))
    ends = [d for d in deltas if isinstance(d, Finished)]
    assert sorted(d.branch for d in ends) == [0, 1, 2]
    assert len({shown([d for d in deltas if d.branch == n])[0] for n in range(3)}) == 1
    model.close()


def test_a_reply_ends_at_its_limit(url: str) -> None:
    model = RemoteModel(url)
    end = list(model.reply(say("what can you do?"), [CALCULATOR], Sampling(max_tokens=3)))[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.generated_tokens) == ("length", 3)
    model.close()


def test_a_whole_system_runs_on_it(url: str, tmp_path: Path) -> None:
    with LLMOS(model=url, home=tmp_path) as system:
        assert system.run("who are you?").text


def test_a_model_that_the_server_lacks_is_told(url: str) -> None:
    with pytest.raises(ModelError, match="has no model other"):
        RemoteModel(f"{url}#other")
