"""Make lines of a log safe to print: without addresses or control characters."""

import ipaddress
import re

MAX_SHOWN = 160
# At most this many characters of a line are read; an address cut here is not shown.
_MAX_READ = 1_024

_COLON, _DOT = "(?::|%3[Aa])", r"(?:[._-]|%2[Ee])"
# Also within host names of providers: dsl-203-0-113-9.example.
_IPV4 = re.compile(rf"(?<!\d)\d{{1,3}}(?:{_DOT}\d{{1,3}}){{3}}(?!\d)", re.ASCII)
_IPV6 = re.compile(rf"[0-9A-Fa-f]{{0,4}}(?:{_COLON}[0-9A-Fa-f]{{0,4}}){{2,8}}")
_MAIL = re.compile(r"[^\s\"'<>=&?/:;,]+(?:@|%40)[^\s\"'<>=&?/:;,]+")
# A client's host name that the server looked up.
_NAME = re.compile(r"^[^\s\"\[{]+(?= - )")


def masked(text: str) -> str:
    """Return the start of a line, with each address replaced by `[address]`."""
    text = text[:_MAX_READ].rstrip("\r\n")
    text = _NAME.sub("[address]", text)
    text = _MAIL.sub("[address]", text)
    text = _IPV6.sub(_mask_ipv6, _IPV4.sub("[address]", text))
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _mask_ipv6(matched: re.Match[str]) -> str:
    """Mask an IPv6 address. Times stay: three or four numbers are not an address."""
    text = re.sub("%3[Aa]", ":", matched[0])
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return "[address]" if "::" in text or text.count(":") > 4 else matched[0]
    return "[address]"
