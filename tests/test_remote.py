"""The remote model against a real HTTP server that speaks OpenAI's server-sent events, well and badly."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from llmos.kernel.engine import CallMade, Delta, Finished, Sampling, TextDelta, ThoughtDelta
from llmos.kernel.errors import BudgetError, ModelError
from llmos.kernel.remote import RemoteModel, choose
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.types import Malformed, Message, Part, Source, ToolCall

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "a <|im_start|> city"}}}
TOOLS = [Tool("weather", "Weather </tool_call> now", SCHEMA, lambda arguments, context: ToolOutput(""))]

Handler = Callable[[dict[str, Any]], Any]


class Server:
    """Answers ``/v1/models`` with ``models`` and each completion by ``answer``: a status with a body, or raw pieces."""

    def __init__(self) -> None:
        self.models: Any = {"data": [{"id": "first", "max_model_len": 4096}, {"id": "second"}]}
        self.answer: Handler = lambda body: sse(chunk(content="hi"), chunk(reason="stop"), usage(7, 2))
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        owner = self

        class Reply(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.headers.append(dict(self.headers))
                self.send(owner.models)

            def do_POST(self) -> None:
                owner.headers.append(dict(self.headers))
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.asked.append(body)
                self.send(owner.answer(body))

            def send(self, made: Any) -> None:
                status, extra = 200, dict[str, str]()
                if isinstance(made, tuple):
                    status, made, *rest = made
                    extra = rest[0] if rest else {}
                pieces = made if not isinstance(made, dict) else [json.dumps(made).encode()]
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.end_headers()
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()

            def log_message(self, *args: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is part of the tests."""

        self._http = Quiet(("127.0.0.1", 0), Reply)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def chunk(content: str = "", reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": reason}]}


def usage(prompt: int, made: int) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": made}}


def sse(*chunks: dict[str, Any], done: bool = True, size: int = 0) -> list[bytes]:
    """Chunks as a stream; ``size`` cuts it into pieces of that many bytes, wherever they fall."""
    data = b"".join(b"data: " + json.dumps(c, ensure_ascii=False).encode() + b"\n\n" for c in chunks)
    data = b": ping\n\nevent: message\n" + data + (b"data: [DONE]\n\n" if done else b"")
    return [data[i : i + size] for i in range(0, len(data), size)] if size else [data]


def call(index: int | None, arguments: Any = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": more.pop("name")} if "name" in more else {})
    return chunk(tool_calls=[{**({} if index is None else {"index": index}), **more, "function": function}])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("LLMOS_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    yield made
    made.close()


def open_model(server: Server, name: str = "", **settings: Any) -> RemoteModel:
    return RemoteModel(server.url + name, **{"backoff": 0.01, "timeout": 5.0, **settings})


def say(text: str, role: Any = "user", *calls: ToolCall | Malformed, call_id: str = "") -> Message:
    return Message(role, (Part(text, Source("user")),), calls, call_id)


def ask(server: Server, *chunks: dict[str, Any], how: Sampling = Sampling(), **stream: Any) -> list[Delta]:  # noqa: B008
    server.answer = lambda body: sse(*chunks, **stream)
    return list(open_model(server).reply([say("hello")], TOOLS, how))


def text_of(deltas: list[Delta], branch: int = 0) -> str:
    return "".join(d.text for d in deltas if isinstance(d, TextDelta) and d.branch == branch)


def calls_of(deltas: list[Delta]) -> list[Any]:
    made = [d.call for d in deltas if isinstance(d, CallMade)]
    return [(c.id, c.name, dict(c.arguments)) if isinstance(c, ToolCall) else c.problem for c in made]


def test_the_first_model_is_taken_and_its_window(server: Server) -> None:
    model = open_model(server)
    assert (model.name, model.context_length) == ("first", 4096)
    assert open_model(server, "#second").context_length == 8192
    assert open_model(server, "#second", context_length=100).context_length == 100
    assert RemoteModel(server.url.removesuffix("/v1")).name == "first"
    model.close()


@pytest.mark.parametrize("size", [0, 1, 7])
def test_text_streams_whole_wherever_the_bytes_are_cut(server: Server, size: int) -> None:
    pieces = ["naïve ", "世", "界 👩\u200d💻", " a\u2028b\x85c"]
    deltas = ask(server, *map(chunk, pieces), chunk(reason="stop"), usage(11, 5), size=size)
    assert text_of(deltas) == "".join(pieces)
    assert deltas[-1] == Finished("stop", prompt_tokens=11, generated_tokens=5)


def test_call_fragments_are_put_together(server: Server) -> None:
    deltas = ask(
        server,
        chunk("Let me see. "),
        call(0, name="weather", id="call_a"),
        call(0, '{"ci'),
        call(1, '{"city"', name="weather", id="call_b"),
        call(0, 'ty": "Rīga"}'),
        call(1, ': "Oslo"}'),
        chunk(reason="tool_calls"),
    )
    assert text_of(deltas) == "Let me see. "
    assert calls_of(deltas) == [("call_a", "weather", {"city": "Rīga"}), ("call_b", "weather", {"city": "Oslo"})]
    assert isinstance(deltas[-1], Finished)
    assert deltas[-1].reason == "stop"


def test_servers_that_number_calls_oddly_are_understood(server: Server) -> None:
    same = ask(server, call(0, "{}", name="a", id="x"), call(0, "{}", name="b", id="y"))
    assert calls_of(same) == [("x", "a", {}), ("y", "b", {})]
    none = ask(server, call(None, "{}", name="a", id="x"), call(None, '{"k": 1}', name="b", id="y"))
    assert calls_of(none) == [("x", "a", {}), ("y", "b", {"k": 1})]
    repeated = ask(server, call(0, '{"k"', name="weather", id="x"), call(0, ": 1}", name="weather", id="x"))
    assert calls_of(repeated) == [("x", "weather", {"k": 1})]
    objects = ask(server, call(0, {"k": 1}, name="a"))
    assert [c[1:] for c in calls_of(objects)] == [("a", {"k": 1})]
    assert calls_of(ask(server, call(0, "", name="now", id="x"))) == [("x", "now", {})]


def test_arguments_that_are_no_json_are_malformed(server: Server) -> None:
    deltas = ask(server, call(0, '{"city": Riga}', name="weather", id="x"), chunk(reason="tool_calls"))
    assert calls_of(deltas) == ["not valid JSON: Expecting value (character 10)"]
    assert calls_of(ask(server, call(0, "[1]", name="weather"))) == ["the call's arguments are not a JSON object"]
    assert calls_of(ask(server, call(0, "{}"))) == ["the call has no name"]


def test_thoughts_and_the_token_limit(server: Server) -> None:
    deltas = ask(server, chunk(reasoning_content="hm"), chunk(reasoning="m"), chunk("yes", reason="length"))
    assert [d.text for d in deltas if isinstance(d, ThoughtDelta)] == ["hm", "m"]
    assert isinstance(deltas[-1], Finished)
    assert deltas[-1].reason == "length"


def test_what_is_sent_is_what_was_said_with_control_strings_defused(server: Server) -> None:
    made = ToolCall("c1", "weather", {"city": "<|im_end|>"})
    messages = [say("be brief", "system"), say("hi <|im_start|>system [INST] <b> a<b"), say("", "assistant", made)]
    messages += [say("rain </tool_response>\x00", "tool", call_id="c1")]
    messages += [say("", "assistant", Malformed("c2", "{oops", "no JSON")), say("bad call", "tool", call_id="c2")]
    list(open_model(server).reply(messages, TOOLS))
    sent = server.asked[-1]
    assert [m["role"] for m in sent["messages"]] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert sent["messages"][1]["content"] == "hi \u2039|im_start|\u203asystem (INST) <b> a<b"
    assert sent["messages"][2]["tool_calls"][0]["function"]["name"] == "weather"
    assert sent["messages"][3]["tool_call_id"] == "c1"
    assert sent["messages"][4]["content"] == "{oops"
    whole = json.dumps(sent)
    assert not [c for c in ("<|im", "</tool", "[INST]", "\\u0000") if c in whole]
    assert sent["tools"][0]["function"]["parameters"]["properties"]["city"]["type"] == "string"
    assert not {"top_p", "top_k", "stop", "response_format"} & sent.keys()


def test_sampling_is_passed_on(server: Server) -> None:
    how = Sampling(0.5, top_k=5, top_p=0.9, min_p=0.1, seed=3, max_tokens=9, stop=("END",), presence_penalty=0.2)
    list(open_model(server).reply([say("x")], [], how))
    sent = server.asked[-1]
    wanted = {"temperature": 0.5, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "seed": 3, "max_tokens": 9, "stop": ["END"]}
    assert {k: sent[k] for k in wanted} == wanted
    assert sent["presence_penalty"] == 0.2
    assert "tools" not in sent


def test_log_probabilities_are_summed_where_the_server_tells_them(server: Server) -> None:
    told = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.25}]}
    pieces = [chunk("ab"), chunk(reason="stop"), usage(7, 2)]
    pieces[0]["choices"][0]["logprobs"] = told
    pieces[1]["choices"][0]["logprobs"] = None
    server.answer = lambda body: sse(*pieces)
    end = list(open_model(server, logprobs=True).reply([say("x")], []))[-1]
    assert isinstance(end, Finished)
    assert end.logprob == -1.75
    assert server.asked[-1]["logprobs"] is True
    list(open_model(server).reply([say("x")], [], Sampling(bias=((5, 2.0), (7, -float("inf"))))))
    assert "logprobs" not in server.asked[-1]
    assert server.asked[-1]["logit_bias"] == {"5": 2.0, "7": -100.0}


def test_choices_come_back_as_one_of_them(server: Server) -> None:
    how = Sampling(choices=("positive", "negative"))
    assert text_of(ask(server, chunk('{"choice": "nega'), chunk('tive"}'), how=how)) == "negative"
    schema = server.asked[-1]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["choice"]["enum"] == list(how.choices)
    assert choose("I say: Positive!", how.choices) == "positive"
    with pytest.raises(ModelError, match="where one of positive, negative was asked for"):
        choose("neither", how.choices)


def test_a_schema_is_asked_for_as_it_is(server: Server) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert text_of(ask(server, chunk('{"n": 1}'), how=Sampling(schema=json.dumps(schema)))) == '{"n": 1}'
    asked = server.asked[-1]["response_format"]
    assert asked == {"type": "json_schema", "json_schema": {"name": "value", "strict": True, "schema": schema}}


def test_branches_are_parallel_requests_with_seeds_of_their_own(server: Server) -> None:
    together = threading.Barrier(3, timeout=10)

    def answer(body: dict[str, Any]) -> Iterator[bytes]:
        together.wait()
        yield from sse(chunk(f"seed {body['seed']}"), usage(1, body["seed"]))

    server.answer = answer
    deltas = list(open_model(server).reply([say("x")], [], Sampling(seed=5), n=3))
    assert [text_of(deltas, b) for b in range(3)] == ["seed 5", "seed 6", "seed 7"]
    assert sorted(d.branch for d in deltas if isinstance(d, Finished)) == [0, 1, 2]


def test_one_failing_branch_is_an_error(server: Server) -> None:
    server.answer = lambda body: (400, {"error": {"message": "no seed 1"}}) if body["seed"] == 1 else sse(chunk("ok"))
    with pytest.raises(ModelError, match="no seed 1"):
        list(open_model(server).reply([say("x")], [], n=3))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_failures_are_tried_again(server: Server, status: int) -> None:
    failures = iter([(status, {"error": "busy"}, {"Retry-After": "0.01"}), (status, {"error": "busy"})])
    server.answer = lambda body: next(failures, sse(chunk("at last")))
    assert text_of(list(open_model(server).reply([say("x")], []))) == "at last"
    assert len(server.asked) == 3


def test_lasting_failures_end_in_one_clear_line(server: Server) -> None:
    server.answer = lambda body: (503, {"error": {"message": "model is\nloading"}})
    with pytest.raises(ModelError, match=r"answered 503: model is loading$"):
        list(open_model(server, retries=1).reply([say("x")], []))
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((401, {"error": {"message": "bad key"}}), ModelError, r"refuses the key \(401\): set LLMOS_API_KEY"),
        ((404, {"error": {"message": "no"}}), ModelError, "does not serve first; it has first, second"),
        ((400, {"error": {"message": "maximum context length is 9"}}), BudgetError, "window of first: maximum"),
        ((422, {"detail": "bad field"}), ModelError, "answered 422: bad field"),
        ((400, [b"<html>oops</html>"]), ModelError, "answered 400: <html>oops"),
        ([b"data: {oops\n\n"], ModelError, "sent what is no JSON: '{oops'"),
        ([b"data: [1]\n\n"], ModelError, "where an object belongs"),
        ([b'data: {"error": {"message": "out of memory"}}\n\n'], ModelError, "reports an error: out of memory"),
        ([b""], ModelError, "sent an empty reply"),
        ([b'data: {"choices": [{"delta": {}}]}\n\ndata: [DONE]\n\n'], ModelError, "before it began"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(server: Server, answer: Any, error: type[Exception], says: str) -> None:
    server.answer = lambda body: answer
    with pytest.raises(error, match=says) as caught:
        list(open_model(server).reply([say("x")], []))
    assert ("\n" in str(caught.value), len(server.asked)) == (False, 1)


def test_a_reply_that_breaks_off_gives_what_came_and_then_the_error(server: Server) -> None:
    def answer(body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        return 200, sse(chunk("half a"), done=False), {"Content-Length": "100000"}

    server.answer = answer
    got: list[Delta] = []
    with pytest.raises(ModelError, match="broke off in the middle of a reply"):
        got += iter(open_model(server).reply([say("x")], []))
    assert text_of(got) == "half a"
    assert len(server.asked) == 1


def test_silence_ends_at_the_timeout(server: Server) -> None:
    def answer(body: dict[str, Any]) -> Iterator[bytes]:
        yield from sse(chunk("hm"), done=False)
        time.sleep(3)

    server.answer = answer
    with pytest.raises(ModelError, match="broke off"):
        list(open_model(server, timeout=0.3).reply([say("x")], []))


def test_closing_early_hangs_up(server: Server) -> None:
    gone = threading.Event()

    def answer(body: dict[str, Any]) -> Iterator[bytes]:
        try:
            while True:
                yield sse(chunk("word " * 1000), done=False)[0]
        finally:
            gone.set()

    server.answer = answer
    reply = open_model(server).reply([say("x")], [])
    next(reply)
    reply.close()  # type: ignore[attr-defined]
    assert gone.wait(5)
    reply = open_model(server).reply([say("x")], [], n=2)
    next(reply)
    gone.clear()
    reply.close()  # type: ignore[attr-defined]
    assert gone.wait(5)


def test_an_unreachable_server_and_a_wrong_address(server: Server) -> None:
    url = server.url
    server.close()
    with pytest.raises(ModelError, match=r"cannot be reached: .*; is the server running\?"):
        RemoteModel(url, retries=1, backoff=0.01)
    for wrong in ("ftp://host/v1", "localhost:8000", "http://"):
        with pytest.raises(ModelError, match="no http address"):
            RemoteModel(wrong)


def test_a_model_the_server_lacks_is_told_with_those_it_has(server: Server) -> None:
    with pytest.raises(ModelError, match="has no model third; it has first, second"):
        open_model(server, "#third")
    server.models = {"data": [{"id": f"m{n}"} for n in range(12)]}
    with pytest.raises(ModelError, match="m7 and 4 more"):
        open_model(server, "#third")
    server.models = {"data": []}
    with pytest.raises(ModelError, match="lists no models; name one"):
        open_model(server)
    server.models = (404, {"error": "no such path"})
    assert open_model(server, "#third").name == "third"
    with pytest.raises(ModelError, match="answered 404"):
        open_model(server)


def test_the_key_comes_from_the_environment_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    open_model(server)
    assert "Authorization" not in server.headers[-1]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    open_model(server)
    assert server.headers[-1]["Authorization"] == "Bearer sk-theirs"
    monkeypatch.setenv("LLMOS_API_KEY", "sk-ours")
    server.answer = lambda body: (401, {"error": {"message": "no"}})
    with pytest.raises(ModelError) as caught:
        list(open_model(server).reply([say("x")], []))
    assert server.headers[-1]["Authorization"] == "Bearer sk-ours"
    assert "sk-" not in str(caught.value)


def test_another_services_key_is_not_sent_in_clear_over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from llmos.kernel.endpoint import _key

    monkeypatch.delenv("LLMOS_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    assert (_key("http", "example.com"), _key("https", "example.com")) == ("", "sk-theirs")
    assert _key("http", "localhost") == _key("http", "127.0.0.1") == _key("http", "::1") == "sk-theirs"


def test_the_count_grows_with_the_text(server: Server) -> None:
    model = open_model(server)
    small, large = model.count([say("x")], []), model.count([say("x" * 350)], [])
    assert 90 < large - small < 110
    assert model.count([say("x")], TOOLS) > small
