"""Takes out of outside text what nobody can see: the characters that hide orders from a reader or forge a screen.

Letters are never altered: no NFKC here, no entities. Knows nothing of tokens; control strings are the wire's business.
Source: SECURITY.md section 2; Unicode Default_Ignorable_Code_Point and Bidi_Control.
"""

import re

# C0 but tab and newline, DEL, C1; bidi controls; zero-width spaces, joiners of words, invisible operators, fillers,
# interlinear annotation, soft hyphen, and the tag block, in which whole sentences hide.
UNSEEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
)
# Joiners mean something after the letters of Arabic, Persian, Indic and alike, and inside emoji.
JOINS = "\u0600-\u115e\u1161-\u17b3\u17b6-\u180d\u180f-\u1cff\u2190-\u2bff\ufe0f\ufe70-\ufefc\U0001f000-\U0001faff"
# Variation selectors mean something right after an emoji, a symbol, a digit (keycaps), a CJK or Mongolian letter.
VARIES = (
    "#*0-9\u00a9\u00ae\u203c\u2049\u2100-\u3163\u3165-\u9fff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
_ODD = re.compile(
    f"[{UNSEEN}\ud800-\udfff]|(?<![{JOINS}])[\u200c\u200d]|(?<![{VARIES}])[\ufe00-\ufe0f\U000e0100-\U000e01ef]|\r\n?"
)


def _replace(match: re.Match[str]) -> str:
    found = match.group()
    if found[0] == "\r":
        return "\n"
    # Half a surrogate pair is no character; no tokenizer takes it.
    return "\ufffd" if "\ud800" <= found <= "\udfff" else ""


def clean(text: str) -> str:
    """Return ``text`` without invisible and terminal control characters; line ends become ``\\n``.

    Kept: tab, newline, ZWJ and ZWNJ inside emoji and joining scripts, one variation selector after what can vary.
    Cleaning twice changes nothing more.
    """
    return _ODD.sub(_replace, text)


# What the families write their control tokens as. Letters stay; only the brackets change, visibly.
_ANGLED = re.compile(
    r"<([|\uff5c][^<>\s]{1,48}?[|\uff5c]?|[a-z_]{2,24}[|\uff5c]|/?(?:seed:)?(?:tool_call|tool_response"
    r"|tool_calls|tools|think|bos|eos|pad|unk|s|start_of_turn|end_of_turn"
    r"|escape|start_function_\w{1,24}|end_function_\w{1,24}|function=[^<>\s]{1,64}"
    r"|parameter=[^<>\s]{1,64}|function|parameter))>"
)
_SQUARE = re.compile(
    r"\[(/?(?:INST|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|SYSTEM_PROMPT|ARGS|CALL_ID|THINK|IMG))\]"
)


def neutralise(text: str) -> str:
    """``clean`` text whose control strings are spelled so that no server's tokenizer takes them for control tokens.

    For models that are reached by text: the angles of ``<|im_start|>`` become single quotation
    marks of the same look, ``[INST]`` becomes ``(INST)``.
    """
    return _SQUARE.sub(r"(\1)", _ANGLED.sub("\u2039\\1\u203a", clean(text)))
