"""The proxies of deploy/ in front of a service, with TLS, on ports that are free."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.servers import ROOT, free_port

DEPLOY = ROOT / "deploy"
HOST = "stats.example.com"
_CERTIFICATE = f"/etc/letsencrypt/live/{HOST}/fullchain.pem"
_KEY = f"/etc/letsencrypt/live/{HOST}/privkey.pem"


class Proxy:
    """A running proxy; `https_port` is where it takes requests for HOST."""

    def __init__(self, http_port: int, https_port: int, certificate: Path) -> None:
        self.http_port = http_port
        self.https_port = https_port
        self._tls = ssl.create_default_context(cafile=str(certificate))

    def connect(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """A connection from an address of the loopback range."""
        raw = socket.create_connection(
            ("127.0.0.1", self.https_port), timeout=10, source_address=(source, 0)
        )
        return self._tls.wrap_socket(raw, server_hostname=HOST)

    def send(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        source: str = "127.0.0.1",
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPSConnection(HOST, timeout=10)
        connection.sock = self.connect(source)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()


@contextlib.contextmanager
def nginx(backend: str, folder: Path) -> Iterator[Proxy]:
    """deploy/nginx.conf in front of `backend`, host and port."""
    ports = free_port(), free_port()
    certificate, key = _certificate(folder)
    site = _changed(
        "nginx.conf",
        {
            "server 127.0.0.1:8000;": f"server {backend};",
            "listen 80;": f"listen 127.0.0.1:{ports[0]};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{ports[1]} ssl http2;",
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            _CERTIFICATE: str(certificate),
            _KEY: str(key),
            "/var/cache/nginx/krafter": f"{folder}/cache",
        },
    )
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"{user} daemon off; pid {folder}/nginx.pid; error_log stderr;\n"
        "worker_rlimit_nofile 8192; events { worker_connections 4096; }\n"
        f"http {{ {temporary} include {folder}/site.conf; }}\n"
    )
    subprocess.run(
        ["nginx", "-t", "-c", config], check=True, capture_output=True, timeout=60
    )
    with _running(["nginx", "-c", str(config)], ports[1], {}):
        yield Proxy(*ports, certificate)


@contextlib.contextmanager
def caddy(backend: str, folder: Path) -> Iterator[Proxy]:
    """deploy/Caddyfile in front of `backend`, with a certificate of ours."""
    ports = free_port(), free_port()
    certificate, key = _certificate(folder)
    config = folder / "Caddyfile"
    text = _changed(
        "Caddyfile",
        {
            "{\n\tservers {": f"{{\n\tadmin off\n\thttp_port {ports[0]}\n\tservers {{",
            f"\n{HOST} {{": f"\nhttps://{HOST}:{ports[1]} {{\n\tbind 127.0.0.1\n"
            f"\ttls {certificate} {key}",
            "reverse_proxy 127.0.0.1:8000": f"reverse_proxy {backend}",
        },
    )
    config.write_text(text)
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    with _running(command, ports[1], {"XDG_DATA_HOME": str(folder)}):
        yield Proxy(*ports, certificate)


PROXIES: dict[str, Callable[[str, Path], contextlib.AbstractContextManager[Proxy]]] = {
    "nginx": nginx,
    "caddy": caddy,
}


def _changed(name: str, changes: dict[str, str]) -> str:
    """The shipped file with other ports, paths and a certificate of ours."""
    text = (DEPLOY / name).read_text()
    for shipped, here in changes.items():
        if text.count(shipped) != 1:
            raise ValueError(f"{name} has {shipped!r} {text.count(shipped)} times")
        text = text.replace(shipped, here)
    return text


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-days", "2", "-subj", f"/CN={HOST}"),
            *("-addext", f"subjectAltName=DNS:{HOST}", "-keyout", key),
            *("-out", certificate),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key


@contextlib.contextmanager
def _running(
    command: list[str], port: int, environment: dict[str, str]
) -> Iterator[None]:
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(f"{command[0]} is not installed")
    process = subprocess.Popen(
        [program, *command[1:]],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while not _accepts(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
