"""Every event as it happens: what is called, what came of it, the text piece by piece."""

from llmos import LLMOS, Answer
from llmos.kernel.types import Call, Result, Text

with LLMOS() as system:
    for event in system.stream("what is 15% of 2480?"):
        match event:
            case Call():
                print("call:", event.call)
            case Result():
                print("result:", event.result.preview)
            case Text(delta=True):
                print(event.text, end="", flush=True)
            case Answer():
                print(f"\n{event.usage.generated_tokens} tokens")
                assert "372" in event.text
