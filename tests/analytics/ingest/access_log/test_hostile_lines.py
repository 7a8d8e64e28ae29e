"""Lines that were made to keep a reader busy, in every format and prefix."""

import time
from contextlib import suppress
from datetime import UTC
from itertools import product

import pytest

from analytics.ingest.access_log.formats import FORMATS
from analytics.ingest.access_log.masking import masked
from analytics.ingest.access_log.patterns import compile_pattern
from analytics.ingest.access_log.prefixes import PREFIXES
from analytics.ingest.access_log.requests import Malformed

PATTERN = '%v:%p %a %{%Y-%m-%d %H:%M:%S}t "%m %U%q %H" %>s "%{Referer}i" %{X}i %{Y}o'
READERS = {
    **{name: make(UTC) for name, make in FORMATS.items()},
    **{f"prefix {name}": make() for name, make in PREFIXES.items()},
    "pattern": compile_pattern(PATTERN, UTC),
    "masked": masked,
}
# Each gets a reader as far as it will go, where what is repeated begins.
STARTS = (
    "",
    '203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "-" "x" ',
    '203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "-" "',
    "https 2018-07-02T22:23:00.186641Z app/a 203.0.113.9:2817 10.0.0.1:80 0.1 0.2 0.3"
    ' 200 200 0 57 "GET / HTTP/1.1" "c" - - a "b" ',
    "203.0.113.9:1 [06/Feb/2009:12:14:14.655] a b/c 10/0/30/69/109 200 2750 - - ----"
    " 1/1/1/1/0 0/0 {",
    'a b [18/Feb/2026:12:00:00 +0000] 203.0.113.9 - 3E G a.html "GET" 200 - 1 1 7 6'
    ' "-" "F" - a b c d e ',
    "<13>1 2026-02-18T12:00:00Z a b c d [a ",
    "Feb 18 12:00:00 ",
    "web-1 | ",
    '{"log":"',
    "#Fields: ",
)
REPEATED = (
    *("a", " ", "a ", '"', "\\", '\\"', '"a" ', "[", "] ", "{1} ", "1/", "1:", "a."),
    *(", ", "a, ", "\\x41", '="a" ', "::", '[a="b"]', "#41", "%3A", "@", "- "),
)


# A quadratic step over so much takes half a second, a linear one a millisecond.
LENGTH = 8_192
LIMIT = 0.2


@pytest.mark.parametrize("start", STARTS)
def test_no_line_takes_a_reader_more_than_a_moment(start):
    for repeated, end in product(REPEATED, ("", '"')):
        text = (start + repeated * LENGTH)[:LENGTH] + end
        for name, read in READERS.items():
            began = time.process_time()
            with suppress(Malformed):
                read(text)
            assert time.process_time() - began < LIMIT, (name, repeated, end)
