"""Ask for a plot, look at what happened, and go on with the same Python state."""

from llmos import LLMOS

with LLMOS() as system, system.session() as session:
    answer = session.run("plot funding rounds")
    print(answer.text)
    print("picture:", answer.artifacts[0].path)
    for call in answer.calls:
        print(f"--- {call.name}\n{call.arguments['code']}")

    answer = session.run("now make the y axis logarithmic")
    print(answer.text)
    print("picture:", answer.artifacts[0].path)
