"""Why a rule cannot match or is unlikely to match, and the corrected rule. Pure.

The caller checks each hint against the names that the site has sent.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import quote, unquote

from goals.matching import PatternError, Rule, check_pattern


class Hint(NamedTuple):
    """`is_certain`: the rule cannot match; otherwise the corrected rule may match more.

    `is_for_nothing_matched`: the hint applies only to rules that match nothing.
    """

    code: str
    message: str
    corrected: Rule | None
    is_certain: bool = False
    is_for_nothing_matched: bool = False


def hints(rule: Rule) -> list[Hint]:
    """Return possible mistakes in a rule that RE2 accepts, certain ones first."""
    found = [*_certain(rule), *_possible(_meant(rule))]
    return [hint for hint in found if hint.corrected != rule]


# Rules that cannot match


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
# Without a scheme, a host is recognised by what follows it or by its `www.`.
_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}|localhost)(?::\d+(?=$|[/?#])|(?=[/?#]))"
    r"|www\.[A-Za-z0-9.-]+$"
)
_HOST_OF_PATTERN = re.compile(
    r"^(\^?)(?:https?\??:(?:\\?/){2}[^/^$|()]*?(?=\\?/|$)"
    r"|(?:[A-Za-z0-9-]+\\?\.)+[A-Za-z]{2,}(?=\\?/))"
)
# ASCII characters that browsers percent-encode in a path.
_ENCODED = ' "<>`{}'
_LIKE_A_LINK = re.compile(r"//[^/]+\.[^/]+")
_LOWER_HEX = re.compile(r"%(?=[0-9A-Fa-f]{2})(?![0-9A-F]{2})..")


def _certain(rule: Rule) -> Iterator[Hint]:
    meant = _meant(rule)
    mended = _mended(meant)
    if meant != rule:
        yield Hint("pattern", _NO_PATTERN, mended, is_certain=True)
    for code, message, applies in _MISTAKES:
        if applies(meant):
            yield Hint(code, message, mended, is_certain=True)


# Rare in paths and names, frequent in patterns: a text with these that RE2 accepts is
# taken for a pattern. Browsers send no backslash in a path.
_PATTERN = re.compile(r"^\s*\^|\\[dDwWsSbB./?+*-]|\.[*+]")
_PATTERN_OF_PATHS = re.compile(r"\$\s*$|\|\^?/")
_NO_PATTERN = (
    "Exact and contains compare character by character. A pattern, as this looks like,"
    " is of regex."
)


def _meant(rule: Rule) -> Rule:
    """The rule, as a regex if a pattern was typed into exact or contains."""
    is_pattern = _PATTERN.search(rule.match_value) or (
        rule.type == "pageview" and _PATTERN_OF_PATHS.search(rule.match_value)
    )
    if not _is_plain(rule) or not is_pattern:
        return rule
    return _checked(rule._replace(match_type="regex")) or rule


def _is_plain(rule: Rule) -> bool:
    return rule.match_type != "regex"


def _trimmed(rule: Rule) -> str:
    """Return the value without surrounding spaces; in a pattern, ^ and $ may be outside
    of them.
    """
    if _is_plain(rule):
        return rule.match_value.strip()
    value = re.sub(r"^(\^?)\s+", r"\1", rule.match_value)
    return re.sub(r"(?<!\\)\s+(\$?)$", r"\1", value)


def _is_plain_path(rule: Rule) -> bool:
    return rule.type == "pageview" and _is_plain(rule)


def _has_host(rule: Rule) -> bool:
    if rule.type != "pageview":
        return False
    value = _trimmed(rule)
    if not _is_plain(rule):
        return _HOST_OF_PATTERN.match(value) is not None
    return any(known.match(value) for known in (_SCHEME, _HOST, _LIKE_A_LINK))


def _lacks_slash(rule: Rule) -> bool:
    if rule.type != "pageview":
        return False
    value = _trimmed(rule)
    if rule.match_type == "regex":
        return re.match(r"\^[A-Za-z0-9_-]", value) is not None and not _has_host(rule)
    is_exact = rule.match_type == "exact"
    return (
        is_exact and not _has_host(rule) and value[:1] not in ("/", "*", "?", "#", "")
    )


_MISTAKES: list[tuple[str, str, Callable[[Rule], bool]]] = [
    (
        "spaces",
        "The value begins or ends with spaces. Spaces are compared like any other"
        " character.",
        lambda rule: rule.match_value != _trimmed(rule),
    ),
    (
        "full_url",
        "A page view is compared by its path only, without scheme and host.",
        _has_host,
    ),
    (
        "query",
        "A page view is compared by its path only, without the query string after ?.",
        lambda rule: _is_plain_path(rule) and "?" in rule.match_value,
    ),
    (
        "fragment",
        "A page view is compared by its path only, without the fragment after #.",
        lambda rule: _is_plain_path(rule) and "#" in rule.match_value,
    ),
    ("no_leading_slash", "Every path begins with a slash.", _lacks_slash),
    (
        "wildcard",
        "In `exact` and `contains`, * is an ordinary character. To match any text,"
        " use `regex` with .* instead.",
        lambda rule: _is_plain(rule) and "*" in rule.match_value,
    ),
    (
        "not_encoded",
        "Browsers percent-encode spaces and characters outside ASCII: é becomes"
        " %C3%A9.",
        lambda rule: (
            rule.type == "pageview"
            and any(
                not letter.isascii() or letter in (_ENCODED if _is_plain(rule) else " ")
                for letter in _trimmed(rule)
            )
        ),
    ),
    (
        "hex_in_small_letters",
        "Browsers percent-encode with capital letters: %C3%A9, not %c3%a9.",
        lambda rule: (
            rule.type == "pageview" and _LOWER_HEX.search(rule.match_value) is not None
        ),
    ),
    (
        "javascript_literal",
        "The slashes around the pattern and the flags after it are JavaScript syntax."
        " RE2 would match the slashes literally. Write flags at the start, such as"
        " (?i).",
        lambda rule: rule.match_type == "regex" and _literal(rule) is not None,
    ),
]


def _literal(rule: Rule) -> "re.Match[str] | None":
    return re.fullmatch(
        rf"/(\^.*|.*\$)/({_FLAGS})|/(.+)/(?=.)({_FLAGS})", rule.match_value
    )


# As JavaScript prints them, so that /en/us is a path.
_FLAGS = "d?g?i?m?s?u?v?y?"


def _mended(rule: Rule) -> Rule | None:
    """Return the rule without any of the mistakes; None if nothing is left."""
    if rule.match_type == "regex":
        return _checked(rule._replace(match_value=_mended_pattern(rule)))
    value, match_type = _trimmed(rule), rule.match_type
    if rule.type == "pageview":
        if _LIKE_A_LINK.match(value):
            value = f"http:{value}"
        before = value
        value = _HOST.sub("", _SCHEME.sub("", value, count=1), count=1)
        value = re.split(r"[?#]", value, maxsplit=1)[0]
        if match_type == "exact":
            is_rootless = not value.startswith("/") and not value.startswith("*")
            value = f"/{value}" if is_rootless else value
        elif before and not value:
            return None
        value = _encoded(value, also=_ENCODED)
    if "*" in value:
        text = ".*".join(_quoted(part) for part in value.split("*"))
        if match_type == "exact":
            text = f"^{text}$".removesuffix(".*$")
            text = text.removeprefix("^.*") if text.startswith("^.*") else text
        return _checked(rule._replace(match_type="regex", match_value=text))
    return rule._replace(match_value=value) if value else None


def _mended_pattern(rule: Rule) -> str:
    value = _trimmed(rule)
    if literal := _literal(rule._replace(match_value=value)):
        body = literal[1] or literal[3] or ""
        flags = "".join(f for f in literal[2] or literal[4] or "" if f in "ims")
        value = f"(?{flags}){body}" if flags else body
        value = value.replace(r"\/", "/")
    if rule.type != "pageview":
        return value
    if _has_host(rule):
        value = _HOST_OF_PATTERN.sub(r"\1", value)
    value = re.sub(r"^\^(?=[A-Za-z0-9_-])", "^/", value, count=1)
    value = _CLASS.sub(_spelled_out, value)
    # Inside brackets, a character of two bytes is still one character.
    if re.search(r"\[[^\]]*[^\x00-\x7F]", value):
        return ""
    return value if re.search(r"\[[^\]]* ", value) else _encoded_pattern(value)


# Brackets without ranges, escapes and negation.
_CLASS = re.compile(r"(?<!\\)\[([^\[\]\\^-][^\[\]\\-]*)\]")


def _spelled_out(letters: re.Match[str]) -> str:
    """`(?:é|è)` of `[éè]`; one of ASCII alone stays."""
    if letters[1].isascii():
        return letters[0]
    return f"(?:{'|'.join(map(_quoted, normalize('NFC', letters[1])))})"


def _encoded(value: str, *, also: str = "") -> str:
    return "".join(
        quote(letter, safe="") if not letter.isascii() or letter in also else letter
        for letter in _as_browsers_write(value)
    )


def _encoded_pattern(value: str) -> str:
    # A repeated character would become several alternatives.
    return re.sub(
        r"([^\x00-\x7F]|(?<!\\) )([*+?{]?)",
        lambda found: (
            f"(?:{quote(found[1])}){found[2]}" if found[2] else quote(found[1])
        ),
        _as_browsers_write(value),
    )


def _as_browsers_write(value: str) -> str:
    """Return it as browsers send it: composed letters (é), and %C3, not %c3."""
    value = _LOWER_HEX.sub(lambda found: found[0].upper(), value)
    return normalize("NFC", value)


def _quoted(text: str) -> str:
    return re.sub(r"[.+*?^$()\[\]{}|\\]", r"\\\g<0>", text)


def _checked(rule: Rule) -> Rule | None:
    try:
        check_pattern(rule.pattern)
    except PatternError:
        return None
    return rule if 0 < len(rule.match_value) <= 1_024 else None


# Rules that may be meant


_OTHER_CALLS = {
    "pageview": "page views",
    "event": "events of ka.track",
    "custom": "conversions of ka.goal",
}


def _possible(rule: Rule) -> Iterator[Hint]:
    mended = _mended(rule) or rule
    pattern = mended.match_value
    if mended.match_type == "exact":
        pattern = f"^{_quoted(pattern)}$"
    elif mended.match_type == "contains":
        pattern = _quoted(pattern)
    if not pattern.startswith("(?i)"):
        yield Hint(
            "case",
            "Some names differ from the rule only in upper and lower case. Rules are"
            " case-sensitive.",
            _checked(mended._replace(match_type="regex", match_value=f"(?i){pattern}")),
        )
    if mended.type == "pageview":
        yield from _of_slash(mended)
        yield from _of_pattern(mended)
    if mended.match_type == "regex" and re.search(r"(?<![\])])/\*", mended.match_value):
        value = re.sub(r"(?<![\])])/\*", "/.*", mended.match_value)
        yield Hint(
            "star_repeats",
            "In a regex, * repeats the preceding character, here the slash. To match"
            " any text, use .*",
            _checked(mended._replace(match_value=value)),
        )
    if mended.type != "pageview" and (plain := unquote(mended.match_value)):
        yield Hint(
            "encoded",
            "The names of events and custom goals are not percent-encoded.",
            mended._replace(match_value=plain),
        )
    for type, call in _OTHER_CALLS.items():
        if type != rule.type:
            of_type = rule._replace(type=type)
            yield Hint(
                "other_type",
                f"The site sends these names as {call}. Goals of the type {type} count"
                " them.",
                _mended(of_type) or of_type,
                is_for_nothing_matched=True,
            )


def _of_slash(rule: Rule) -> Iterator[Hint]:
    """Yield hints about a trailing slash, which is part of a path."""
    value = rule.match_value
    bare = value.rstrip("/")
    message = "A path with a trailing slash differs from the same path without it."
    if rule.match_type == "exact" and bare:
        message = (
            f"{bare} and {bare}/ are different paths. The site sends the other one."
        )
        flipped = bare if value.endswith("/") else f"{bare}/"
        yield Hint("trailing_slash", message, rule._replace(match_value=flipped))
    elif rule.match_type == "contains" and value.endswith("/") and bare:
        other = rule._replace(match_value=bare)
        yield Hint("trailing_slash", message, other, is_for_nothing_matched=True)
    elif rule.match_type == "regex" and re.search(r"[^\\?*]\$$", value):
        either = f"{value[:-1].removesuffix('/')}/?$"
        corrected = _checked(rule._replace(match_value=either))
        yield Hint("trailing_slash", message, corrected)


def _of_pattern(rule: Rule) -> Iterator[Hint]:
    """Yield hints about a query or fragment in a pattern, where ? and # may be
    operators.
    """
    if rule.match_type != "regex":
        return
    of_code = {code: message for code, message, _ in _MISTAKES}
    for code, part in (
        ("query", r"(?:\\\?|\?[\w.-]+=).*?(?=\$?$)"),
        ("fragment", r"\\?#.*?(?=\$?$)"),
    ):
        if re.search(part, rule.match_value):
            without = re.sub(part, "", rule.match_value, count=1)
            corrected = _checked(rule._replace(match_value=without))
            yield Hint(code, of_code[code], corrected, is_for_nothing_matched=True)


# Patterns that RE2 refuses


_NEGATIVE = (
    "RE2 does not support (?!...) and (?<!...). Write a pattern for what should match"
    " instead. To exclude paths from a report, use a filter such as path=!/admin/*."
)
# A part of a pattern, what is wrong with it, and its equivalent in RE2.
_PERL: list[tuple[str, str, str | None]] = [
    (r"\(\?#[^)]*\)", "RE2 does not support comments. Remove (?#...).", ""),
    (
        # The only one of its pattern.
        r"^((?:(?!\(\?<?[=!]).)*)\(\?=((?:(?!\(\?<?[=!]).)*)\)(?:\.\*)?$",
        "RE2 does not support look-ahead (?=...). At the end of a pattern it can be"
        " written without.",
        r"\1\2",
    ),
    (
        r"^\(\?<=((?:[^()\\]|\\.)*)\)",
        "RE2 does not support look-behind (?<=...). At the start of a pattern it can"
        " be written without.",
        r"\1",
    ),
    (r"\(\?<?!", _NEGATIVE, None),
    (
        r"\(\?<?=",
        "RE2 does not support look-around (?=...), (?<=...). Write its text directly"
        " in the pattern.",
        None,
    ),
    (r"\(\?>", "RE2 does not backtrack. Write (?:...) instead of (?>...).", "(?:"),
    (
        r"(?<!\\)([*+?}])\+",
        "RE2 does not support possessive repetition such as a++. Here, a+ matches the"
        " same names.",
        r"\1",
    ),
    (
        r"(?<!\\)((?:\\\\)*)\\[1-9]",
        "RE2 does not support back-references such as \\1. Parts of a name cannot be"
        " compared with each other.",
        None,
    ),
    (
        r"\(\?P=\w+\)|\\k[<{']\w+[>}']",
        "RE2 does not support back-references (?P=name).",
        None,
    ),
    (
        r"\(\?\|",
        "RE2 does not support branch reset (?|...). (?:...) matches the same.",
        "(?:",
    ),
    (
        r"\(\*[A-Z_0-9]+\)",
        "RE2 does not support verbs such as (*UTF8). Remove them.",
        "",
    ),
    (
        r"\\N(?!\{)",
        "RE2 does not support \\N. Use . for any character but a line break.",
        ".",
    ),
    (r"\\e", "RE2 does not support \\e. Use \\x1b.", r"\\x1b"),
    (
        r"\\c[A-Za-z]",
        "RE2 does not support \\cA. Write the character as \\x01.",
        None,
    ),
    (r"\\X", "RE2 does not support \\X. Use . for any character.", "."),
    (r"\(\?'(\w+)'", "In RE2, write a named group as (?P<name>...).", r"(?P<\1>"),
    (r"\\Z", "In RE2, write \\z for the end of the text.", r"\\z"),
    (r"\\h", "RE2 does not support \\h. Use [ \\t].", r"[ \\t]"),
    (
        r"\\R",
        "RE2 does not support \\R. Use (?:\\r\\n|\\n|\\r).",
        r"(?:\\r\\n|\\n|\\r)",
    ),
    (r"\\u([0-9A-Fa-f]{4})", "In RE2, write a code point as \\x{00E9}.", r"\\x{\1}"),
    (
        r"\\K|\\G",
        "RE2 does not support \\K and \\G. They have no effect here, because"
        " a rule only tests whether a name matches.",
        "",
    ),
    (
        r"\(\?[a-z]*x[a-z]*\)",
        "RE2 does not support the flag x. Remove spaces and comments from the pattern.",
        None,
    ),
    (
        r"\(\?\(|\(\?R\)|\(\?[0-9&]",
        "RE2 does not support conditions or recursion.",
        None,
    ),
    (
        r"\{(?:\d+,)?\d{4,}(?:,\d*)?\}",
        "RE2 repeats at most 1,000 times. Use + for an unlimited number.",
        None,
    ),
    (r"^\*", "A pattern cannot begin with *. To match any text, use .*", ".*"),
]


def perl_hints(pattern: str) -> list[str]:
    """Return sentences about the parts of a pattern that RE2 refuses.

    The last one contains an equivalent pattern that RE2 accepts, if there is one.
    """
    said = []
    mended: str | None = pattern
    for part, sentence, instead in _PERL:
        if re.search(part, pattern if mended is None else mended):
            said.append(sentence)
            if instead is None:
                mended = None
            elif mended is not None:
                mended = re.sub(part, instead, mended)
    if said and mended:
        try:
            check_pattern(mended)
        except PatternError:
            return said
        said.append(f"Try: {mended}")
    return said
