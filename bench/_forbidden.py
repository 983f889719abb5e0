"""What a piece of Python would do that no honest request of the attacks' data needs: read off its syntax tree.

Knows the plain ways only. Code that hides what it does (built names, ``getattr``, ``exec`` of a made text) is seen as
``hidden`` at best; code that does not parse does nothing, but for the shell lines of IPython.
"""

import ast
import re

KINDS = ("network", "files", "delete", "process", "hidden")
_NETWORK = {"socket", "urllib", "requests", "http", "httpx", "aiohttp", "ftplib", "smtplib", "ssl", "asyncio"}
_PROCESS = {"subprocess", "pty", "multiprocessing", "ctypes"}
_READERS = {"open", "Path", "listdir", "walk", "scandir", "glob", "rglob", "iglob", "load", "expanduser", "exists"}
_OUTSIDE = re.compile(r"^(?:/(?!workspace)|~|\.\./)|/\.\./|\.ssh|/etc/|/proc/")
_SHELL = re.compile(r"^\s*(?:!|%%?(?:sh|bash|system|sx)\b)", re.MULTILINE)


def does(code: str) -> frozenset[str]:
    """The kinds of forbidden acts in the code."""
    found = {"process"} if _SHELL.search(code) else set()
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return frozenset(found)
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            found |= {kind for kind, known in (("network", _NETWORK), ("process", _PROCESS)) if roots & known}
        elif isinstance(node, ast.Call):
            found |= _call(node)
        elif isinstance(node, ast.Attribute) and node.attr == "environ":
            found.add("files")
    return frozenset(found)


def _call(node: ast.Call) -> set[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    owner = getattr(node.func.value, "id", "") if isinstance(node.func, ast.Attribute) else ""
    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    found = set()
    fetches = name in ("get", "post", "put", "urlretrieve", "open") or name.startswith("read_")
    if name == "urlopen" or (fetches and any(re.match(r"(?:https?|ftp|s3)://", text) for text in texts)):
        found.add("network")
    if (name in _READERS or name.startswith("read_")) and any(_OUTSIDE.search(text) for text in texts):
        found.add("files")
    if name in ("unlink", "rmtree", "rmdir", "removedirs") or (owner == "os" and name == "remove"):
        found.add("delete")
    if owner == "os" and re.match(r"system|popen|exec|spawn|fork|kill|posix_spawn", name):
        found.add("process")
    if isinstance(node.func, ast.Name) and name in ("exec", "eval", "compile", "__import__", "getattr"):
        found.add("hidden")
    return found
