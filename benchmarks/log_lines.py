"""The same requests as each server would log them, by the formats' descriptions."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes


class Request(NamedTuple):
    """`target` and `agent` have one character a byte, as they were sent."""

    at: datetime
    address: str
    method: str
    target: str
    status: int
    size: int
    referrer: str
    agent: str
    host: str

    @property
    def line(self) -> str:
        return f"{self.method} {self.target} HTTP/1.1"

    @property
    def clf_time(self) -> str:
        return f"{self.at:%d/%b/%Y:%H:%M:%S +0000}"

    @property
    def path_and_query(self) -> tuple[str, str]:
        path, _, query = self.target.partition("?")
        return path, query or "-"


def _escaped(text: str, quote_mark: str) -> str:
    """As Apache and nginx escape what stands in quotes, which differ in the quote."""
    return (
        "".join(
            quote_mark
            if char == '"'
            else char
            if 0x20 <= ord(char) < 0x7F and char != "\\"
            else f"\\x{ord(char):02X}"
            for char in text
        )
        or "-"
    )


def common(r: Request) -> str:
    request = _escaped(r.line, r"\"")
    return f'{r.address} - - [{r.clf_time}] "{request}" {r.status} {r.size}'


def combined(r: Request) -> str:
    request, referrer, agent = (
        _escaped(text, r"\x22") for text in (r.line, r.referrer, r.agent)
    )
    head = f"{r.address} - - [{r.clf_time}]"
    return f'{head} "{request}" {r.status} {r.size} "{referrer}" "{agent}"'


def vhost_combined(r: Request) -> str:
    return f"{r.host}:443 {combined(r)}"


def traefik(r: Request) -> str:
    return f'{combined(r)} 17 "shop@docker" "http://10.0.0.5:8080" 12ms'


def nginx_json(r: Request) -> str:
    fields = {
        "time_iso8601": f"{r.at:%Y-%m-%dT%H:%M:%S+00:00}",
        "remote_addr": r.address,
        "host": r.host,
        "request": r.line,
        "status": str(r.status),
        "body_bytes_sent": str(r.size),
        "http_referer": r.referrer,
        "http_user_agent": r.agent,
    }
    # nginx writes other bytes than controls and quotes as they are.
    return json.dumps(fields, ensure_ascii=False)


def caddy(r: Request) -> str:
    headers = {"User-Agent": [r.agent], "Referer": [r.referrer], "Accept": ["*/*"]}
    request = {
        "remote_ip": r.address,
        "remote_port": "41342",
        "client_ip": r.address,
        "proto": "HTTP/2.0",
        "method": r.method,
        "host": r.host,
        "uri": r.target,
        "headers": {name: value for name, value in headers.items() if value[0]},
        "tls": {"resumed": False, "version": 772, "server_name": r.host},
    }
    entry = {
        "level": "info",
        "ts": r.at.timestamp(),
        "logger": "http.log.access.log0",
        "msg": "handled request",
        "request": request,
        "bytes_read": 0,
        "user_id": "",
        "duration": 0.0009,
        "size": r.size,
        "status": r.status,
        "resp_headers": {"Server": ["Caddy"], "Content-Type": ["text/html"]},
    }
    return json.dumps(entry, ensure_ascii=False)


def traefik_json(r: Request) -> str:
    entry = {
        "ClientAddr": f"{r.address}:41342",
        "ClientHost": r.address,
        "ClientPort": "41342",
        "ClientUsername": "-",
        "DownstreamContentSize": r.size,
        "DownstreamStatus": r.status,
        "Duration": 900000,
        "RequestAddr": r.host,
        "RequestHost": r.host,
        "RequestMethod": r.method,
        "RequestPath": r.target,
        "RequestProtocol": "HTTP/2.0",
        "StartUTC": f"{r.at:%Y-%m-%dT%H:%M:%S}.123456789Z",
        "entryPointName": "websecure",
        "level": "info",
        "msg": "",
        "request_Accept": "*/*",
        "time": f"{r.at:%Y-%m-%dT%H:%M:%SZ}",
    }
    entry |= {"request_Referer": r.referrer} if r.referrer else {}
    entry |= {"request_User-Agent": r.agent} if r.agent else {}
    return json.dumps(entry, ensure_ascii=False)


IIS_HEAD = """#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-02-18 00:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) cs-host sc-status sc-substatus sc-win32-status time-taken
"""  # noqa: E501 - one line of the log


def iis(r: Request) -> str:
    path, query = r.path_and_query
    agent, referrer = r.agent.replace(" ", "+") or "-", r.referrer or "-"
    return (
        f"{r.at:%Y-%m-%d %H:%M:%S} 10.0.0.5 {r.method} {path} {query} 443 -"
        f" {r.address} {agent} {referrer} {r.host} {r.status} 0 0 12"
    )


CLOUDFRONT_HEAD = """#Version: 1.0
#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end
"""  # noqa: E501 - one line of the log


def cloudfront(r: Request) -> str:
    path, query = r.path_and_query
    agent = quote_from_bytes(r.agent.encode("latin-1"), safe="/:;()+,=@") or "-"
    unique = f"{hash(r) & 0xFFFFFFFF:08x}EXAMPLE=="
    fields = (
        *(f"{r.at:%Y-%m-%d}", f"{r.at:%H:%M:%S}", "FRA50-C1", r.size, r.address),
        *(r.method, "d111111abcdef8.cloudfront.net", quote(path, "/%")),
        *(r.status, r.referrer or "-", agent, query, "-", "Hit", unique, r.host),
        *("https", 23, "0.001", "-", "TLSv1.3", "TLS_AES_128_GCM_SHA256", "Hit"),
        *("HTTP/2.0", "-", "-", 11040, "0.001", "Hit", "text/html", r.size, "-", "-"),
    )
    return "\t".join(map(str, fields))


def _balanced(r: Request) -> str:
    request = f"{r.method} https://{r.host}:443{r.target} HTTP/1.1"
    return (
        f"{r.at:%Y-%m-%dT%H:%M:%S}.186641Z app/my-balancer/50dc6c495c0c9188"
        f" {r.address}:2817 10.0.0.5:80 0.000 0.001 0.000 {r.status} {r.status} 34"
        f' {r.size} "{_escaped(request, chr(92) + chr(34))}"'
        f' "{_escaped(r.agent, chr(92) + chr(34))}"'
        " ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2"
    )


def elb(r: Request) -> str:
    return _balanced(r).replace("app/my-balancer/50dc6c495c0c9188", "my-balancer")


def alb(r: Request) -> str:
    return (
        f"https {_balanced(r)} arn:aws:elasticloadbalancing:us-east-2:123456789012:"
        'targetgroup/web/73e2d6bc24d8a067 "Root=1-58337281-1d84f3d73c47ec4e58577259"'
        f' "{r.host}" "arn:aws:acm:us-east-2:123456789012:certificate/12345678" 1'
        f' {r.at:%Y-%m-%dT%H:%M:%S}.185000Z "forward" "-" "-" "10.0.0.5:80"'
        f' "{r.status}" "-" "-" TID_1234abcd5678ef90'
    )


def s3(r: Request) -> str:
    path, _ = r.path_and_query
    key = quote(path[1:], "/") or "-"
    return (
        "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be www-bucket"
        f" [{r.clf_time}] {r.address} - {hash(r) & 0xFFFFFFFF:08X}EXAMPLE"
        f' WEBSITE.{r.method}.OBJECT {key} "{quote(r.line, safe=" /?=&%.")}"'
        f" {r.status} - {r.size} {r.size} 7 6"
        f' "{r.referrer or "-"}" "{r.agent or "-"}" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2RO='
        f" - ECDHE-RSA-AES128-GCM-SHA256 - {r.host} TLSV1.2 - -"
    )


def haproxy(r: Request) -> str:
    request = "".join(
        char
        if 0x20 <= ord(char) < 0x7F and char not in '"#{|}'
        else f"#{ord(char):02X}"
        for char in r.line
    )
    return (
        f"{r.at:%b %e %H:%M:%S} web1 haproxy[14389]: {r.address}:33317"
        f" [{r.at:%d/%b/%Y:%H:%M:%S}.655] https-in~ shop/srv1 10/0/30/69/109"
        f' {r.status} {r.size} - - ---- 1/1/1/1/0 0/0 {{{r.host}}} {{}} "{request}"'
    )


# Format, the head of its files, and how it writes a request.
FORMATS: dict[str, tuple[str, Callable[[Request], str]]] = {
    "common": ("", common),
    "combined": ("", combined),
    "vhost-combined": ("", vhost_combined),
    "nginx-json": ("", nginx_json),
    "caddy": ("", caddy),
    "traefik": ("", traefik),
    "traefik-json": ("", traefik_json),
    "iis": (IIS_HEAD, iis),
    "cloudfront": (CLOUDFRONT_HEAD, cloudfront),
    "alb": ("", alb),
    "elb": ("", elb),
    "s3": ("", s3),
    "haproxy": ("", haproxy),
}
