"""Have a picture painted by the image model that is set, else by the one that comes with llmos, where there is one.

Another one: ``llmos image use MODEL``, or ``LLMOS(image_model="./checkpoint")``. Needs: pip install 'llmos[image]'.
"""

from PIL import Image

from llmos import LLMOS, Scripted, ToolCall

# A scripted model calls the tool; a larger model (``model=…``) calls it by itself.
wish = {"prompt": "a red circle on white paper", "steps": 8, "seed": 7}
model = Scripted([ToolCall("1", "image", wish), "Here is your picture."])

with LLMOS(model=model) as system, system.session() as session:
    if "image" in {tool.name for tool in session.tools}:
        answer = session.run("paint a red circle")
        assert len(answer.artifacts) == 1
        with Image.open(answer.artifacts[0].path) as picture:
            print(f"{answer.text} {picture.width} x {picture.height} pixels: {answer.artifacts[0].path}")
    else:
        print("there is no image model here: pip install 'llmos[image]', then llmos image use MODEL")
