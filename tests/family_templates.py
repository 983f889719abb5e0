"""Minimal chat templates of the shape that each family's has, written for the tests; control tokens; settings."""

from typing import Any

QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>")
LLAMA = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>")
MISTRAL = ("<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[ARGS]")

HERMES_TEMPLATE = r"""
{%- if tools %}{{ '<|im_start|>system\n' + (tools | map('tojson') | join('\n')) + '<|im_end|>\n' }}{% endif %}
{%- for m in messages %}{% if m.role == 'tool' -%}
{{ '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}
{%- else -%}
{{ '<|im_start|>' + m.role + '\n' + m.content }}
{%- for call in m.tool_calls or [] -%}
{%- set c = call.function -%}
{{ '\n<tool_call>\n{"name": "' + c.name + '", "arguments": ' + (c.arguments | tojson) + '}\n</tool_call>' }}
{%- endfor -%}
{{ '<|im_end|>\n' }}
{%- endif %}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

LLAMA_TEMPLATE = r"""{{- bos_token }}
{%- macro head(role) %}{{ '<|start_header_id|>' + role + '<|end_header_id|>\n\n' }}{% endmacro %}
{%- if tools %}{{ head('system') + (tools | tojson(indent=4)) + '<|eot_id|>' }}{% endif %}
{%- for m in messages %}{% if m.role == 'tool' -%}
{{ head('ipython') + (m.content | tojson) + '<|eot_id|>' }}
{%- elif m.tool_calls -%}
{%- if m.tool_calls | length != 1 %}{{ raise_exception('one call at a time') }}{% endif -%}
{%- set c = m.tool_calls[0].function -%}
{{ head('assistant') + '{"name": "' + c.name + '", "parameters": ' + (c.arguments | tojson) + '}<|eot_id|>' }}
{%- else -%}
{{ head(m.role) + m.content | trim + '<|eot_id|>' }}
{%- endif %}{% endfor %}
{%- if add_generation_prompt %}{{ head('assistant') }}{% endif %}"""

MISTRAL_TEMPLATE = """{{- bos_token }}
{%- for m in messages %}{% if m.role == 'user' -%}
{% if tools %}{{ '[AVAILABLE_TOOLS]' + (tools | tojson) }}{% endif %}{{ '[INST]' + m.content + '[/INST]' }}
{%- elif m.role == 'tool' -%}
{%- if m.tool_call_id | length != 9 %}{{ raise_exception('ids have nine letters') }}{% endif -%}
{{ '[TOOL_RESULTS]{"content": ' + m.content + ', "call_id": "' + m.tool_call_id + '"}' }}
{%- elif m.tool_calls -%}
CALLS
{%- elif m.role == 'assistant' -%}
{{ m.content + eos_token }}
{%- endif %}{% endfor %}"""
OLD_CALLS = """{{ '[TOOL_CALLS] [' }}{% for c in m.tool_calls -%}
{{ (c.function | tojson)[:-1] + ', "id": "' + c.id + '"}' }}
{{- ', ' if not loop.last }}{% endfor %}{{ ']' + eos_token }}"""
NEW_CALLS = """{% for c in m.tool_calls -%}
{{ '[TOOL_CALLS]' + c.function.name + '[ARGS]' + (c.function.arguments | tojson) }}
{%- endfor %}{{ eos_token }}"""

XML_TEMPLATE = HERMES_TEMPLATE.replace(
    """'\\n<tool_call>\\n{"name": "' + c.name + '", "arguments": ' + (c.arguments | tojson) + '}\\n</tool_call>'""",
    "'\\n<tool_call>\\n<function=' + c.name + '>\\n'"
    " }}{% for k, v in c.arguments.items() %}{{ '<parameter=' + k + '>\\n' }}"
    "{{ (v | tojson) if v is mapping or (v is sequence and v is not string) else v }}"
    "{{ '\\n</parameter>\\n' }}{% endfor %}"
    "{{ '</function>\\n</tool_call>'",
)
XML_RESPONSES = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>\s*<function=(?P<name>[^>\n]+)>",
            "close_pattern": r"</function>\s*</tool_call>",
            "repeats": True,
            "content": "xml-inline",
            "content_args": {"tag_pattern": r"<parameter=(?P<key>[^>\n]+)>\s*(?P<value>.*?)\s*</parameter>"},
            "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
        },
        "content": {"close_pattern": r"\s*<\|im_end\|>", "content": "text"},
    },
}

DEEP = tuple(
    f"<\uff5c{words.replace(' ', chr(0x2581))}\uff5c>"
    for words in (
        *("begin of sentence", "end of sentence", "User", "Assistant", "tool calls begin", "tool calls end"),
        *("tool call begin", "tool call end", "tool sep", "tool output begin", "tool output end"),
    )
)
DEEP_TEMPLATE = """{{- bos_token }}{% if tools %}{{ tools | tojson }}{% endif %}
{%- for m in messages %}{% if m.role == 'tool' -%}
{{ 'D9' + m.content + 'D10' }}
{%- elif m.role == 'user' or m.role == 'system' -%}
{{ 'D2' + m.content }}
{%- elif m.tool_calls -%}
{{ 'D3D4' }}{% for c in m.tool_calls %}CALL{% endfor %}{{ 'D5' + eos_token }}
{%- else -%}
{{ 'D3' + m.content + eos_token }}
{%- endif %}{% endfor %}
{%- if add_generation_prompt %}{{ 'D3' }}{% endif %}"""


def deep(call: str) -> str:
    """DeepSeek's template with its control tokens, and with a way to write a call."""
    made = DEEP_TEMPLATE.replace("CALL", call)
    for n in range(len(DEEP) - 1, -1, -1):
        made = made.replace(f"D{n}", DEEP[n])
    return made


FENCED_CALL = (
    r"{{ 'D6function' + 'D8' + c.function.name + '\n```json\n' + (c.function.arguments | tojson) + '\n```D7' }}"
    r"{{- '\n' if not loop.last }}"
)
PLAIN_CALL = "{{ 'D6' + c.function.name + 'D8' + (c.function.arguments | tojson) + 'D7' }}"

GEMMA: tuple[str, ...] = ("<bos>", "<|turn>", "<turn|>", "<|tool>", "<tool|>", "<|tool_call>", "<tool_call|>", '<|"|>')
GEMMA += ("<|tool_response>", "<tool_response|>")
GEMMA_TEMPLATE = r"""{{- bos_token }}
{%- macro shown(v) -%}
{%- if v is string %}{{ 'Q' + v + 'Q' }}{% elif v is boolean %}{{ v | tojson }}{% elif v is mapping -%}
{{ '{' }}{% for k, x in v | dictsort %}{{ ',' if not loop.first }}{{ k }}:{{ shown(x) }}{% endfor %}{{ '}' }}
{%- elif v is sequence %}{{ '[' }}{% for x in v %}{{ ',' if not loop.first }}{{ shown(x) }}{% endfor %}{{ ']' }}
{%- else %}{{ v | tojson }}{% endif %}
{%- endmacro %}
{%- if tools %}{{ 'T' + (tools | tojson) + 'U' }}{% endif %}
{%- for m in messages %}{% if m.role == 'tool' -%}
{{ 'R' + m.content + 'S' }}
{%- else -%}
{{ 'B' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content }}
{%- for c in m.tool_calls or [] %}{{ 'Ccall:' + c.function.name + shown(c.function.arguments) + 'E' }}{% endfor %}
{%- if m.tool_calls %}{{ END }}{% else %}{{ 'F\n' }}{% endif %}
{%- endif %}{% endfor %}
{%- if add_generation_prompt %}{{ 'Bmodel\n' }}{% endif %}"""
FUNCTION: tuple[str, ...] = (
    "<bos>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_function_declaration>",
    "<end_function_declaration>",
)
FUNCTION += ("<start_function_call>", "<end_function_call>", "<escape>")
FUNCTION += ("<start_function_response>", "<end_function_response>")


def gemma(control: tuple[str, ...]) -> str:
    """The template with one or the other generation's control tokens."""
    made = GEMMA_TEMPLATE.replace("END", "''" if control is GEMMA else f"'{control[8]}'")
    names = dict(zip("BFTUCEQRS", control[1:], strict=False))
    for letter, name in names.items():
        made = made.replace(f"'{letter}", f"'{name}").replace(f"{letter}'", f"{name}'")
    return made


GRANITE = ("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>", "<|tool_call|>")
GRANITE_TEMPLATE = r"""
{%- macro head(role) %}{{ '<|start_of_role|>' + role + '<|end_of_role|>' }}{% endmacro %}
{%- if tools %}{{ head('available_tools') + (tools | tojson) + '<|end_of_text|>\n' }}{% endif %}
{%- for m in messages %}
{{- head('tool_response' if m.role == 'tool' else m.role) + m.content }}
{%- if m.tool_calls %}{{ '<|tool_call|>[' }}{% for c in m.tool_calls -%}
{{ '{"name": "' + c.function.name + '", "arguments": ' + (c.function.arguments | tojson) + '}' }}
{{- ', ' if not loop.last }}{% endfor %}{{ ']' }}{% endif %}{{ '<|end_of_text|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ head('assistant') }}{% endif %}"""

HARMONY = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>")
HARMONY_TEMPLATE = r"""
{%- if tools %}{{ '<|start|>developer<|message|>' + (tools | tojson) + '<|end|>' }}{% endif %}
{%- for m in messages %}{% if m.role == 'tool' -%}
{{ '<|start|>functions.' + m.name + ' to=assistant<|channel|>commentary<|message|>' }}
{{- (m.content | tojson) + '<|end|>' }}
{%- elif m.role != 'assistant' -%}
{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}
{%- elif m.tool_calls -%}
{%- set c = m.tool_calls[0].function -%}
{{ '<|start|>assistant to=functions.' + c.name + '<|channel|>commentary json<|message|>' }}
{{- (c.arguments | tojson) + '<|call|>' }}
{%- else -%}
{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}
{%- endif %}{% endfor %}
{%- if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"""
ID_CALLS = """{% for c in m.tool_calls -%}
{{ '[TOOL_CALLS]' + c.function.name + '[CALL_ID]' + c.id + '[ARGS]' + (c.function.arguments | tojson) }}
{%- endfor %}{{ eos_token }}"""

FAMILIES: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "hermes": (HERMES_TEMPLATE, QWEN, {"eos_token": "<|im_end|>"}),
    "llama3": (LLAMA_TEMPLATE, LLAMA, {"eos_token": "<|eot_id|>", "bos_token": "<|begin_of_text|>"}),
    "mistral": (MISTRAL_TEMPLATE.replace("CALLS\n", OLD_CALLS), MISTRAL, {"eos_token": "</s>", "bos_token": "<s>"}),
    "mistral-v11": (MISTRAL_TEMPLATE.replace("CALLS\n", NEW_CALLS), MISTRAL, {"eos_token": {"content": "</s>"}}),
    "mistral-v13": (
        MISTRAL_TEMPLATE.replace("CALLS\n", ID_CALLS),
        (*MISTRAL, "[CALL_ID]"),
        {"eos_token": "</s>", "bos_token": "<s>"},
    ),
    "gpt-oss": (HARMONY_TEMPLATE, HARMONY, {"eos_token": "<|return|>"}),
    "xml": (XML_TEMPLATE, QWEN, {"eos_token": "<|im_end|>"}),
    "deepseek-v3": (deep(FENCED_CALL), DEEP, {"eos_token": DEEP[1], "bos_token": DEEP[0]}),
    "deepseek-v3.1": (deep(PLAIN_CALL), DEEP, {"eos_token": DEEP[1], "bos_token": DEEP[0]}),
    "gemma4": (gemma(GEMMA), GEMMA, {"eos_token": "<turn|>", "bos_token": "<bos>"}),
    "functiongemma": (gemma(FUNCTION), FUNCTION, {"eos_token": "<end_of_turn>", "bos_token": "<bos>"}),
    "granite": (GRANITE_TEMPLATE, GRANITE, {"eos_token": "<|end_of_text|>"}),
    "response_template": (XML_TEMPLATE, QWEN, {"eos_token": "<|im_end|>", "response_template": XML_RESPONSES}),
}
