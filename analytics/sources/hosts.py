"""Host names: one spelling for each, and whether a list of them covers one. Pure."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

import idna

from analytics.recent import remember_short

MAX_LENGTH = 253
# `.com`, `.de`, `.co.uk`, `.com.br`; but not `.com.` and somebody else's domain.
_ANY_COUNTRY = re.compile(r"\.(?:com|(?:com?\.)?[a-z]{2})$")


@remember_short(8_192, MAX_LENGTH)
def normal(host: str) -> str:
    """A host in the one spelling that is stored and compared.

    Lower case, without the dot at the end, and international names as they are in
    DNS (`xn--…`), in whichever of their forms they were written. What is no valid
    name stays as it is, in lower case.
    """
    # The full stops that browsers take for dots are idna's business.
    host = host.strip().lower().removesuffix(".")
    if not host.isascii():
        # As browsers do: UTS 46, in which "ß" is a letter of its own.
        with suppress(idna.IDNAError):
            host = idna.encode(host, uts46=True).decode().removesuffix(".")
    return host[:MAX_LENGTH]


def readable(host: str) -> str:
    """A host as people write it: `xn--…` in the letters that it stands for."""
    try:
        return idna.decode(host)
    except idna.IDNAError:
        return host


class Hosts:
    """A list of hosts, each of which covers what is below it.

    `.*` at the end of one stands for the ending of any country.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(map(normal, hosts))

    def covers(self, host: str) -> bool:
        """`host` in its normal spelling."""
        return any(each in self._hosts for each in suffixes(host))


def own(domain: str, allowed_hosts: Iterable[str]) -> Hosts:
    """The hosts of a site: its domain, its allowed hosts, and what is below them.

    Of `www.acme.example` also `acme.example`: they are one site for everybody.
    """
    names = [normal(host) for host in (domain, *allowed_hosts)]
    return Hosts([*names, *(name.removeprefix("www.") for name in names)])


def suffixes(host: str) -> Iterator[str]:
    """The host and all above it, the longest first, each also with `.*` at the end."""
    while host:
        yield host
        yield without_country(host)
        host = host.partition(".")[2]


def without_country(host: str) -> str:
    """The host with `.*` in place of an ending that differs by country."""
    return _ANY_COUNTRY.sub(".*", host)
