"""Names that people enter, and how a terminal may display them. Pure.

A control character can rewrite the output of a terminal, a direction mark can make one
name look like another, and a line break can make one line look like two.
"""

import re
from functools import cache

# What `\s` is in the patterns of JSON Schema (ECMA-262). Python's also has some control
# characters, and lacks U+FEFF.
WHITE_SPACE = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_CONTROLS = r"\x00-\x1f\x7f"
# More of them, line and paragraph separators, marks of direction.
_OTHERS = r"\x80-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_each = re.compile(f"[{_CONTROLS}{_OTHERS}]")
# The part of it that all regex dialects of generated clients can express.
PATTERN = rf"^[^{_CONTROLS}]*[^{_CONTROLS}\s][^{_CONTROLS}]*$"
MESSAGE = "Control characters, line breaks and marks of direction are not allowed."


def is_name(text: str) -> bool:
    return _each.search(text) is None and text.strip(WHITE_SPACE) != ""


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern of the OpenAPI document, as clients in any language read it."""
    return re.compile(pattern.replace(r"\s", WHITE_SPACE).removesuffix("$") + r"\Z")


def as_name(text: str, *, max_length: int = 255) -> str:
    """Return a foreign name as a valid one (see `is_name`), escaped and cut."""
    return printable(text).strip()[:max_length] or "?"


def printable(text: str) -> str:
    """Return the text with escapes in place of characters that names may not have."""
    return _each.sub(lambda found: ascii(found[0])[1:-1], text)
