"""Logs of Amazon's load balancers and of S3. Those of CloudFront are in `w3c`."""

import re
from datetime import UTC

from analytics.ingest.access_log.clf import explain
from analytics.ingest.access_log.requests import (
    Line,
    Malformed,
    absent,
    clf_time,
    client,
    client_with_port,
    host,
    iso_time,
    split_request,
    status_code,
    unescaped_url,
)

# Quotes are escaped with a backslash or not at all, depending on the age of the
# log. An ambiguous line then does not match as a whole.
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_SKIPPED = _QUOTED.replace("(", "(?:", 1)
# Without quotes; otherwise half a user agent would match.
_BARE = r'[^\s"]+'
_NUMBER = r"-?[\d.]+"

_BALANCED = (
    rf"(\d{{4}}-\S+) (\S+) (\S+) (?:\S+) {_NUMBER} {_NUMBER} {_NUMBER}"
    rf" (\d{{3}}|-) (?:\d{{3}}|-) (\d+) (\d+) {_QUOTED}"
)
# Fields that were added over the years: words and quoted texts.
_LATER = rf"(?: (?:{_SKIPPED}|{_BARE}))*\s*"
# User agent, cipher and protocol were added in 2015.
_ELB = re.compile(rf"{_BALANCED}(?: {_QUOTED} {_BARE} {_BARE})?\s*", re.ASCII)
_ALB = re.compile(
    rf"(https?|h2|grpcs?|wss?) {_BALANCED}"
    rf" {_QUOTED} {_BARE} {_BARE} {_BARE} {_SKIPPED}{_LATER}",
    re.ASCII,
)

# Owner, bucket, time, requester (address, account), id, operation, key, request.
_S3 = re.compile(
    rf"\S+ (\S+) \[([^\]]+)\] (\S+) \S+ (\S+) (\S+) \S+ (?:{_QUOTED}|-)"
    # Status, error, bytes sent, size, two durations, referrer, user agent, version.
    rf" (\d{{3}}|-) \S+ (\d+|-) (?:\d+|-) (?:\d+|-) (?:\d+|-)"
    rf" (?:{_QUOTED}|-) (?:{_QUOTED}|-) {_BARE}"
    # Since 2019: host id, signature, cipher, authentication, host; then others.
    rf"(?: {_BARE} {_BARE} {_BARE} {_BARE} ({_BARE})(?: {_BARE})*)?\s*",
    re.ASCII,
)
_S3_PAGES = ("REST.GET.OBJECT", "WEBSITE.GET.OBJECT")
_S3_ENDPOINT = re.compile(r"\.amazonaws\.com(?:\.cn)?(?::\d+)?$")
_S3_PATH_STYLE = re.compile(r"(?:^|\.)s3[.-][^/]*amazonaws\.com(?:\.cn)?(?::\d+)?$")


def read_alb(text: str) -> Line:
    """Read a line. Raises Malformed, like all readers."""
    if matched := _ALB.fullmatch(text):
        return _balanced(*matched.groups()[1:])
    raise Malformed(explain(text))


def read_elb(text: str) -> Line:
    if matched := _ELB.fullmatch(text):
        return _balanced(*matched.groups())
    raise Malformed(explain(text))


def _balanced(
    time: str,
    balancer: str,
    who: str,
    status: str,
    received: str,
    sent: str,
    request: str,
    user_agent: str | None,
) -> Line:
    method, target = split_request(request)
    identity = (time, balancer, request, status, received, sent)
    return Line(
        address=client_with_port(who),
        at=iso_time(time, UTC),
        method=method,
        # The request contains the whole URL, including the host.
        target=unescaped_url(target),
        status=0 if status == "-" else status_code(status),
        referrer="",
        user_agent=None if user_agent is None else absent(user_agent),
        identity="\0".join(identity),
    )


def read_s3(text: str) -> Line:
    matched = _S3.fullmatch(text)
    if matched is None:
        raise Malformed(explain(text))
    bucket, time, who, unique, operation, request, status, sent, referrer, agent, to = (
        matched.groups("-")
    )
    method, target = split_request(request)
    # Lists, policies and versions of a bucket are requested by programs.
    if operation not in _S3_PAGES and method == "GET":
        method = operation
    # In a path-style request the bucket comes before the key.
    if _S3_PATH_STYLE.search(to) and not to.startswith(f"{bucket}."):
        target = target.removeprefix(f"/{bucket}")
    return Line(
        address=client(who),
        at=clf_time(time),
        method=method,
        target=unescaped_url(target),
        status=0 if status == "-" else status_code(status),
        referrer=unescaped_url(absent(referrer)),
        user_agent=absent(agent),
        identity="\0".join((time, unique, request, status, sent, referrer)),
        # S3's own name of the bucket is not a host of the site.
        host="" if _S3_ENDPOINT.search(to) else host(to),
    )
