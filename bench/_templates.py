"""Checks every family against published chat templates: ``make templates TEMPLATES=FOLDER``.

The templates are those that llama.cpp carries, which the sdist of llama-cpp-python has in
``vendor/llama.cpp/models/templates``: read from there, never kept here. A template has no tokenizer with it, so one of
bytes is made, with the control tokens that the template names. Does not know what a model would answer.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

from llmos.kernel.codec import Codec
from llmos.kernel.errors import ModelError
from llmos.kernel.families import TemplateWire

# Templates that have to be proved, by the beginning of a file's name; others may be refused, in a line.
EXPECTED = {
    "NousResearch-Hermes-2-Pro": "hermes",
    "NousResearch-Hermes-3": "hermes",
    "Qwen-QwQ-32B": "hermes",
    "Qwen-Qwen2.5-7B": "hermes",
    "Qwen-Qwen3-0.6B": "hermes",
    "Qwen3-Coder": "xml",
    "Qwen3.5": "xml",
    "NVIDIA-Nemotron-3": "xml",
    "ibm-granite-granite-4": "hermes",
    "meta-llama": "llama3",
    "mistralai-Mistral-Nemo": "mistral",
    "Mistral-Small-3.2": "mistral-v13",
    "unsloth-mistral-Devstral": "mistral-v11",
    "google-gemma-4-31B-it.": "gemma4",
    "openai-gpt-oss": "gpt-oss",
    "llama-cpp-deepseek-r1": "deepseek-v3",
}
# Control tokens as templates spell them.
_TOKENS = re.compile(
    r"<\|[^|<>\s{}'\"]+\|?>|<[^|<>\s{}'\"/=]+\|>|<\|\"\|>|</?\uff5c[^\uff5c<>]+\uff5c>|\[/?[A-Z_]{3,}\]"
    r"|</?(?:tool_call|think|s|seed:tool_call|seed:eos|seed:bos)>|<(?:start|end)_of_turn>|<bos>|<eos>"
)
_ENDS = ("<|im_end|>", "<|eot_id|>", "<turn|>", "<end_of_turn>", "<|end_of_text|>", "</s>")


def check(path: Path) -> tuple[str, str]:
    """The family that a template is proved as, and an empty string; or an empty string, and why not."""
    source = path.read_text(encoding="utf-8")
    control = sorted({*_TOKENS.findall(source), "<s>", "</s>"})
    control += ["<tool_call>", "</tool_call>"] if "<tool_call>" not in control and "xml_tools" in source else []
    ends = [c for c in control if c in _ENDS or "end\u2581of\u2581sentence" in c]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(control)), encoding="utf-8")
        settings = {"eos_token": ends[0] if ends else "</s>", "bos_token": "<s>"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        try:
            return TemplateWire.load(folder, Codec.load(folder), source).form.name, ""
        except ModelError as error:
            return "", str(error).removeprefix(str(folder)).strip()


def _tokenizer(control: list[str]) -> dict[str, object]:
    """A tokenizer of bytes, and these control tokens."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = [chr(b) for b in own] + [chr(256 + n) for n in range(256 - len(own))]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": 256 + n, "content": c, **flags} for n, c in enumerate(control)],
        "pre_tokenizer": bytes_only,
        "decoder": bytes_only,
        "model": {"type": "BPE", "vocab": {c: n for n, c in enumerate(letters)}, "merges": []},
    }


def main(folder: Path) -> int:
    """Print a line for each template; 1 where one that has to be proved is not, 2 where there are none."""
    files = sorted(folder.glob("*.jinja"))
    if not files:
        print(
            f"there are no templates in {folder}: pip download --no-deps --no-binary :all: llama-cpp-python, "
            "unpack it, and make templates TEMPLATES=…/vendor/llama.cpp/models/templates",
            file=sys.stderr,
        )
        return 2
    proved, missed = 0, []
    for path in files:
        family, problem = check(path)
        proved += bool(family)
        wanted = next((f for start, f in EXPECTED.items() if path.name.startswith(start)), "")
        if wanted and family != wanted:
            missed.append(f"{path.stem}: {wanted} was expected")
        print(f"{path.stem:58} {family or problem[:160]}")
    print(f"{proved} of {len(files)} proved, the others refused in a line")
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("make templates TEMPLATES=FOLDER")
    sys.exit(main(Path(sys.argv[1])))
