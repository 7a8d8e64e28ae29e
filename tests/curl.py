"""What a curl line of the documents sends, and sending it."""

import shlex
from typing import Any, NamedTuple

from django.test import Client


class Sent(NamedTuple):
    """A request; the path begins with /, the body is text."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


def parse(curl: str) -> Sent:
    """What a curl line sends; every word of it must be understood."""
    words = shlex.split(curl.replace("\\\n", " "))[1:]
    method, body, url = None, "", ""
    headers: dict[str, str] = {}
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                body = words.pop(0)
            case word:
                assert not word.startswith("-"), f"an unknown option of curl: {word}"
                assert not url, f"a second address: {word}"
                url = word
    path = "/" + url.split("/", 3)[3]
    return Sent(method or ("POST" if body else "GET"), path, headers, body)


def send(sent: Sent, secret: str) -> Any:
    """The answer to it, with a key in place of YOUR_API_TOKEN."""
    headers = {
        name: value.replace("YOUR_API_TOKEN", secret)
        for name, value in sent.headers.items()
    }
    kind = headers.pop("Content-Type", "text/plain")
    return Client(headers=headers).generic(
        sent.method, sent.path, sent.body.encode(), kind
    )


def same(expected: Any, found: Any) -> bool:
    """Whether an answer is the expected one, "…" standing for anything."""
    if expected == "…":
        return found is not None
    if isinstance(expected, dict):
        return list(expected) == list(found) and all(
            same(expected[key], found[key]) for key in expected
        )
    if isinstance(expected, list):
        return len(expected) == len(found) and all(map(same, expected, found))
    return bool(expected == found)
