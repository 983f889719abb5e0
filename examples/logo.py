"""Have a logo drawn: the model writes SVG, llmos checks it and draws its PNG. Needs: pip install 'llmos[image]'."""

from llmos import LLMOS, Scripted, ToolCall

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200">
  <circle cx="100" cy="100" r="95" fill="#14344f"/>
  <path d="M88 150 L93 70 L107 70 L112 150 Z" fill="#f4f1e8"/>
  <rect x="90" y="55" width="20" height="15" fill="#ffd34d"/>
  <text x="100" y="178" font-size="20" fill="#f4f1e8" text-anchor="middle">SKERRY</text>
</svg>"""

model = Scripted([ToolCall("1", "image_svg", {"svg": LOGO, "title": "a lighthouse"}), "Here is the logo."])

with LLMOS(model=model) as system, system.session() as session:
    if "image_svg" in {tool.name for tool in session.tools}:
        answer = session.run("draw a logo with a lighthouse")
        for artifact in answer.artifacts:
            print(artifact.mime, artifact.path)
        assert [a.mime for a in answer.artifacts] == ["image/png", "image/svg+xml"]
    else:
        print("resvg is not installed: pip install 'llmos[image]'")
