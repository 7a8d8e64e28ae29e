"""Where a request comes from: the address of the client, behind trusted proxies.

Knows neither visitors nor events, and stores nothing.
"""

import ipaddress
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The maximum length of an address with a zone and a port.
_MAX_HOP = 64

logger = logging.getLogger(__name__)


def client_address(environ: Mapping[str, str]) -> str:
    """The client's address, from a header only as far as its sender is trusted.

    Read from `X-Forwarded-For` or, if that is missing, from `Forwarded` (RFC 7239),
    from right to left: each trusted proxy appended the address of its peer, and
    everything left of the first untrusted hop may be forged by the client. A hop
    that is no address is returned as it is: an identifier that a proxy sends
    instead of the address tells clients apart, the proxy's own address does not.
    """
    address = environ.get("REMOTE_ADDR", "")
    if not is_within(address, settings.TRUSTED_PROXIES):
        return address
    hops = _hops(environ)
    while hops and is_within(address, settings.TRUSTED_PROXIES):
        hop = hops.pop()
        if parse(hop) is None:
            _tell(address)
        address = hop
    return address


def is_trusted(address: str) -> bool:
    """Whether it is one of the operator's own proxies."""
    return is_within(address, settings.TRUSTED_PROXIES)


def _hops(environ: Mapping[str, str]) -> list[str]:
    """The addresses in the header, farthest first, without their ports."""
    forwarded_for = environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded_for is not None:
        return [hop for part in forwarded_for.split(",") if (hop := _hop(part))]
    hops = []
    for element in environ.get("HTTP_FORWARDED", "").split(","):
        for pair in element.split(";"):
            name, _, value = pair.partition("=")
            if name.strip().lower() == "for" and (hop := _hop(value)):
                hops.append(hop)
    return hops


def _hop(text: str) -> str:
    """`198.51.100.7`, `198.51.100.7:443`, `[2001:db8::1]:443`, each also in quotes."""
    hop = text.strip().strip('"').strip()[:_MAX_HOP]
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, colon, port = hop.partition(":")
    return host if colon and port.isdigit() else hop


@lru_cache(maxsize=64)
def _tell(proxy: str) -> None:
    """Log it once for each proxy; the cache remembers for which it was done."""
    logger.warning("The proxy %s names a client by something that is no address", proxy)


def forget() -> None:
    """Drop the addresses that this module remembers."""
    parse.cache_clear()
    network_of.cache_clear()


@lru_cache(maxsize=8_192)
def parse(address: str) -> Address | None:
    """An IPv4 address that a socket mapped into IPv6 is the IPv4 address."""
    parsed = _parse(address)
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _parse(address: str) -> Address | None:
    # The C library's functions first: ipaddress takes 3 to 6 microseconds.
    with suppress(OSError, ValueError):
        return ipaddress.IPv4Address(inet_pton(AF_INET, address))
    with suppress(OSError, ValueError):
        return ipaddress.IPv6Address(inet_pton(AF_INET6, address))
    # With a zone, as in fe80::1%eth0.
    with suppress(ValueError):
        return ipaddress.ip_address(address)
    return None


def spelled(address: Address) -> str:
    """The address in its one spelling, without a zone; ten times as fast as str()."""
    family = AF_INET if address.version == 4 else AF_INET6
    return inet_ntop(family, address.packed)


def is_address(text: str) -> bool:
    return parse(text) is not None


def is_within(address: str, networks: Iterable[Network]) -> bool:
    parsed = parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def household(address: str) -> str:
    """The address or network that identifies a client.

    One spelling of an IPv4 address; the network of an IPv6 address, of which a
    device has as many addresses as it likes (RFC 8981).
    """
    return network_of(address, settings.IPV6_PREFIX)


@lru_cache(maxsize=8_192)
def network_of(address: str, prefix: int) -> str:
    """`household` with this prefix length for IPv6."""
    parsed = parse(address)
    if parsed is None:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        rest = parsed.max_prefixlen - prefix
        parsed = ipaddress.IPv6Address(int(parsed) >> rest << rest)
    return spelled(parsed)
