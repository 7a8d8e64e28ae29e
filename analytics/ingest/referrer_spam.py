"""Referrer spam: made-up referrers, sent so that site owners follow them.

The list is kept in referrer_spam.txt, with its source, licence and date. To update
it, replace the lines below the comments with the source's spammers.txt.
"""

from functools import cache
from pathlib import Path

from analytics.ingest import pages


@cache
def hosts() -> frozenset[str]:
    lines = Path(__file__).with_suffix(".txt").read_text().splitlines()
    return frozenset(line.lower() for line in lines if not line.startswith("#"))


def is_spam(referrer: str) -> bool:
    """Whether the URL's host is on the list, or below a host that is."""
    host = pages.parse(referrer).host.rstrip(".")
    spam = hosts()
    while host:
        if host in spam:
            return True
        host = host.partition(".")[2]
    return False
